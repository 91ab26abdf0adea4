package worker

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/worker/outbound"
)

func TestIdempotencyKey(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "body: {type: value, value: hello}", step("one", "effect", "")),
		flow("Sync", "    isSynchronous: true\n", "", step("two", "effect", "")), flow("Other", "", "", "")))
	h.start()
	for name, want := range map[string]string{"Main": "hello", "Sync": `{"did":"two"}`} {
		first := h.post(urls[name], "text/plain", "x", keyHeader, "k1")
		again := h.post(urls[name], "text/plain", "x", keyHeader, "k1", "Date", "later")
		if first.Body.String() != want || again.Body.String() != want || again.Code != first.Code ||
			again.Header().Get(ExecutionHeader) != first.Header().Get(ExecutionHeader) {
			t.Errorf("%s: first %s, again %d %s", name, first.Body, again.Code, again.Body)
		}
		other := h.post(urls[name], "text/plain", "y", keyHeader, "k1")
		if other.Code != http.StatusUnprocessableEntity || !strings.Contains(other.Body.String(), keyHeader) {
			t.Errorf("%s: another body under the key is answered %d %s", name, other.Code, other.Body)
		}
		run := h.ended(first.Header().Get(ExecutionHeader))
		if payload := string(run.Queued.Payload.Inline); !strings.Contains(payload, `"x"`) {
			t.Errorf("%s: the payload became %s", name, payload)
		}
	}
	if h.probe.count("one") != 1 || h.probe.count("two") != 1 {
		t.Errorf("done %d and %d times", h.probe.count("one"), h.probe.count("two"))
	}
	one := h.post(urls["Main"], "text/plain", "x", keyHeader, "k2").Header().Get(ExecutionHeader)
	if two := h.post(urls["Other"], "text/plain", "x", keyHeader, "k2").Header().Get(ExecutionHeader); one == two {
		t.Error("two flows share a key")
	}
	if a := h.post(urls["Main"], "text/plain", "x", keyHeader,
		strings.Repeat("k", maxKey+1)); a.Code != http.StatusBadRequest {
		t.Errorf("a long key is answered %d", a.Code)
	}
}

// The worker of a run gets the delivery as the log has it.
func TestDeliveryIsHandedOverAsItReads(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", "")))
	if err := h.Worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.queue.Close)
	long := strings.Repeat("x", 2*domain.MaxInline)
	for name, c := range map[string]struct {
		body, first, second string // headers; no second request for ""
		handed              bool
	}{
		"text":              {"text", "1", "", true},
		"bytes":             {"\xff", "1", "", true},
		"no text":           {"text", "\xff", "", false},
		"the same again":    {"text", "1", "1", true},
		"another one again": {"text", "1", "2", false},
		"long":              {long, "1", "", false},
	} {
		run := h.post(urls["Main"], "text/plain", c.body, keyHeader, name, "X-Number",
			c.first).Header().Get(ExecutionHeader)
		if c.second != "" {
			h.post(urls["Main"], "text/plain", c.body, keyHeader, name, "X-Number", c.second)
		}
		taken, err := h.open(h.ctx, run, 0)
		if err != nil {
			t.Fatal(err)
		}
		want, err := h.deliveryOf(h.ctx, taken.handle.State().Queued.Payload, nil)
		if err != nil || (taken.delivery != nil) != c.handed || c.handed && !cmp.Equal(taken.delivery, want) {
			t.Errorf("%s: handed over %v, want %v, %v", name, taken.delivery, want, err)
		}
	}
}

// Of many that come at once under one key one begins the run, and all hear of the same.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", ""))))
	h.start()
	answers := make(chan string, 20)
	var posts sync.WaitGroup
	for range cap(answers) {
		posts.Go(func() { answers <- h.post(urls["Main"], "text/plain", "x", keyHeader, "k").Body.String() })
	}
	posts.Wait()
	first := <-answers
	for range cap(answers) - 1 {
		if a := <-answers; a != first {
			t.Errorf("answered %s and %s", first, a)
		}
	}
	var body struct{ ExecutionID string }
	if err := json.Unmarshal([]byte(first), &body); err != nil {
		t.Fatal(err)
	}
	h.ended(body.ExecutionID)
	if h.probe.count("one") != 1 {
		t.Errorf("done %d times", h.probe.count("one"))
	}
}

