package script

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"heddle/component"
	"heddle/domain/refusal"
	"heddle/worker/outbound"
)

// fetchServer answers by path: what it got, redirects, a slow answer, a large one, bytes.
func fetchServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Twice", "a")
		w.Header().Add("X-Twice", "b")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"method":"`+r.Method+`","type":"`+r.Header.Get("Content-Type")+`","mine":"`+
			r.Header.Get("X-Mine")+
			`","body":"`+base64.StdEncoding.EncodeToString(body)+`"}`)
	})
	mux.HandleFunc("/missing", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such thing", http.StatusNotFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/bytes", http.StatusFound)
	})
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0, 255, 16}) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return httptest.NewServer(mux)
}

// fetching runs a script that may reach the server under "base"; it counts what the script reached.
func fetching(t *testing.T, allow bool, limits Limits, source string) (got any, reached int, err error) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	server := fetchServer(t)
	defer server.Close()
	client := guardedClient(t)
	if allow {
		client = guardedClient(t, strings.TrimPrefix(server.URL, "http://"))
	}
	call := component.ScriptCall{
		Source: source, Args: []any{server.URL}, HTTP: client,
		BeginEffect: func() error { reached++; return nil },
	}
	defer client.CloseIdleConnections()
	got, err = Run(t.Context(), call, limits)
	return got, reached, err
}

