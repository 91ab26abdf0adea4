package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestBeforeCaughtUp asks a server that has not caught up with its log: it lives, is not ready, and
// says so to everybody else.
func TestBeforeCaughtUp(t *testing.T) {
	v := &server{settings: &settings{}, metrics: newMetrics()}
	routes := v.routes()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200, "/api": 503,
		"/trigger/1": 503} {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s answers %d %s", path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api", strings.NewReader("{}")))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" ||
		!strings.Contains(w.Body.String(), `"UNAVAILABLE"`) {
		t.Errorf("the API answers %d %v %s", w.Code, w.Header(), w.Body)
	}
	var open http.Handler = http.NotFoundHandler()
	v.handler.Store(&open)
	w = httptest.NewRecorder()
	routes.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusOK {
		t.Errorf("once open, /readyz answers %d", w.Code)
	}
}

// TestMetricsToken asks for the metrics of a server that wants a token for them, with and without it.
func TestMetricsToken(t *testing.T) {
	v := &server{settings: &settings{MetricsToken: "sixteen-letters!"}, metrics: newMetrics()}
	routes := v.routes()
	for given, want := range map[string]int{"": 401, "Bearer sixteen-letters": 401, "sixteen-letters!": 401,
		"Bearer sixteen-letters!": 200} {
		r, w := httptest.NewRequest(http.MethodGet, "/metrics", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", given)
		if routes.ServeHTTP(w, r); w.Code != want ||
			(w.Code == 401) != (w.Header().Get("WWW-Authenticate") == "Bearer") {
			t.Errorf("%q is answered %d %v", given, w.Code, w.Header())
		}
	}
	err := (serveCmd{}).Run(t.Context(), &settings{MetricsToken: "short", Roles: []string{roleAPI, roleWorker},
		Log: "embedded", Redis: "embedded", Data: t.TempDir()}, slog.New(slog.DiscardHandler), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "HEDDLE_METRICS_TOKEN") {
		t.Errorf("a short token gives %v", err)
	}
}

// TestSigns reads the signs of life of a real server.
func TestSigns(t *testing.T) {
	h := newHarness(t)
	h.start()
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _, text, err := send(http.MethodGet, h.url+path, http.Header{}, nil); status != 200 || err != nil ||
			string(text) != "ok\n" {
			t.Errorf("%s answers %d %q %v", path, status, text, err)
		}
	}
	before := h.metrics()
	h.call(`mutation { createCustomer(input: {name: "Customer"}) { errors { messages } } }`, nil)
	var after map[string]float64
	h.must(until("the index of executions to have passed it", func() bool {
		after = h.metrics()
		return after["heddle_run_index_position"] > before["heddle_run_index_position"]
	}))
	for name, grows := range map[string]bool{"heddle_log_events_total": true, "heddle_log_commit_seconds_count": true,
		"heddle_view_position": true, "heddle_run_index_position": true, "heddle_log_failed_commits_total": false} {
		if _, there := before[name]; !there || (after[name] > before[name]) != grows {
			t.Errorf("%s was %g and is %g", name, before[name], after[name])
		}
	}
	trigger := h.deploy(callsDefinition("http://127.0.0.1:1", "refused"))
	h.ended(h.trigger(trigger, "{}"))
	h.must(until("the run to be counted", func() bool {
		m := h.metrics()
		return m[`heddle_execution_seconds_count{result="ERROR"}`] == 1 && m["heddle_run_index_position"] > 0
	}))
}

// metrics reads /metrics.
func (h *harness) metrics() map[string]float64 {
	h.Helper()
	_, _, text, err := send(http.MethodGet, h.url+"/metrics", http.Header{}, nil)
	h.must(err)
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			values[name], _ = strconv.ParseFloat(value, 64) // comments are left out
		}
	}
	return values
}
