package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// names are the metrics of /metrics that are Heddle's own, without what histograms add.
func (h *harness) metricNames() (names []string) {
	h.Helper()
	_, _, text, err := send(http.MethodGet, h.url+"/metrics", http.Header{}, nil)
	h.must(err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" && strings.HasPrefix(f[2], "heddle_") {
			names = append(names, f[2])
		}
	}
	return names
}

// subscribe opens a subscription by server-sent events and waits for its first answer.
func (h *harness) subscribe(query string, variables map[string]any) (end func()) {
	h.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	h.must(err)
	r, err := http.NewRequest(http.MethodPost, h.url+"/api", bytes.NewReader(body))
	h.must(err)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"},
		"Authorization": {"Bearer " + h.token}}
	answer, err := web.Do(r)
	h.must(err)
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") {
			break
		}
	}
	return func() { _ = answer.Body.Close() }
}

// TestMetrics drives a server and reads what it tells of it.
func TestMetrics(t *testing.T) {
	h := newHarness(t, "HEDDLE_MAX_BODY=1000", "HEDDLE_MAX_DEPTH=5", "HEDDLE_MAX_STEPS=2",
		"HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.start()
	hook := newHook()
	t.Cleanup(hook.Close)
	trigger := h.deploy(callsDefinition(hook.URL, "a"))
	two := h.deploy(callsDefinition(hook.URL, "a", "b")) // one step more than it may do
	h.ended(h.trigger(trigger, "{}"))
	h.ended(h.trigger(two, "{}"))
	release := hook.block()
	defer release()
	held := h.trigger(trigger, "{}")
	_, err := hook.got(3)
	h.must(err)
	if running := h.metrics()["heddle_executions_running"]; running != 1 {
		t.Errorf("%g executions are running", running)
	}
	h.call(`mutation($i: ID!) { cancelExecution(input: {id: $i}) { errors { field messages } } }`,
		map[string]any{"i": held})
	if status, _, _, err := send(http.MethodPost, h.url+trigger, http.Header{},
		make([]byte, 1001)); status != http.StatusRequestEntityTooLarge || err != nil {
		t.Errorf("a large body is answered %d %v", status, err)
	}
	if answer, err := ask(h.url, h.token, `{ customers { nodes { instances { nodes { integration { id } } } } } }`,
		nil); err != nil || refused(answer) == nil {
		t.Errorf("a deep document is answered %v %v", answer, err)
	}
	integration := at(h.call(`{ integrations { nodes { id } } }`, nil), "integrations.nodes.0.id")
	end := h.subscribe(`subscription($i: ID!) { integrationChanged(id: $i) { id } }`, map[string]any{"i": integration})
	if open := h.metrics()[`heddle_subscriptions_open{field="integrationChanged"}`]; open != 1 {
		t.Errorf("%g subscriptions are open", open)
	}
	end()
	for name, want := range map[string]float64{
		`heddle_execution_seconds_count{result="COMPLETED"}`:      1,
		`heddle_execution_seconds_count{result="ERROR"}`:          1,
		`heddle_execution_seconds_count{result="CANCELED"}`:       1,
		`heddle_step_seconds_count{component="http"}`:             2,
		`heddle_step_seconds_count{component="webhook-triggers"}`: 3,
		`heddle_limit_hits_total{limit="HEDDLE_MAX_BODY"}`:        1,
		`heddle_limit_hits_total{limit="HEDDLE_MAX_DEPTH"}`:       1,
		`heddle_limit_hits_total{limit="HEDDLE_MAX_STEPS"}`:       1,
		`heddle_limit_hits_total{limit="HEDDLE_RUN_TIMEOUT"}`:     0,
		`heddle_subscriptions_open{field="integrationChanged"}`:   0,
		`heddle_http_requests_total{code="2xx",route="trigger"}`:  3,
		`heddle_http_requests_total{code="4xx",route="trigger"}`:  1,
		`heddle_http_requests_total{code="2xx",route="stream"}`:   1,
		`heddle_http_request_seconds_count{route="trigger"}`:      4,
		`heddle_queue_depth`:              0,
		`heddle_queue_oldest_seconds`:     0,
		`heddle_executions_running`:       0,
		`heddle_redis_up`:                 1,
		`heddle_view_lag_seconds`:         0,
		`heddle_run_index_lag_seconds`:    0,
		`heddle_log_failed_appends_total`: 0,
	} {
		if err := until(fmt.Sprintf("%s to be %g", name, want),
			func() bool { got, there := h.metrics()[name]; return there && got == want }); err != nil {
			t.Errorf("%v: it is %g", err, h.metrics()[name])
		}
	}
	m := h.metrics()
	for name, least := range map[string]float64{"heddle_log_append_seconds_count": 10,
		"heddle_log_commit_seconds_count": 10, "heddle_log_events_total": 20,
		"heddle_log_position": m["heddle_view_position"], "heddle_view_position": 20,
		"process_resident_memory_bytes": 1, "go_goroutines": 1} {
		if m[name] < least {
			t.Errorf("%s is %g", name, m[name])
		}
	}
	h.documented()
}

// documented compares the metrics with those that the operating page tells of.
func (h *harness) documented() {
	h.Helper()
	page, err := os.ReadFile("../../docs/operating.md")
	h.must(err)
	var told []string
	for _, name := range regexp.MustCompile("`(heddle_[a-z_]+)[`{]").FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(told, name[1]) {
			told = append(told, name[1])
		}
	}
	slices.Sort(told)
	if there := h.metricNames(); !slices.Equal(told, there) {
		h.Errorf("docs/operating.md tells of\n%s\nthere are\n%s", strings.Join(told, "\n"), strings.Join(there, "\n"))
	}
}

