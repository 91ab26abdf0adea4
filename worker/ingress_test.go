package worker

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
)

// flow makes one flow of a definition: a webhook trigger and steps in YAML.
func flow(name, settings, trigger, steps string) string {
	return "  - name: " + name + "\n" + settings + `    steps:
      - name: Hook
        isTrigger: true
        action: {component: {key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}
        inputs: {` + trigger + "}\n" + steps
}

// step makes one step that calls the probe.
func step(name, action, inputs string) string {
	return "      - name: " + name + "\n        action: {component: {key: probe, isPublic: true, version: LATEST}, key: " + action +
		"}\n        inputs: {name: {type: value, value: " + name + "}" + inputs + "}\n"
}

func codeStep(name, code string) string {
	return "      - name: " + name + "\n        action: {component: {key: code, isPublic: true, version: LATEST}, key: runCode}\n        inputs:\n" +
		"          code: {type: value, value: '" + strings.ReplaceAll(code, "'", "''") + "'}\n"
}

func integrationOf(flows ...string) string {
	return "definitionVersion: 7\nname: Test\nflows:\n" + strings.Join(flows, "")
}

func TestIngressAsynchronous(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	h.start()
	a := h.post(urls["Main"]+"/rest/of/it?a=1&a=2", "application/json", `{"x":[1]}`, "X-Thing", "v",
		"Api-Key", "hidden")
	run := a.Header().Get(ExecutionHeader)
	if a.Code != http.StatusOK || a.Body.String() != `{"executionId":"`+run+`"}` {
		t.Fatalf("answered %d %s", a.Code, a.Body)
	}
	r := h.ended(run)
	if got := paths(r); got != "hook one" || r.Finished.Result != domain.Completed {
		t.Errorf("ran %q, ended %+v", got, r.Finished)
	}
	var trigger struct {
		Headers, QueryParameters map[string]string
		PathFragment             string
		RawBody, Body            struct {
			Data        any
			ContentType string
		}
		WebhookURLs map[string]string `json:"webhookUrls"`
		ExecutionID string            `json:"executionId"`
	}
	if err := json.Unmarshal(r.Steps()[0].Output.Inline, &trigger); err != nil {
		t.Fatal(err)
	}
	if trigger.PathFragment != "rest/of/it" || trigger.QueryParameters["a"] != "2" ||
		trigger.Headers["X-Thing"] != "v" ||
		trigger.RawBody.Data != `{"x":[1]}` || trigger.ExecutionID != run ||
		trigger.WebhookURLs["Main"] != "http://heddle.test"+urls["Main"] {
		t.Errorf("the trigger gave %+v", trigger)
	}
	if body, _ := trigger.Body.Data.(map[string]any); body["x"] == nil {
		t.Errorf("the body was parsed as %v", trigger.Body.Data)
	}
	if text := string(r.Queued.Payload.Inline) + string(r.Steps()[0].Output.Inline); strings.Contains(text, "hidden") {
		t.Error("the endpoint's key is kept with the run")
	}
}

// What integrations answer must not act as a page of the server, and only methods that trigger do.
func TestIngressContains(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", codeStep("Give",
		`module.exports = async () => ({data: "<script>", contentType: "text/html", headers: {"Content-Security-Policy": "default-src *"}})`))))
	h.start()
	if a := h.post(urls["Main"], "", ""); a.Body.String() != "<script>" ||
		a.Header().Get("Content-Security-Policy") != "sandbox" ||
		a.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("answered %s with %v", a.Body, a.Header())
	}
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodTrace} {
		a := httptest.NewRecorder()
		h.ServeHTTP(a, httptest.NewRequest(method, urls["Main"], nil))
		if a.Code != http.StatusMethodNotAllowed || a.Header().Get(ExecutionHeader) != "" ||
			a.Header().Get("Allow") == "" {
			t.Errorf("%s answers %d %v", method, a.Code, a.Header())
		}
	}
}

