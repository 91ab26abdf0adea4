package worker

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"heddle/component"
	"heddle/domain"
)

// Headers that name the calling step when a run calls a trigger of this server. Source: the format's SDK;
// the content of the first is our own.
const (
	invokedByHeader  = "Prismatic-Invoked-By"
	invokeTypeHeader = "Prismatic-Invoke-Type"
	crossFlow        = "Cross Flow"
	// lineageHeader holds the proof of the others: without it anybody could pose as a run of somebody else.
	lineageHeader = "Heddle-Lineage"
)

// invokedByValue is the content of invokedByHeader.
type invokedByValue struct {
	Path  string `json:"stepPath"`
	Depth int    `json:"depth"`
}

// invokedByTransport adds the calling step to requests that go to triggers of this server.
type invokedByTransport struct {
	next http.RoundTripper
	step *stepContext
}

// RoundTrip implements [http.RoundTripper].
func (l invokedByTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	x := l.step.x
	r, span := l.beginRequest(r)
	if strings.HasPrefix(r.URL.String(), x.w.PublicURL+"/trigger/") {
		by := l.step.invokedBy()
		data, err := json.Marshal(invokedByValue{Path: by.Path, Depth: by.Depth})
		if err != nil {
			endSpan(span, err)
			return nil, fmt.Errorf("encoding the lineage: %w", err)
		}
		r = r.Clone(r.Context())
		r.Header.Set(invokedByHeader, string(data))
		r.Header.Set(invokeTypeHeader, crossFlow)
		r.Header.Set(ExecutionHeader, x.run.ID)
		r.Header.Set(lineageHeader, x.w.signInvokedBy(r.URL.Path, x.run.ID, string(data)))
	}
	response, err := l.next.RoundTrip(r)
	endRequest(span, response, err)
	return response, err
}

// InsecureTLS implements [component.InsecureTLS].
func (l invokedByTransport) InsecureTLS() (http.RoundTripper, func(), bool) {
	of, ok := l.next.(component.InsecureTLS)
	if !ok {
		return nil, nil, false
	}
	next, done, ok := of.InsecureTLS()
	return invokedByTransport{next, l.step}, done, ok
}

// maxInvokedBy is how long the headers that name a caller may be.
const maxInvokedBy = 1024 // bytes

// signInvokedBy returns the proof that a run calls a path of this server.
func (w *Worker) signInvokedBy(path, execution, frame string) string {
	return base64.RawURLEncoding.EncodeToString(w.Vault.MAC("lineage", fmt.Sprintf("%q %q %q", path, execution, frame)))
}

// invokedBy returns the step that calls, nil if no run does.
func (q request) invokedBy() *domain.InvokedBy {
	h := q.r.Header
	execution, text := h.Get(ExecutionHeader), h.Get(invokedByHeader)
	if h.Get(invokeTypeHeader) != crossFlow || execution == "" || len(execution)+len(text) > maxInvokedBy {
		return nil
	}
	if !hmac.Equal([]byte(h.Get(lineageHeader)), []byte(q.w.signInvokedBy(q.r.URL.Path, execution, text))) {
		return nil
	}
	var f invokedByValue
	if json.Unmarshal([]byte(text), &f) != nil {
		return nil
	}
	return &domain.InvokedBy{Execution: execution, Path: f.Path, Depth: max(1, f.Depth)}
}