// TestMetricsAreBounded sends what nobody has foreseen: it makes no label of its own.
func TestMetricsAreBounded(t *testing.T) {
	if !slices.IsSorted(limitNames) {
		t.Error("the names of limits are not sorted")
	}
	for _, name := range limitNames {
		if !slices.Contains(variables(), name) {
			t.Errorf("%s is no setting", name)
		}
	}
	m := newMetrics()
	routes := m.requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.Header.Get("Status"), "%d", &status)
		w.WriteHeader(status)
	}))
	visit := func(i int) {
		for _, path := range []string{"/nowhere/%d", "/trigger/%d", "/api/payload/%d", "/api?query=%d", "/metrics?%d"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, fmt.Sprint("METHOD", i)} {
				r := httptest.NewRequest(method, fmt.Sprintf(path, i), nil)
				r.Header.Set("Status", fmt.Sprint(200+i*13%600))
				routes.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		m.limit(fmt.Sprint("HEDDLE_", i))
		m.step(fmt.Sprint("component", i), i%2 == 0, time.Second)
		m.finish(domain.Completed, time.Duration(i)*time.Hour)
	}
	series := func() map[string]bool {
		all := map[string]bool{}
		families, err := m.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, one := range f.Metric {
				all[fmt.Sprint(f.GetName(), one.Label)] = true
			}
		}
		return all
	}
	for i := range 50 { // all classes of status are among them
		visit(i)
	}
	before := series()
	for i := range 1000 {
		visit(50 + i%10 + i*100)
	}
	if after := series(); !maps.Equal(before, after) {
		t.Errorf("there were %d series and are %d", len(before), len(after))
	}
	for name, want := range map[string]int{"heddle_http_requests_total": 6 * 6,
		"heddle_limit_hits_total": len(limitNames) + 1, "heddle_step_seconds": 1} {
		n := 0
		for s := range before {
			if strings.HasPrefix(s, name+"[") {
				n++
			}
		}
		if n > want {
			t.Errorf("%s has %d series, more than %d", name, n, want)
		}
	}
}