func TestScriptFetch(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   any
	}{
		"JSON": {`async (base) => { const r = await fetch(base + "/echo"); const b = await r.json(); return [r.ok, r.status, r.statusText, r.url === base + "/echo", r.headers.get("Content-Type"), r.headers.get("x-twice"), r.headers.get("x-none"), b.method, b.body]; }`,
			[]any{true, 200.0, "OK", true, "application/json", "a, b", nil, "GET", ""}},
		"spaces in the query": {`async (base) => (await fetch(base + "/echo?q=a b&r=c+d%20e")).url.replace(base, "")`,
			"/echo?q=a%20b&r=c+d%20e"},
		"text sent": {`async (base) => (await (await fetch(base + "/echo", { method: "post", headers: { "X-Mine": "m" }, body: "é" })).json())`,
			map[string]any{"method": "POST", "type": "text/plain;charset=UTF-8", "mine": "m", "body": "w6k="}},
		"JSON sent": {`async (base) => (await (await fetch(new URL("/echo", base), { method: "PUT", headers: [["content-type", "application/json"]], body: JSON.stringify({}) })).json()).type`, "application/json"},
		"form sent": {`async (base) => { const r = await (await fetch(base + "/echo", { method: "POST", body: new URLSearchParams({ a: "b c" }) })).json(); return [r.type, atob(r.body)]; }`,
			[]any{"application/x-www-form-urlencoded;charset=UTF-8", "a=b+c"}},
		"bytes sent": {`async (base) => (await (await fetch(new Request(base + "/echo", { method: "PATCH", body: new Uint8Array([0, 255]) }))).json())`,
			map[string]any{"method": "PATCH", "type": "", "mine": "", "body": "AP8="}},
		"bytes": {`async (base) => new Uint8Array(await (await fetch(base + "/bytes")).arrayBuffer())`,
			[]byte{0, 255, 16}},
		"not found":  {`async (base) => { const r = await fetch(base + "/missing"); return [r.ok, r.status, await r.text()]; }`, []any{false, 404.0, "no such thing\n"}},
		"redirect":   {`async (base) => { const r = await fetch(base + "/away"); return [r.redirected, r.url === base + "/bytes"]; }`, []any{true, true}},
		"manual":     {`async (base) => { const r = await fetch(base + "/away", { redirect: "manual" }); return [r.status, r.headers.get("location")]; }`, []any{302.0, "/bytes"}},
		"no way":     {`async (base) => { try { await fetch(base + "/away", { redirect: "error" }); } catch (e) { return e.message.endsWith("the answer is a redirect"); } }`, true},
		"together":   {`async (base) => (await Promise.all([..."abcdefgh"].map((c) => fetch(base + "/echo", { method: "POST", body: c })))).map((r) => r.status).length`, 8.0},
		"with timer": {`async (base) => { const s = []; setTimeout(() => s.push("t")); await fetch(base + "/echo"); await new Promise((d) => setTimeout(d, 2)); return s; }`, []any{"t"}},
		"read twice": {`async (base) => { const r = await fetch(base + "/echo"); const c = r.clone(); await r.text(); try { await r.text(); } catch (e) { return [r.bodyUsed, (await c.json()).method, e.message]; } }`, []any{true, "GET", "the body was read already"}},
		"aborted":    {`async (base) => { const c = new AbortController(); setTimeout(() => c.abort(), 5); try { await fetch(base + "/slow", { signal: c.signal }); } catch (e) { return e.name; } }`, "AbortError"},
		"timeout":    {`async (base) => { try { await fetch(base + "/slow", { signal: AbortSignal.timeout(5) }); } catch (e) { return e.name; } }`, "TimeoutError"},
		"no waiting": {`(base) => { fetch(base + "/slow"); return 1; }`, 1.0},
		"no address": {`async () => { const s = []; for (const u of ["nowhere", "ftp://example.com/", "file:///etc/passwd"]) try { await fetch(u); } catch (e) { s.push(e.name); } return s; }`, []any{"TypeError", "TypeError", "TypeError"}},
		"bad header": {`async (base) => { try { await fetch(base, { headers: { "x": "a\r\nb" } }); } catch (e) { return e.message; } }`, "the header x has a line break in its value"},
		"GET body": {`async (base) => { try { await fetch(base, { body: "x" }); } catch (e) { return e.message; } }`,
			"a GET request has no body"},
		"Response": {`async () => { const r = Response.json({ a: 1 }, { status: 201 }); return [r.status, r.headers.get("content-type"), (await r.json()).a]; }`, []any{201.0, "application/json", 1.0}},
		"Headers":  {`() => [...new Headers({ B: " 2 ", a: 1 })]`, []any{[]any{"a", "1"}, []any{"b", "2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := fetching(t, true, DefaultLimits, c.source)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestScriptFetchGuarded(t *testing.T) {
	got, reached, err := fetching(t, false, DefaultLimits,
		`async (base) => { try { await fetch(base + "/echo?key=secret"); } catch (e) { return e.message; } }`)
	if message, _ := got.(string); err != nil ||
		!strings.Contains(message, "is private; add it to HEDDLE_ALLOW_HOSTS") || strings.Contains(message, "secret") ||
		reached != 1 {
		t.Errorf("got %v, %v, reached %d", got, err, reached)
	}
	_, _, err = fetching(t, false, DefaultLimits, "async () => {\n  await fetch('http://169.254.169.254/latest');\n}")
	if refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), "private") {
		t.Errorf("got %v", err)
	}
}

func TestScriptFetchLimits(t *testing.T) {
	limits := DefaultLimits
	limits.Time = 100 * time.Millisecond
	started := time.Now()
	_, _, err := fetching(t, true, limits, `async (base) => { for (;;) try { await fetch(base + "/slow"); } catch {} }`)
	if err == nil || !strings.Contains(err.Error(), "HEDDLE_SCRIPT_TIME") || time.Since(started) > 50*limits.Time {
		t.Errorf("got %v after %v", err, time.Since(started))
	}
	limits = DefaultLimits
	limits.Memory = 3 << 20
	got, _, err := fetching(t, true, limits,
		`async (base) => { try { await fetch(base + "/large"); } catch (e) { return e.message; } }`)
	if message, _ := got.(string); err != nil || !strings.Contains(message, "HEDDLE_SCRIPT_MEMORY") {
		t.Errorf("got %v, %v", got, err)
	}
	_, reached, err := fetching(t, true, DefaultLimits,
		`async (base) => { for (let i = 0; i <= 1000; i++) fetch(base + "/slow").catch((e) => { throw e; }); await fetch(base); }`)
	if err == nil || !strings.Contains(err.Error(), "1000 requests") || reached != 1000 {
		t.Errorf("got %v, reached %d", err, reached)
	}
}

func TestScriptFetchStops(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	server := fetchServer(t)
	client := guardedClient(t, strings.TrimPrefix(server.URL, "http://"))
	defer server.Close()
	defer client.CloseIdleConnections()
	boom := errors.New("the run is not mine any more")
	call := component.ScriptCall{Source: `async (base) => { await fetch(base + "/echo"); }`, Args: []any{server.URL},
		HTTP: client, BeginEffect: func() error {
			return boom
		}}
	if _, err := Run(t.Context(), call, DefaultLimits); err == nil || !strings.Contains(err.Error(), boom.Error()) {
		t.Errorf("got %v", err)
	}
	gone := errors.New("the run is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	var reached atomic.Bool
	call = component.ScriptCall{Source: `async (base) => { await fetch(base + "/slow"); }`, Args: []any{server.URL},
		HTTP: client, BeginEffect: func() error {
			reached.Store(true)
			time.AfterFunc(20*time.Millisecond, func() { cancel(gone) })
			return nil
		}}
	if _, err := Run(ctx, call, DefaultLimits); !errors.Is(err, gone) || !reached.Load() {
		t.Errorf("got %v", err)
	}
}

// What a script does not name it is not given, which most have no use for; looking for it by other
// ways gives everything.
func TestScriptWebOnDemand(t *testing.T) {
	for source, want := range map[string]bool{
		"() => typeof fetch": true, "() => typeof globalThis['f' + 'etch']": true, `() => typeof f\u0065tch`: true,
		"() => (0, eval)('typeof f' + 'etch')": true, "() => Reflect.has(this ?? {}, 'x')": false,
	} {
		if got := webNames.MatchString(source); got != want {
			t.Errorf("%s: %v", source, got)
		}
		got, err := runScript(t, source)
		if err != nil || want && got != "function" {
			t.Errorf("%s: got %v, %v", source, got, err)
		}
	}
}

func guardedClient(t *testing.T, allow ...string) *http.Client {
	t.Helper()
	client, err := outbound.NewClient(allow, outbound.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}
