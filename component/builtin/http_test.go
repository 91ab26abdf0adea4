package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// seen is a request to a test server.
type seen struct {
	method, path, query, body string
	header                    http.Header
}

// echo is a server that keeps the last request and answers with the given handler, or {"ok":true}.
func echo(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *seen) {
	t.Helper()
	last := &seen{}
	var mu sync.Mutex // a request that its caller gave up may still be under way
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		*last = seen{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header}
		mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	t.Cleanup(server.Close)
	return server, last
}

func TestHTTPBodies(t *testing.T) {
	server, last := echo(t, nil)
	webhook := map[string]any{"data": "payload=%7B%7D", "contentType": "application/x-www-form-urlencoded"}
	for name, c := range map[string]struct {
		data              any
		header            string
		body, contentType string
	}{
		"object": {map[string]any{"a": []any{1.0, "<"}}, "", `{"a":[1,"<"]}`, "application/json"},
		"list":   {[]any{}, "", "[]", "application/json"},
		"number": {5.0, "", "5", "application/json"},
		"form": {map[string]any{"b": "x y", "a": []any{1.0, "&"}},
			"application/x-www-form-urlencoded; charset=utf-8", "a=1&a=%26&b=x+y",
			"application/x-www-form-urlencoded; charset=utf-8"},
		"text as form":    {"a=1", "application/x-www-form-urlencoded", "a=1", "application/x-www-form-urlencoded"},
		"text":            {`{"a":1}`, "", `{"a":1}`, "text/plain; charset=utf-8"},
		"text as JSON":    {`{"a":1}`, "application/json", `{"a":1}`, "application/json"},
		"object as other": {map[string]any{}, "application/vnd.api+json", "{}", "application/vnd.api+json"},
		"bytes":           {[]byte{0, 255}, "", "\x00\xff", "application/octet-stream"},
		"webhook body":    {webhook, "", "payload=%7B%7D", "application/x-www-form-urlencoded"},
		"webhook, header": {webhook, "text/plain", "payload=%7B%7D", "text/plain"},
		"webhook, JSON": {map[string]any{"data": map[string]any{"a": 1.0},
			"contentType": "application/json; charset=utf-8"}, "", `{"a":1}`, "application/json; charset=utf-8"},
		"file": {map[string]any{"data": []byte("%PDF"), "contentType": "application/pdf"}, "", "%PDF",
			"application/pdf"},
		"file, no type": {map[string]any{"data": []byte("x"), "contentType": ""}, "", "x", "application/octet-stream"},
		"no such object": {map[string]any{"data": "x", "contentType": "y", "more": "z"}, "",
			`{"contentType":"y","data":"x","more":"z"}`, "application/json"},
		"nothing": {nil, "", "", ""},
		"empty":   {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := map[string]any{"url": server.URL, "data": c.data}
			if c.header != "" {
				inputs["headers"] = []value.KeyValue{{Key: "content-type", Value: c.header}}
			}
			got, err := newStep(t).perform("http", "httpPost", inputs)
			if diff := cmp.Diff(any(map[string]any{"ok": true}), got.Data); diff != "" || err != nil {
				t.Error(err, diff)
			}
			if last.body != c.body || last.header.Get("Content-Type") != c.contentType || last.method != "POST" {
				t.Errorf("sent %s %q as %q", last.method, last.body, last.header.Get("Content-Type"))
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	server, last := echo(t, nil)
	s := newStep(t)
	inputs := map[string]any{
		"url": server.URL + "/a%20b/ü c?x=1%2B1&s=a b<é", "connection": "",
		"queryParams": []value.KeyValue{{Key: "q", Value: "a b&c"}, {Key: "q", Value: 2.0}, {Key: "none", Value: nil},
			{Key: "", Value: "dropped"}, {Key: "e", Value: ""}},
		"headers": []value.KeyValue{{Key: "X-One", Value: true}, {Key: "X-Two", Value: "a"}, {Key: "X-Two", Value: "b"},
			{Key: "", Value: "dropped"}, {Key: "X-None", Value: nil}},
	}
	if _, err := s.perform("http", "httpDelete", inputs); err != nil {
		t.Fatal(err)
	}
	if last.method != "DELETE" || last.path != "/a b/ü c" || last.query != "x=1%2B1&s=a%20b%3C%C3%A9&e=&q=a+b%26c&q=2" {
		t.Errorf("sent %+v", last)
	}
	if last.header.Get("X-One") != "true" || !slices.Equal(last.header.Values("X-Two"), []string{"a", "b"}) ||
		last.header["X-None"] != nil {
		t.Errorf("sent headers %v", last.header)
	}
}

func TestHTTPIdempotencyKey(t *testing.T) {
	server, last := echo(t, nil)
	for verb, want := range map[string]string{"httpPost": "run-1/send", "httpPut": "run-1/send",
		"httpPatch": "run-1/send", "httpDelete": "run-1/send", "httpGet": ""} {
		if _, err := newStep(t).perform("http", verb, map[string]any{"url": server.URL}); err != nil ||
			last.header.Get("Idempotency-Key") != want {
			t.Errorf("%s: got %q, %v", verb, last.header.Get("Idempotency-Key"), err)
		}
	}
	own := []value.KeyValue{{Key: "idempotency-key", Value: "own"}}
	if _, err := newStep(t).perform("http", "httpPost",
		map[string]any{"url": server.URL, "headers": own}); err != nil || last.header.Get("Idempotency-Key") != "own" {
		t.Errorf("got %v, %v", last.header, err)
	}
}

func TestHTTPConnection(t *testing.T) {
	server, last := echo(t, nil)
	for name, c := range map[string]struct {
		connection any
		headers    []value.KeyValue
		want       string
	}{
		"none": {nil, nil, ""},
		"token": {map[string]any{"token": map[string]any{"access_token": "t"},
			"fields": map[string]any{"username": "u"}}, nil, "Bearer t"},
		"key": {map[string]any{"fields": map[string]any{"apiKey": "k"}}, nil, "Basic k"},
		"bearer": {map[string]any{"fields": map[string]any{"apiKey": "k", "scheme": "Bearer",
			"headerKey": "Authorization"}}, nil, "Bearer k"},
		"scheme": {map[string]any{"key": "apiKey", "fields": map[string]any{"apiKey": "k", "scheme": "Token",
			"headerKey": ""}}, nil, "Token k"},
		"empty": {map[string]any{"fields": map[string]any{}}, nil, ""},
		"basic": {map[string]any{"fields": map[string]any{"username": "u", "password": "p"}}, nil, "Basic dTpw"},
		"header": {map[string]any{"fields": map[string]any{"apiKey": "k"}},
			[]value.KeyValue{{Key: "authorization", Value: "mine"}}, "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := map[string]any{"url": server.URL, "connection": c.connection, "headers": c.headers}
			if _, err := newStep(t).perform("http", "httpGet", inputs); err != nil ||
				last.header.Get("Authorization") != c.want {
				t.Errorf("got %q, %v", last.header.Get("Authorization"), err)
			}
		})
	}
	based := map[string]any{"fields": map[string]any{"baseUrl": server.URL + "/api/"}}
	if _, err := newStep(t).perform("http", "httpGet",
		map[string]any{"url": "/users", "connection": based}); err != nil || last.path != "/api/users" {
		t.Errorf("got %q, %v", last.path, err)
	}
}

func TestHTTPAnswers(t *testing.T) {
	var body, contentType string
	server, _ := echo(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header()["Date"], w.Header()["Set-Cookie"] = nil, []string{"a=1; Expires=Sun, 01 Jan 2034 00:00:00 GMT",
			"b=2"}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, body)
	})
	for name, c := range map[string]struct {
		body, contentType, responseType string
		want                            any
	}{
		"JSON":           {`{"a":[1]}`, "text/plain", "", map[string]any{"a": []any{1.0}}},
		"JSON with mark": {"\ufeff[1]", "application/json", "", []any{1.0}},
		"no JSON":        {"ok", "text/plain", "json", "ok"},
		"nothing":        {"", "", "json", nil},
		"text":           {`{"a":1}`, "application/json", "text", `{"a":1}`},
		"text, latin":    {"caf\xe9", "text/plain; charset=ISO-8859-1", "text", "café"},
		"text, no set":   {"caf\xe9", "text/plain", "text", "caf\xe9"},
		"no JSON, latin": {"caf\xe9", "text/plain; charset=windows-1252", "", "café"},
		"nothing, text":  {"", "", "text", ""},
		"binary": {"\x00\xff", "image/png", "binary",
			map[string]any{"data": []byte{0, 255}, "contentType": "image/png"}},
		"nothing binary": {"", "image/png", "binary", map[string]any{"data": []byte{}, "contentType": "image/png"}},
	} {
		t.Run(name, func(t *testing.T) {
			body, contentType = c.body, c.contentType
			got, err := newStep(t).perform("http", "httpGet",
				map[string]any{"url": server.URL, "responseType": c.responseType})
			if diff := cmp.Diff(c.want, got.Data); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
	body, contentType = "[]", "application/json"
	got, err := newStep(t).perform("http", "httpGet", map[string]any{"url": server.URL, "includeFullResponse": "true"})
	want := map[string]any{"data": []any{}, "status": 201.0, "statusText": "Created",
		"headers": map[string]any{"content-type": "application/json", "content-length": "2",
			"set-cookie": []any{"a=1; Expires=Sun, 01 Jan 2034 00:00:00 GMT", "b=2"}}}
	if diff := cmp.Diff(any(want), got.Data); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestHTTPRefusedAnswers(t *testing.T) {
	for status, code := range map[int]refusal.Code{
		http.StatusNotModified: refusal.Invalid, http.StatusBadRequest: refusal.Invalid,
		http.StatusNotFound: refusal.Invalid, http.StatusTooManyRequests: refusal.Unavailable,
		http.StatusBadGateway: refusal.Unavailable,
	} {
		server, _ := echo(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Repeat("why \xff", 1000))
		})
		_, err := newStep(t).perform("http", "httpGet", map[string]any{"url": server.URL + "/p?key=secret"})
		want := "GET " + server.URL + "/p answered " + http.StatusText(status)
		if refusal.CodeOf(err) != code ||
			!strings.HasPrefix(err.Error(), strings.Replace(want, "answered ", "answered "+itoa(status)+" ", 1)) {
			t.Errorf("%d: got %s: %v", status, refusal.CodeOf(err), err)
		}
		if len(err.Error()) > 2500 || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\xff") {
			t.Errorf("%d: got %q", status, err)
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestHTTPRefusedInputs(t *testing.T) {
	for want, inputs := range map[string]map[string]any{
		"url: URL is required": {"url": ""},
		"url: URL must be an address that begins with http:// or https:// and names a host": {"url": "ftp://secret"},
		"data: Data cannot be sent as JSON: a chan int is not a value that steps can pass on": {"url": "http://x",
			"data": []any{make(chan int)}},
		`responseType: Response type must be one of json, text, binary, not "xml"`: {"url": "http://x",
			"responseType": "xml"},
		`timeout: Timeout must be a number, not "soon"`: {"url": "http://x", "timeout": "soon"},
	} {
		if _, err := newStep(t).perform("http", "httpPost", inputs); err == nil || err.Error() != want ||
			refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestHTTPRetries(t *testing.T) {
	for name, c := range map[string]struct {
		inputs map[string]any
		status int
		after  string // Retry-After
		want   int32  // requests
	}{
		"none":              {map[string]any{"maxRetries": "0"}, 503, "", 1},
		"server error":      {map[string]any{"maxRetries": "2", "retryDelayMS": "1"}, 503, "", 3},
		"too many":          {map[string]any{"maxRetries": "1"}, 429, "0", 2},
		"not found":         {map[string]any{"maxRetries": "2"}, 404, "", 1},
		"all errors":        {map[string]any{"maxRetries": "2", "retryOnAllErrors": "true"}, 404, "", 3},
		"negative":          {map[string]any{"maxRetries": "-1"}, 503, "", 1},
		"unreadable header": {map[string]any{"maxRetries": "1"}, 503, "soon", 2},
	} {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int32
			keys := map[string]bool{}
			server, last := echo(t, func(w http.ResponseWriter, r *http.Request) {
				count.Add(1)
				keys[r.Header.Get("Idempotency-Key")] = true
				w.Header().Set("Retry-After", c.after)
				w.WriteHeader(c.status)
			})
			c.inputs["url"], c.inputs["data"] = server.URL, "body"
			_, err := newStep(t).perform("http", "httpPost", c.inputs)
			if err == nil || !strings.Contains(err.Error(), "answered "+itoa(c.status)) || count.Load() != c.want {
				t.Errorf("got %v after %d requests, want %d", err, count.Load(), c.want)
			}
			if len(keys) != 1 || last.body != "body" {
				t.Errorf("sent %v and %q", keys, last.body)
			}
		})
	}
	var count atomic.Int32
	server, _ := echo(t, func(w http.ResponseWriter, _ *http.Request) {
		if count.Add(1) < 3 {
			w.WriteHeader(500)
		}
	})
	if _, err := newStep(t).perform("http", "httpGet",
		map[string]any{"url": server.URL, "maxRetries": 5.0}); err != nil || count.Load() != 3 {
		t.Errorf("got %v after %d requests", err, count.Load())
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 500e6, time.UTC)
	for text, want := range map[string]time.Duration{
		"2": 2 * time.Second, "99999999999999": longestDelay, "Sat, 31 Jan 2026 12:00:03 GMT": 3 * time.Second,
		"Saturday, 31-Jan-26 12:00:03 GMT": 3 * time.Second, "Sat, 31 Jan 2026 11:00:00 GMT": 0, "": -1, "-1": -1,
		"soon": -1,
	} {
		got, asked := retryAfter(text, now)
		if !asked {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestHTTPUnreachable(t *testing.T) {
	server, _ := echo(t, nil)
	server.Close()
	s := newStep(t)
	_, err := s.perform("http", "httpGet", map[string]any{"url": server.URL + "/?key=secret", "maxRetries": "1"})
	if refusal.CodeOf(err) != refusal.Unavailable || strings.Contains(err.Error(), "secret") || len(s.lines) != 2 {
		t.Errorf("got %v, log %v", err, s.lines)
	}
	forbidden := refusal.New(refusal.Forbidden, "address 10.0.0.1 is private")
	s.client = &http.Client{Transport: failing{forbidden}}
	_, err = s.perform("http", "httpGet", map[string]any{"url": "http://intern/", "maxRetries": "3"})
	if refusal.CodeOf(err) != refusal.Forbidden || err.Error() != "GET http://intern/: address 10.0.0.1 is private" {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestHTTPTimeoutAndCancel(t *testing.T) {
	stop := make(chan struct{})
	server, _ := echo(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	defer close(stop)
	_, err := newStep(t).perform("http", "httpGet", map[string]any{"url": server.URL, "timeout": "30"})
	if refusal.CodeOf(err) != refusal.Unavailable || !strings.HasSuffix(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
	gone := errors.New("the run is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(gone) })
	action, _ := component.New(Components()...).Lookup("http", "httpGet")
	if _, err := action.Perform(ctx, newStep(t), map[string]any{"url": server.URL, "maxRetries": "9"}); !errors.Is(err,
		gone) {
		t.Errorf("got %v", err)
	}
}

// An answer that comes drop by drop ends with the step's time, or with the run.
func TestHTTPSlowAnswer(t *testing.T) {
	begun := make(chan struct{}, 9)
	server, _ := echo(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
	})
	_, err := newStep(t).perform("http", "httpGet", map[string]any{"url": server.URL, "timeout": "50"})
	if refusal.CodeOf(err) != refusal.Unavailable || !strings.HasSuffix(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
	<-begun
	gone := errors.New("the run is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-begun
		cancel(gone)
	}()
	action, _ := component.New(Components()...).Lookup("http", "httpGet")
	if _, err := action.Perform(ctx, newStep(t), map[string]any{"url": server.URL, "maxRetries": "9"}); !errors.Is(err,
		gone) {
		t.Errorf("got %v", err)
	}
}

// A server can't make another protocol of the connection.
func TestHTTPSwitchingProtocols(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n"+
			strings.Repeat("x", 1000))
	}))
	defer server.Close()
	s := newStep(t)
	s.client = &http.Client{Transport: component.Transport{Transport: &http.Transport{}, MaxBody: 10}}
	_, err := s.perform("http", "httpGet", map[string]any{"url": server.URL, "maxRetries": "3"})
	if refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), "answered 101") || len(s.lines) != 1 {
		t.Errorf("got %v, log %v", err, s.lines)
	}
}

func TestHTTPResponseLimit(t *testing.T) {
	server, _ := echo(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 11))
	})
	s := newStep(t)
	s.client = &http.Client{Transport: component.Transport{Transport: &http.Transport{}, MaxBody: 10}}
	_, err := s.perform("http", "httpGet", map[string]any{"url": server.URL, "maxRetries": "2",
		"retryOnAllErrors": "false"})
	want := "GET " + server.URL + ": the answer is larger than 10 bytes (HEDDLE_HTTP_RESPONSE)"
	if err == nil || err.Error() != want || refusal.CodeOf(err) != refusal.Invalid || len(s.lines) != 1 {
		t.Errorf("got %v, log %v", err, s.lines)
	}
}

func TestHTTPTLSErrors(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "1")
	}))
	defer server.Close()
	server.Config.ErrorLog = nil
	s := newStep(t)
	s.client = &http.Client{Transport: component.Transport{Transport: &http.Transport{}, MaxBody: 1 << 20}}
	if _, err := s.perform("http", "httpGet", map[string]any{"url": server.URL}); err == nil {
		t.Error("an unknown certificate was accepted")
	}
	if got, err := s.perform("http", "httpGet",
		map[string]any{"url": server.URL, "ignoreSslErrors": "true"}); err != nil || got.Data != 1.0 {
		t.Errorf("got %v, %v", got, err)
	}
	if c := s.client.Transport.(component.Transport).TLSClientConfig; c != nil && c.InsecureSkipVerify {
		t.Error("the shared client was changed")
	}
	s.client = &http.Client{Transport: failing{}}
	if _, err := s.perform("http", "httpGet",
		map[string]any{"url": server.URL, "ignoreSslErrors": "true"}); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestHTTPDebug(t *testing.T) {
	server, _ := echo(t, nil)
	s := newStep(t)
	_, err := s.perform("http", "httpPost", map[string]any{"url": server.URL + "/p?key=secret", "debugRequest": "true",
		"data": "secret", "headers": []value.KeyValue{{Key: "Authorization", Value: "secret"}}})
	if err != nil || len(s.lines) != 1 || !strings.Contains(s.lines[0], "Authorization") ||
		strings.Contains(s.lines[0], "secret") {
		t.Errorf("got %v, log %v", err, s.lines)
	}
}