func TestIngressTriggersOwnAnswer(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", `statusCode: {type: value, value: '202'}, contentType: {type: value, value: text/x-thanks},
          body: {type: value, value: thanks}, headers: {type: complex, value: [{name: X-A, type: value, value: b}]}`, "")))
	h.start()
	a := h.post(urls["Main"], "text/plain", "hi")
	if a.Code != 202 || a.Body.String() != "thanks" || a.Header().Get("Content-Type") != "text/x-thanks" ||
		a.Header().Get("X-A") != "b" {
		t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
	}
	h.ended(a.Header().Get(ExecutionHeader))
}

func TestIngressSynchronous(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(
		flow("Object", "", "", codeStep("Give",
			`module.exports = async (c, {hook}) => ({data: {got: hook.results.body.data}})`)),
		flow("Text", "    isSynchronous: true\n", "",
			codeStep("Give", `module.exports = async () => ({data: "plain", contentType: "text/plain", statusCode: 201, headers: {"X-A": "b"}})`)),
		flow("Failing", "    isSynchronous: true\n", "",
			step("bad", "call", ", fail: {type: value, value: inside story}")),
		flow("Empty", "    isSynchronous: true\n", "", codeStep("Give", `module.exports = async () => {}`)),
	))
	h.start()
	a := h.post(urls["Object"], "application/json", `7`, "Prismatic-Synchronous", "true")
	if a.Code != 200 || a.Body.String() != `{"got":7}` || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
	}
	a = h.post(urls["Text"], "", "")
	if a.Code != 201 || a.Body.String() != "plain" || a.Header().Get("Content-Type") != "text/plain" ||
		a.Header().Get("X-A") != "b" {
		t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
	}
	a = h.post(urls["Empty"], "", "")
	if a.Code != 200 || a.Body.String() != "null" {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	a = h.post(urls["Failing"], "", "")
	run := a.Header().Get(ExecutionHeader)
	if a.Code != 500 || !strings.Contains(a.Body.String(), run) || strings.Contains(a.Body.String(), "inside story") {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	if r := h.ended(run); r.Finished.Result != domain.Failed || r.Finished.Error != `step "bad": inside story` {
		t.Errorf("ended %+v", r.Finished)
	}
}

func TestIngressSynchronousTimeout(t *testing.T) {
	h := newHarness(t)
	h.SyncTimeout = 50 * time.Millisecond
	h.probe.block["slow"] = make(chan struct{})
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", step("slow", "call", ""))))
	h.start()
	a := h.post(urls["Main"], "", "")
	run := a.Header().Get(ExecutionHeader)
	if a.Code != http.StatusGatewayTimeout || !strings.Contains(a.Body.String(), run) ||
		!strings.Contains(a.Body.String(), "HEDDLE_SYNC_TIMEOUT") {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	close(h.probe.block["slow"])
	if r := h.ended(run); r.Finished.Result != domain.Completed {
		t.Errorf("the run did not go on: %+v", r.Finished)
	}
}

func TestIngressRefuses(t *testing.T) {
	h := newHarness(t)
	instance, urls := h.deploy(integrationOf(flow("Main", "", "", "")))
	h.MaxBody = 10
	_, keyed := h.deploy(integrationOf(flow("Keyed", "    endpointSecurityType: customer_required\n", "", "")))
	disabled, closed := h.deploy(integrationOf(flow("Closed", "", "", "")))
	changeAll(h, domain.Instances, disabled, domain.InstanceDisabled{})
	removed, gone := h.deploy(integrationOf(flow("Gone", "", "", "")))
	changeAll(h, domain.Instances, removed, domain.InstanceRemoved{})
	waiting, orphan := uuid.NewString(), uuid.NewString()
	changeAll(h, domain.Instances, waiting, domain.InstanceCreated{Name: "Waiting"})
	pos := changeAll(h, domain.Instances, orphan, domain.InstanceCreated{Name: "x", Integration: "gone"},
		domain.InstanceDeployed{Version: "v"})
	if err := h.View.Wait(h.ctx, pos); err != nil {
		t.Fatal(err)
	}
	h.start()
	for name, c := range map[string]struct {
		url, body string
		status    int
		want      string
	}{
		"no id":            {"/trigger/", "", 404, "no trigger has this URL"},
		"bad id":           {"/trigger/xyz", "", 404, "no trigger has this URL"},
		"needs a key":      {keyed["Keyed"], "", 401, "no API key is set for it"},
		"unknown instance": {"/trigger/" + strings.Repeat("a", 64), "", 404, "no such instance"},
		"unknown flow": {"/trigger/" + domain.PartID(instance, instance), "", 404,
			"the flow is not in what is deployed"},
		"not deployed":        {"/trigger/" + domain.PartID(waiting, instance), "", 404, "has not been deployed"},
		"disabled":            {closed["Closed"], "", 404, "the instance is disabled"},
		"removed":             {gone["Gone"], "", 404, "the instance has been removed"},
		"no integration":      {"/trigger/" + domain.PartID(orphan, instance), "", 404, "the integration is gone"},
		"body over the limit": {urls["Main"], "01234567890", 413, "HEDDLE_MAX_BODY"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.post(c.url, "text/plain", c.body)
			var answer struct{ Error string }
			if err := json.Unmarshal(a.Body.Bytes(), &answer); err != nil || a.Code != c.status ||
				!strings.Contains(answer.Error, c.want) {
				t.Errorf("answered %d %s", a.Code, a.Body)
			}
		})
	}
	for record, err := range h.Log.Follow(h.ctx, 0, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil || !record.Mark() {
			t.Fatalf("a refused trigger left %s %v", record.Stream, err)
		}
		break
	}
}

// What the log can't take is not accepted.
func TestIngressUnavailable(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", "")))
	h.Worker.Log = full{h.Log}
	h.start()
	a := h.post(urls["Main"], "text/plain", "x")
	if a.Code != http.StatusServiceUnavailable || !strings.Contains(a.Body.String(), "disk is full") {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}

func TestBinaryBody(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", codeStep("Give",
		`module.exports = async (c, {hook}) => ({data: hook.results.rawBody.data.length})`))))
	h.start()
	if a := h.post(urls["Main"], "application/octet-stream", "\xff\x00\xfe"); a.Body.String() != "3" {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	large := strings.Repeat("ü", 40_000) // over what an event holds itself
	if a := h.post(urls["Main"], "text/plain", large); a.Body.String() != "40000" {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}
