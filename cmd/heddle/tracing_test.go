package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collected is what a collector of traces has been sent.
type collected struct {
	testing.TB
	url   string
	mu    sync.Mutex
	raw   bytes.Buffer
	spans []span
}

// span is one span, and the process that made it.
type span struct {
	*traces.Span
	process string
}

func (s span) id() string     { return fmt.Sprintf("%x", s.SpanId) }
func (s span) parent() string { return fmt.Sprintf("%x", s.ParentSpanId) }

// about returns an attribute.
func (s span) about(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// newCollector is a collector that speaks OTLP over HTTP.
func newCollector(t testing.TB) *collected {
	c := &collected{TB: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("the collector was sent %s %q %v", r.URL.Path, body, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		for _, resource := range request.ResourceSpans {
			process := ""
			for _, a := range resource.Resource.Attributes {
				if a.Key == "service.instance.id" {
					process = a.Value.GetStringValue()
				}
			}
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans = append(c.spans, span{s, process})
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// env has a server send its traces here, soon.
func (c *collected) env() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_BSP_SCHEDULE_DELAY=20"}
}

// trace returns the spans of a trace.
func (c *collected) trace(id string) (spans []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if fmt.Sprintf("%x", s.TraceId) == id {
			spans = append(spans, s)
		}
	}
	return spans
}

// tree waits for a whole trace and tells it as a tree, each span below its parent.
func (c *collected) tree(id, root string, whole int) (tree string, byName map[string]span) {
	c.Helper()
	var spans []span
	if err := until("the spans of a trace", func() bool { spans = c.trace(id); return len(spans) >= whole }); err != nil {
		c.Error(err)
	}
	byName = map[string]span{}
	var under func(parent, indent string)
	under = func(parent, indent string) {
		for _, s := range spans {
			if s.parent() == parent {
				byName[s.Name] = s
				tree += indent + s.Name + "\n"
				under(s.id(), indent+"  ")
			}
		}
	}
	under(root, "")
	if lines := strings.Count(tree, "\n"); lines != len(spans) {
		c.Errorf("of %d spans %d are connected", len(spans), lines)
	}
	return tree, byName
}

// under reports whether a span is right below another.
func under(spans map[string]span, child, parent string) bool {
	c, ok := spans[child]
	p, there := spans[parent]
	return ok && there && c.parent() == p.id()
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// mustTrace follows what a webhook causes from its caller to the service that a step calls.
func (c *collected) mustTrace(h *harness, trigger, service string, called *hook) map[string]span {
	c.Helper()
	body := `{"url": "` + service + `/path-secret?token=query-secret", "word": "payload-secret"}`
	status, header, text, err := send(http.MethodPost, h.url+trigger, http.Header{"Content-Type": {"application/json"},
		"X-Secret":    {"header-secret"},
		"Traceparent": {"00-" + callersTrace + "-" + callersSpan + "-01"}}, []byte(body))
	h.must(err)
	if status != http.StatusOK {
		c.Fatalf("the trigger answers %d %s", status, text)
	}
	if result := h.ended(header.Get("prismatic-executionid")); at(result, "resultType") != "COMPLETED" {
		c.Fatalf("the run ended with %v", result)
	}
	tree, spans := c.tree(callersTrace, callersSpan, 10)
	for _, want := range [][2]string{{"queue", "trigger"}, {"run", "trigger"}, {"webhook-triggers/webhook", "run"},
		{"http/httpPost", "run"}, {"HTTP POST", "http/httpPost"}} {
		if !under(spans, want[0], want[1]) {
			c.Errorf("%q is not below %q in\n%s", want[0], want[1], tree)
		}
	}
	if n := strings.Count(tree, "\n  append\n"); n != 1 {
		c.Errorf("the trigger appends %d times:\n%s", n, tree)
	}
	if strings.Count(tree, "\n    append\n") < 2 {
		c.Errorf("the run's appends are missing:\n%s", tree)
	}
	requests, err := called.got(1)
	h.must(err)
	if want := "00-" + callersTrace + "-" + spans["HTTP POST"].id() +
		"-01"; requests[len(requests)-1].traceparent != want {
		c.Errorf("the service was called in %q, not %q", requests[len(requests)-1].traceparent, want)
	}
	if run := spans["run"]; run.about("heddle.execution") != header.Get("prismatic-executionid") ||
		run.about("heddle.result") != "COMPLETED" {
		c.Errorf("the run's span tells %v", run.Attributes)
	}
	return spans
}

// discreet looks for what no span may tell.
func (c *collected) discreet(h *harness) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{"payload-secret", "header-secret", "query-secret", "path-secret", "error-secret",
		canaryConnection, h.token} {
		if bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			c.Errorf("a span tells %q", secret)
		}
	}
	if !bytes.Contains(c.raw.Bytes(), []byte("heddle.execution")) {
		c.Error("the test is blind")
	}
}

// throwingDefinition fails with words of its own.
const throwingDefinition = `definitionVersion: 7
name: Throwing
flows:
  - name: Throw
    steps:
      - {name: Trigger, isTrigger: true, action: {key: webhook, component: {key: webhook-triggers, version: LATEST, isPublic: true}}}
      - name: Throw
        action: {key: runCode, component: {key: code, version: LATEST, isPublic: true}}
        inputs: {code: {type: value, value: "module.exports = async () => { throw new Error('error-secret') }"}}
`

// connected deploys the flow that calls a service with a connection's secret.
func (h *harness) connected() (trigger string) {
	h.Helper()
	values, err := json.Marshal([]map[string]string{{"name": "apiKey", "type": "value", "value": canaryConnection}})
	h.must(err)
	return h.deploy(connectionDefinition, map[string]any{"key": "Service", "values": string(values)})
}

// TestTrace follows a webhook, a mutation and a failure through one process.
func TestTrace(t *testing.T) {
	c, service := newCollector(t), newHook()
	t.Cleanup(service.Close)
	h := newHarness(t, append(c.env(), "HEDDLE_ALLOW_HOSTS=127.0.0.1")...)
	h.start()
	trigger := h.connected()
	c.mustTrace(h, trigger, service.URL, service)
	t.Run("a failure tells no words", func(t *testing.T) {
		if result := h.ended(h.trigger(h.deploy(throwingDefinition), "{}")); !strings.Contains(at(result,
			"error").(string), "error-secret") {
			t.Errorf("the run ended with %v", result)
		}
		h.must(until("the failed run's span", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, s := range c.spans {
				if s.Name == "run" && s.about("heddle.result") == "ERROR" &&
					s.Status.GetCode() == traces.Status_STATUS_CODE_ERROR {
					return true
				}
			}
			return false
		}))
	})
	t.Run("a mutation's run goes on in its trace", func(t *testing.T) {
		const trace = "11111111111111111111111111111111"
		runs := h.call(`{ executionResults { nodes { id } } }`, nil)
		body, err := json.Marshal(map[string]any{"query": `mutation($i: ID!) { replayExecution(input: {id: $i}) { executionResult { id } errors { messages } } }`,
			"variables": map[string]any{"i": at(runs, "executionResults.nodes.1.id")}})
		h.must(err)
		_, _, text, err := send(http.MethodPost, h.url+"/api", http.Header{"Content-Type": {"application/json"},
			"Authorization": {"Bearer " + h.token},
			"Traceparent":   {"00-" + trace + "-2222222222222222-01"}}, body)
		h.must(err)
		tree, spans := c.tree(trace, "2222222222222222", 9)
		if !under(spans, "run", "mutation replayExecution") || !under(spans, "HTTP POST", "http/httpPost") {
			t.Errorf("%s is traced as\n%s", text, tree)
		}
	})
	c.discreet(h)
	h.must(h.stop())
}

// TestTraceAcrossProcesses has one process accept and another execute.
func TestTraceAcrossProcesses(t *testing.T) {
	c, service := newCollector(t), newHook()
	t.Cleanup(service.Close)
	many := newCluster(t, 1, 1, c.env()...)
	trigger := many.apis[0].connected()
	spans := c.mustTrace(many.apis[0], trigger, service.URL, service)
	if spans["trigger"].process == spans["run"].process || spans["trigger"].process == "" {
		t.Errorf("process %q accepts and %q executes", spans["trigger"].process, spans["run"].process)
	}
	c.discreet(many.apis[0])
	many.stop()
}

// TestTracesAreOff has a server without a collector pass a caller's trace on to nobody.
func TestTracesAreOff(t *testing.T) {
	service := newHook()
	t.Cleanup(service.Close)
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.start()
	status, _, _, err := send(http.MethodPost, h.url+h.deploy(callsDefinition(service.URL, "a")),
		http.Header{"Prismatic-Synchronous": {"true"},
			"Traceparent": {"00-" + callersTrace + "-" + callersSpan + "-01"}}, nil)
	h.must(err)
	requests, err := service.got(1)
	if err != nil || status != http.StatusOK || requests[0].traceparent != "" {
		t.Errorf("answered %d %v, and the service was called in %q", status, err, requests[0].traceparent)
	}
	h.must(h.stop())
	for _, wrong := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"} {
		out, err := command(h.dir, append(h.env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", wrong),
			"serve").CombinedOutput()
		if name, _, _ := strings.Cut(wrong, "="); err == nil || !strings.Contains(string(out), "heddle: "+name) {
			t.Errorf("with %s: %v %s", wrong, err, out)
		}
	}
}
