package worker

import (
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heddle/component"
	"heddle/domain"
)

// corpus is where definitions are that other people wrote; where it is missing they are skipped.
const corpus = "../../shared/corpus"

// canned answers every request of a step without a network.
type canned struct{}

// RoundTrip implements [http.RoundTripper].
func (canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"id": 1, "ok": true, "items": [{"id": 1, "name": "one"}], "data": [{"id": 1}], "results": [{"id": 1}]}`
	return &http.Response{StatusCode: 200, Status: "200 OK", Proto: "HTTP/1.1", Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// Every flow of real definitions runs to its end, with the components of vendors stubbed.
func TestCorpusRuns(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus, "*.y*ml"))
	if err != nil || len(files) == 0 {
		t.Skip("no corpus at " + corpus + ": definitions of other people are not run")
	}
	ended := map[domain.ResultType]int{}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "synthetic") { // hand-written and partly wrong: it need only parse
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h := newHouse(t)
			h.Client = &http.Client{Transport: canned{}}
			h.RunTimeout = 30 * time.Second
			h.stubVendors(string(text))
			instance, urls := h.deploy(string(text))
			h.start()
			definition, _ := h.flows(instance)
			for _, flow := range definition.Flows() {
				answer := h.post(urls[flow.Name()], "application/json", `{"event": "x", "id": "1", "items": [{"id": 1}]}`,
					synchronousHeader, "true") // so that what fails is not tried again in a minute
				run := h.ended(answer.Header().Get(ExecutionHeader))
				ended[run.Finished.Result]++
				if run.Finished.Error == "" {
					continue
				}
				// What the stubs give has no shape that some steps need; what must not be missing is anything of our own.
				t.Logf("%s: %s", flow.Name(), run.Finished.Error)
				for _, ours := range []string{"no component", "has no action", "has no trigger", "could not be recorded", "took longer", "the definition has no", "cut off"} {
					if strings.Contains(run.Finished.Error, ours) {
						t.Errorf("%s ended for want of something of our own: %s", flow.Name(), run.Finished.Error)
					}
				}
			}
		})
	}
	t.Logf("flows that ended as: %v", ended)
	if ended[domain.Completed] < ended[domain.Failed] {
		t.Errorf("most flows fail: %v", ended)
	}
}

// stubVendors has a stub answer for each component and action of a definition that is not built in.
func (h *house) stubVendors(text string) {
	h.t.Helper()
	parsed, _, err := domain.Parse([]byte(text), domain.DefaultLimits)
	if err != nil {
		h.t.Fatal(err)
	}
	record := map[string]any{"id": "1", "name": "one", "url": "https://stub.example"}
	answer := component.Result{Data: []any{record}}
	stubs := map[string]bool{"sleep": true} // nobody waits for it
	for part := range parsed.All() {
		ref := part.Action()
		if ref.Component == "" {
			continue
		}
		if _, known := h.Components.Component(ref.Component); !known {
			stubs[ref.Component] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(stubs)) {
		h.Components = h.Components.With(component.Stub(key, answer))
	}
}
