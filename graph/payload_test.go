package graph

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"heddle/component/value"
	"heddle/domain"
)

// fetch gets an address that the API gave, without a token.
func (h *harness) fetch(address string) *httptest.ResponseRecorder {
	h.t.Helper()
	path, ok := strings.CutPrefix(address, h.PublicURL)
	if !ok {
		h.t.Fatalf("%s is not of this server", address)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPayloadAddresses(t *testing.T) {
	h := newHarness(t)
	id, ctx := newID(), h.system(t.Context())
	payload, err := value.Encode(map[string]any{"method": "POST", "contentType": "application/xml",
		"headers": map[string]any{"X-A": "b"}, "data": []byte("<a/>\xff")})
	h.must(err)
	large, err := value.Encode(map[string]any{"text": strings.Repeat("x", domain.MaxInline), "bytes": []byte{1, 255}})
	h.must(err)
	output, err := h.Blobs.Keep(t.Context(), "run/"+id+"/out", large)
	h.must(err)
	happen(h, ctx, domain.Runs, id, domain.RunQueued{Flow: newID(), Payload: domain.Content{Inline: payload,
		Size: len(payload)}}, domain.RunClaimed{Claim: 1},
		domain.StepFinished{Claim: 1, Path: "a", Name: "A", Output: output, ContentType: "text/plain"},
		domain.StepFinished{Claim: 1, Path: "b", Name: "B", Error: "broke"})
	const document = `query ($id: ID!) { executionResult(id: $id) { requestPayloadUrl responsePayloadUrl stepResults { nodes { resultsUrl } } } }`
	a := h.do(document, vars{"id": id})
	if w := h.fetch(a.text("executionResult.responsePayloadUrl")); w.Code != 404 || !strings.Contains(w.Body.String(),
		"not ended") {
		t.Errorf("the response of a run that goes on: %d %s", w.Code, w.Body)
	}
	happen(h, ctx, domain.Runs, id, domain.StepFinished{Claim: 1, Path: "c", Name: "C",
		Output: domain.Content{Inline: json.RawMessage(`{"ok":true}`), Size: 11}, StatusCode: 202,
		Headers: map[string]string{"X-C": "d"}}, domain.RunFinished{Claim: 1, Result: domain.Completed})
	a = h.do(document, vars{"id": id})
	request := h.fetch(a.text("executionResult.requestPayloadUrl"))
	if want := `{"method":"POST","contentType":"application/xml","headers":{"X-A":"b"},"body":"` +
		base64.StdEncoding.EncodeToString([]byte("<a/>\xff")) + `"}`; request.Body.String() != want {
		t.Errorf("the request is %s, want %s", request.Body, want)
	}
	if got := request.Header(); got.Get("Content-Type") != "application/json" ||
		!strings.HasPrefix(got.Get("Content-Security-Policy"), "sandbox;") || got.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", got)
	}
	response := h.fetch(a.text("executionResult.responsePayloadUrl")).Body.String()
	if want := `{"statusCode":202,"contentType":"application/json","headers":{"X-C":"d"},"body":"` +
		base64.StdEncoding.EncodeToString([]byte(`{"ok":true}`)) + `"}`; response != want {
		t.Errorf("the response is %s, want %s", response, want)
	}
	for n, want := range []string{
		"82" + "ab636f6e74656e7454797065" + "aa746578742f706c61696e" + "a464617461" + "82" + "a56279746573" +
			"c40201ff" + "a474657874" + "da2000" + strings.Repeat("78", domain.MaxInline),
		"82" + "ab636f6e74656e7454797065" + "a0" + "a464617461" + "c0",
		"82" + "ab636f6e74656e7454797065" + "a0" + "a464617461" + "81" + "a26f6b" + "c3",
	} {
		w := h.fetch(a.text("executionResult.stepResults.nodes." + strconv.Itoa(n) + ".resultsUrl"))
		if got := hex.EncodeToString(w.Body.Bytes()); got != want ||
			w.Header().Get("Content-Type") != "application/msgpack" {
			t.Errorf("step %d is %d %.200s, want %.200s", n, w.Code, got, want)
		}
	}
}

// An address holds for what it was made for, and for its time.
func TestPayloadAddressesRefuse(t *testing.T) {
	h := newHarness(t)
	run, other := h.executed(h.org, newID(), 1), h.executed(h.org, newID(), 1)
	good := h.payloadURL(run, requestPart)
	if w := h.fetch(good); w.Code != 200 {
		t.Fatalf("answered %d", w.Code)
	}
	expired := Resolver{Vault: h.Vault, PublicURL: h.PublicURL, AddressTime: -time.Second}
	for name, address := range map[string]string{
		"another execution": strings.Replace(good, run, other, 1),
		"another part":      strings.Replace(good, "/request?", "/response?", 1),
		"a longer time":     strings.Replace(good, "until=", "until=1", 1),
		"no time":           good[:strings.Index(good, "?")],
		"no MAC":            good[:strings.Index(good, "&")],
		"more said":         good + "&part=response",
		"said twice":        strings.Replace(good, "?", "?until=99999999999&", 1),
		"expired":           expired.payloadURL(run, requestPart),
	} {
		if w := h.fetch(address); w.Code != 403 {
			t.Errorf("%s: answered %d %s", name, w.Code, w.Body)
		}
	}
	for _, part := range []string{"steps/none", "other"} {
		if w := h.fetch(h.payloadURL(run, part)); w.Code != 404 {
			t.Errorf("%s: answered %d", part, w.Code)
		}
	}
	h.must(h.Log.Remove(t.Context(), domain.Runs.Stream(run)))
	if w := h.fetch(good); w.Code != 404 {
		t.Errorf("of a removed execution: %d", w.Code)
	}
}

func TestMessagePack(t *testing.T) {
	long := make([]any, 16)
	wide := map[string]any{}
	for n := range 16 {
		wide[string(rune('a'+n))] = nil
	}
	for want, v := range map[string]any{
		"c0": nil, "c2": false, "c3": true, "00": 0.0, "7f": 127.0, "ff": -1.0, "e0": -32.0, "d200000080": 128.0,
		"d2ffffffdf":         -33.0,
		"d30000000100000000": 4294967296.0, "cb3ff8000000000000": 1.5, "cb4480f0cf064dd592": 1e22, "a0": "",
		"a161":                            "a",
		"d920" + strings.Repeat("61", 32): strings.Repeat("a", 32), "c400": []byte{}, "92c0a0": []any{nil, ""},
		"dc0010" + strings.Repeat("c0", 16):  long,
		"da0100" + strings.Repeat("61", 256): strings.Repeat("a", 256), "81a16190": map[string]any{"a": []any{}},
	} {
		b, err := value.AppendMessagePack(nil, v)
		if got := hex.EncodeToString(b); err != nil || got != want {
			t.Errorf("%.50v is %.100s, want %.100s, %v", v, got, want, err)
		}
	}
	if b, err := value.AppendMessagePack(nil, wide); err != nil || hex.EncodeToString(b[:4]) != "de0010a1" {
		t.Errorf("a wide map begins %x, %v", b[:4], err)
	}
	for _, v := range []any{struct{}{}, []any{make(chan int)}, map[string]any{"a": func() {}}} {
		if _, err := value.AppendMessagePack(nil, v); err == nil {
			t.Errorf("%T is written", v)
		}
	}
}