func TestMultipart(t *testing.T) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, part := range []struct{ name, file, contentType, data string }{
		{"text", "", "", "plain"}, {"json", "", "application/json", `{"a":[1]}`},
		{"file", "f.bin", "application/octet-stream", "\xff\x00"},
		{"many", "", "", "1"}, {"many", "", "", "2"}, {"many", "", "", "3"},
	} {
		header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + part.name + `"`}}
		if part.file != "" {
			header.Set("Content-Disposition", header.Get("Content-Disposition")+`; filename="`+part.file+`"`)
		}
		if part.contentType != "" {
			header.Set("Content-Type", part.contentType)
		}
		body, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := body.Write([]byte(part.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		step("one", "call", echo("hook.results.body")))))
	h.start()
	a := h.post(urls["Main"], w.FormDataContentType(), form.String())
	var got struct {
		Data map[string]any
	}
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil {
		t.Fatal(err, a.Body)
	}
	for name, want := range map[string]string{"text": `{"contentType":"text/plain","data":"plain"}`,
		"json": `{"contentType":"application/json","data":{"a":[1]}}`,
		"many": `[{"contentType":"text/plain","data":"1"},{"contentType":"text/plain","data":"2"},{"contentType":"text/plain","data":"3"}]`} {
		if data, _ := json.Marshal(got.Data[name]); string(data) != want {
			t.Errorf("%s gives %s", name, data)
		}
	}
	if file, _ := got.Data["file"].(map[string]any); file["fileName"] != "f.bin" ||
		file["contentType"] != "application/octet-stream" || file["data"] == nil {
		t.Errorf("the file is %v", got.Data["file"])
	}
	// what is no form stays as it came
	if a := h.post(urls["Main"], w.FormDataContentType(), "no form"); !strings.Contains(a.Body.String(),
		`"data":"no form"`) {
		t.Errorf("answered %s", a.Body)
	}
}

func TestMethods(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		step("one", "call", echo("hook.results.method")))))
	h.start()
	for _, method := range methods {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(method, urls["Main"]+"/a?b=c", nil))
		if answer.Code != http.StatusOK || answer.Body.String() != `"`+method+`"` {
			t.Errorf("%s is answered %d %s", method, answer.Code, answer.Body)
		}
	}
}

// A run that calls another flow's trigger is named by what it started.
func TestInvokedBy(t *testing.T) {
	h := newHarness(t)
	server := httptest.NewServer(h.Worker)
	defer server.Close()
	h.PublicURL = server.URL
	h.Client = server.Client()
	call := func(name, path string) string {
		return "      - name: " + name +
			"\n        action: {component: {key: http, isPublic: true, version: LATEST}, key: httpPost}\n" +
			"        inputs: {url: {type: reference, value: " + path +
			"}, data: {type: value, value: x}, responseType: {type: value, value: json}}\n"
	}
	_, urls := h.deploy(integrationOf(flow("First", "    isSynchronous: true\n", "",
		call("Go", "hook.results.webhookUrls.Second")),
		flow("Second", "    isSynchronous: true\n", "", call("On", "hook.results.webhookUrls.Third")),
		flow("Third", "", "", "")))
	h.start()
	first := h.post(urls["First"], "", "").Header().Get(ExecutionHeader)
	byDepth := map[int]domain.Run{}
	for _, run := range h.accepted() {
		if by := run.Queued.InvokedBy; by != nil {
			byDepth[by.Depth] = run
		}
	}
	second, third := byDepth[1].Queued, byDepth[2].Queued
	if second.InvokedBy == nil || second.InvokedBy.Execution != first || second.InvokedBy.Path != "go" ||
		second.Invoke != domain.InvokedByFlow ||
		third.InvokedBy == nil || third.InvokedBy.Execution != byDepth[1].ID || third.FlowName != "Third" {
		t.Errorf("second %+v, third %+v", second, third)
	}
	for name, headers := range map[string][]string{"no type": {ExecutionHeader, "x"},
		"no id": {invokeTypeHeader, crossFlow},
		"forged": {invokeTypeHeader, crossFlow, ExecutionHeader, first, invokedByHeader,
			`{"stepPath":"go","depth":1}`},
		"not so forged": {invokeTypeHeader, crossFlow, ExecutionHeader, first, invokedByHeader,
			`{"stepPath":"go","depth":1}`, lineageHeader,
			h.signInvokedBy(urls["Second"], first, `{"stepPath":"go","depth":1}`)},
		"too long": {invokeTypeHeader, crossFlow, ExecutionHeader, "x", invokedByHeader,
			strings.Repeat("x", maxInvokedBy)}} {
		run := h.ended(h.post(urls["Third"], "", "", headers...).Header().Get(ExecutionHeader))
		if run.Queued.InvokedBy != nil || run.Queued.Invoke != domain.InvokedByWebhook {
			t.Errorf("%s: %+v", name, run.Queued)
		}
	}
}

