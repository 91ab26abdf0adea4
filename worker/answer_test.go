package worker

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"heddle/domain"
)

// The synchronous answer to each result of the last step.
func TestSynchronousAnswers(t *testing.T) {
	file := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/pdf")
		_, _ = rw.Write([]byte("%PDF\xff"))
	}))
	defer file.Close()
	const sync = "    isSynchronous: true\n"
	stop := func(inputs string) string {
		return "      - name: Stop\n        action: {component: {key: stop-execution, isPublic: true, version: LATEST}, key: stopExecution}\n        inputs: {" + inputs + "}\n"
	}
	download := "      - name: Download\n        action: {component: {key: http, isPublic: true, version: LATEST}, key: httpGet}\n" +
		"        inputs: {url: {type: value, value: '" + file.URL + "'}, responseType: {type: value, value: binary}}\n"
	h := newHarness(t)
	h.start()
	for name, c := range map[string]struct {
		steps             string
		status            int
		body, contentType string
	}{
		"text": {codeStep("Give", `module.exports = async () => ({data: "a<b"})`), 200, `"a<b"`,
			"application/json"},
		"text of a type": {codeStep("Give",
			`module.exports = async () => ({data: "a<b", contentType: "text/csv"})`), 200, "a<b", "text/csv"},
		"a type in a header": {codeStep("Give",
			`module.exports = async () => ({data: "<a/>", headers: {"content-type": "text/xml"}})`), 200,
			"<a/>", "text/xml"},
		"a type over that of a header": {codeStep("Give",
			`module.exports = async () => ({data: "<a/>", contentType: "text/plain", headers: {"Content-Type": "text/xml"}})`),
			200, "<a/>", "text/plain"},
		"a body": {codeStep("Give", `module.exports = async () => ({statusCode: 202, contentType: "application/json", body: JSON.stringify({message: "ok"})})`),
			202, `{"message":"ok"}`, "application/json"},
		"bytes": {codeStep("Give", `module.exports = async () => ({data: new Uint8Array([1, 255])})`), 200,
			"\x01\xff", "application/octet-stream"},
		"bytes of a type": {codeStep("Give",
			`module.exports = async () => ({data: new Uint8Array([1, 255]), contentType: "image/png"})`), 200,
			"\x01\xff", "image/png"},
		"a file":        {download, 200, "%PDF\xff", "application/pdf"},
		"a file, typed": {download + stop("contentType: {type: value, value: x/y}, jsonBody: {type: reference, value: download.results}"), 200, "%PDF\xff", "x/y"},
		"a file as JSON": {download + stop("jsonBody: {type: reference, value: download.results}"), 200,
			`{"contentType":"application/pdf","data":"JVBERv8="}`, "application/json"},
		"others' framing": {codeStep("Give",
			`module.exports = async () => ({data: [1], headers: {"content-length": "1", "transfer-encoding": "chunked", "connection": "close"}})`), 200, "[1]", "application/json"},
		"nothing": {codeStep("Give", `module.exports = async () => undefined`), 200, "null",
			"application/json"},
		"stopped": {stop("statusCode: {type: value, value: '404'}, jsonBody: {type: value, value: '{\"a\":1}'}"), 404,
			`{"a":1}`, "application/json"},
		"stopped in a loop": {each("outer", threeItems,
			strings.TrimSuffix(stop("jsonBody: {type: reference, value: outer.currentItem}"), "\n")), 200, "a",
			"application/json"},
	} {
		_, urls := h.deploy(integrationOf(flow("Main", sync, "", c.steps)))
		a := h.post(urls["Main"], "text/plain", "x")
		if a.Code != c.status || a.Body.String() != c.body || a.Header().Get("Content-Type") != c.contentType {
			t.Errorf("%s: answered %d %q %v", name, a.Code, a.Body, a.Header())
		}
		for _, header := range framing {
			if a.Header().Get(header) != "" {
				t.Errorf("%s: answered with the header %s", name, header)
			}
		}
		if r := h.ended(a.Header().Get(ExecutionHeader)); r.Finished.Result != domain.Completed {
			t.Errorf("%s: ended %+v", name, r.Finished)
		}
	}
}

// A flow speaks for its own answer, not for all that the server's origin has, and caches keep nothing unasked.
func TestAnswersSpeakForThemselves(t *testing.T) {
	h := newHarness(t)
	h.start()
	var asked []string
	for _, name := range append(originWide, framing...) {
		asked = append(asked, `"`+strings.ToLower(name)+`": "*"`)
	}
	const sync = "    isSynchronous: true\n"
	_, urls := h.deploy(integrationOf(flow("Wide", sync, "",
		codeStep("Give", `module.exports = async () => ({data: 1, headers: {`+strings.Join(asked, ", ")+`}})`)),
		flow("Own", sync, "", codeStep("Give",
			`module.exports = async () => ({data: 1, headers: {"cache-control": "max-age=5", "Set-Cookie": "a=1", "X-A": "b"}})`)),
		flow("Ours", sync, "", codeStep("Give",
			`module.exports = async () => ({data: 1, headers: {"set-cookie": " __Host-Heddle-Session=1"}})`)),
		flow("Failing", sync, "", codeStep("Give", `module.exports = async () => { throw new Error("no") }`))))
	a := h.post(urls["Wide"], "", "")
	for _, name := range originWide {
		if got := a.Header().Get(name); got != map[string]string{"Content-Security-Policy": "sandbox",
			"X-Content-Type-Options": "nosniff"}[name] {
			t.Errorf("answered with %s: %s", name, got)
		}
	}
	if got := a.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("answered with Cache-Control: %s", got)
	}
	if got := h.post(urls["Own"], "", "").Header(); got.Get("Cache-Control") != "max-age=5" ||
		got.Get("Set-Cookie") != "a=1" || got.Get("X-A") != "b" {
		t.Errorf("answered with %v", got)
	}
	if got := h.post(urls["Ours"], "", "").Header().Get("Set-Cookie"); got != "" {
		t.Errorf("answered with this server's own cookie: %s", got)
	}
	if got := h.post(urls["Failing"], "", "").Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("a failure is answered with Cache-Control: %s", got)
	}
}

// What an asynchronous caller gets where the trigger says only a part of it.
func TestAsynchronousAnswers(t *testing.T) {
	h := newHarness(t)
	h.start()
	for inputs, want := range map[string]string{
		"":                                     "200 application/json ID",
		"statusCode: {type: value, value: ''}": "200 application/json ID",
		"statusCode: {type: value, value: '202'}":   "202 application/json ID",
		"contentType: {type: value, value: text/x}": "200 text/x ID",
		"body: {type: value, value: '{}'}":          "200 application/json {}",
		"body: {type: value, value: hi}":            "200 text/plain; charset=utf-8 hi",
		"body: {type: value, value: hi}, headers: {type: complex, value: [{name: content-type, type: value, value: a/b}]}": "200 a/b hi",
	} {
		_, urls := h.deploy(integrationOf(flow("Main", "", inputs, "")))
		a := h.post(urls["Main"], "text/plain", "x")
		run := a.Header().Get(ExecutionHeader)
		h.ended(run)
		body := strings.Replace(a.Body.String(), `{"executionId":"`+run+`"}`, "ID", 1)
		if got := strings.Join([]string{http.StatusText(a.Code), a.Header().Get("Content-Type"), body},
			" "); got != strings.Replace(strings.Replace(want, "200", "OK", 1), "202", "Accepted", 1) {
			t.Errorf("%s: answered %s", inputs, got)
		}
	}
}