func TestLimits(t *testing.T) {
	h := newHarness(t)
	h.MaxState, h.MaxOutput, h.MaxStepLog = 100, 2000, 10
	h.start()
	save := func(scope, value string) string {
		return "      - name: Save\n        action: {component: {key: persist-data, isPublic: true, version: LATEST}, key: save" + scope + "Value}\n" +
			"        inputs: {keyInput: {type: value, value: k}, valueInput: {type: value, value: " + value + "}}\n"
	}
	long := strings.Repeat("v", 110)
	for steps, want := range map[string]string{
		save("Execution", long): "HEDDLE_MAX_STATE", save("CrossFlow", long): "HEDDLE_MAX_STATE",
		step("one", "call", ", echo: {type: value, value: "+strings.Repeat(long, 20)+"}"): "HEDDLE_MAX_STEP_OUTPUT",
	} {
		if r := h.runs("", steps); r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, want) {
			t.Errorf("ended %+v, want %s", r.Finished, want)
		}
	}
	if r := h.runs("", step("a name that is long", "call", "")); len(r.Last().Log) != 1 ||
		!strings.Contains(r.Last().Log[0].Message, "HEDDLE_MAX_STEP_LOG") {
		t.Errorf("logged %+v", r.Last().Log)
	}
}

// A delivery that comes again after its execution was removed is refused, and leaves nothing.
func TestIdempotencyKeyOfARemovedExecution(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	h.start()
	body := strings.Repeat("x", 2*domain.MaxInline)
	r := h.ended(h.post(urls["Main"], "text/plain", body, keyHeader, "k").Header().Get(ExecutionHeader))
	for {
		if n, err := h.RemoveFinishedBefore(h.ctx, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		} else if n == 1 {
			break
		}
		time.Sleep(time.Millisecond) // the index has not shown the end yet
	}
	a := h.post(urls["Main"], "text/plain", body, keyHeader, "k")
	if a.Code != http.StatusGone || !strings.Contains(a.Body.String(), "use another key") ||
		strings.Contains(a.Body.String(), "run-") {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	if _, err := h.Blobs.Load(h.ctx, r.Queued.Payload); r.Queued.Payload.Blob == "" ||
		refusal.CodeOf(err) != refusal.NotFound {
		t.Errorf("the payload %+v is kept: %v", r.Queued.Payload, err)
	}
}

// A step that ignores TLS errors does so through the very client that steps are given.
func TestStepIgnoresTLSErrors(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("1"))
	}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	h := newHarness(t)
	client, err := outbound.NewClient([]string{"127.0.0.1"}, outbound.Limits{Time: time.Minute, Response: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	h.Client = client
	h.start()
	get := func(ignore string) domain.Run {
		return h.runs("", "      - name: Get\n        action: {component: {key: http, isPublic: true, version: LATEST}, key: httpGet}\n"+
			"        inputs: {url: {type: value, value: \""+server.URL+"\"}, ignoreSslErrors: {type: value, value: \""+
			ignore+"\"}}\n")
	}
	if r := get("true"); r.Finished.Result != domain.Completed {
		t.Errorf("ended %+v", r.Finished)
	}
	if r := get("false"); r.Finished.Result != domain.Failed {
		t.Errorf("an unknown certificate was accepted: %+v", r.Finished)
	}
}
