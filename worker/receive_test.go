package worker

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/refusal"
)

// coded is a flow whose trigger is code.
func coded(name, settings, code, steps string) string {
	return "  - name: " + name + "\n" + settings + "    steps:\n" +
		strings.Replace(strings.Replace(codeStep("Hook", code), "key: runCode}", "key: runCodeTrigger}", 1),
			"      - name: Hook\n", "      - name: Hook\n        isTrigger: true\n", 1) + steps
}

// A trigger that is code answers its caller, makes the flow's payload and chooses a branch.
func TestCodeTrigger(t *testing.T) {
	const code = `module.exports = async ({ logger, configVars, crossFlowState, flow, stepId }, payload) => {
		logger.info("seen " + flow.name);
		if (payload.body.data.quantity < 0) throw new Error("too few");
		const n = (crossFlowState.n ?? 0) + 1;
		return { payload: { ...payload, n }, branch: "Big", crossFlowState: { n },
			response: payload.body.data.quantity > 0 ? { statusCode: 201, contentType: "application/json", headers: { "X-A": stepId ? "b" : "" }, body: JSON.stringify({ status: payload.headers["X-B"] }) } : undefined };
	}`
	h := newHarness(t)
	text := integrationOf(coded("Main", "", code,
		branches(map[string]string{"Big": codeStep("Inside",
			`module.exports = async (c, {hook}) => ({data: hook.results.body.data.quantity})`)}, "Big")+
			codeStep("Last", `module.exports = async (c, {hook, inside}) => ({data: [hook.results.n, inside.results, Object.keys(hook.results.webhookUrls)]})`)))
	_, urls := h.deploy(text)
	h.start()
	a := h.post(urls["Main"], "application/json", `{"quantity": 3}`, "X-B", "created")
	if a.Code != 201 || a.Body.String() != `{"status":"created"}` || a.Header().Get("X-A") != "b" ||
		a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
	}
	r := h.ended(a.Header().Get(ExecutionHeader))
	if got := outputs(t, r)["last"]; got != `[1,3,["Main"]]` || paths(r) != "hook inside last" ||
		len(r.Steps()[0].Log) != 1 {
		t.Errorf("gives %s after %s: %+v", got, paths(r), r.Finished)
	}
	a = h.post(urls["Main"], "application/json", `{"quantity": 0}`)
	if run := a.Header().Get(ExecutionHeader); a.Code != 200 || a.Body.String() != `{"executionId":"`+run+`"}` {
		t.Errorf("without a response: answered %d %s", a.Code, a.Body)
	} else if got := outputs(t, h.ended(run))["last"]; got != `[2,0,["Main"]]` {
		t.Errorf("gives %s", got)
	}
	a = h.post(urls["Main"], "application/json", `{"quantity": -1}`)
	if r := h.ended(a.Header().Get(ExecutionHeader)); a.Code != 200 || r.Finished.Result != domain.Failed ||
		!strings.Contains(r.Finished.Error, `step "Hook": too few (line`) {
		t.Errorf("answered %d %s, ended %+v", a.Code, a.Body, r.Finished)
	}
	if a = h.post(urls["Main"], "application/json", `{"quantity": 5}`, synchronousHeader, "true"); a.Code != 200 ||
		a.Body.String() != `[3,5,["Main"]]` {
		t.Errorf("a synchronous caller is answered %d %s", a.Code, a.Body)
	}
}

// A request's id may be in what the code makes of it, and code in a trigger reaches nothing.
func TestCodeTriggerBounds(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(coded("Main",
		"    queueConfig: {dedupeIdField: {type: reference, value: hook.results.id}, usesFifoQueue: true}\n",
		`module.exports = async (context, payload) => ({ payload: { id: "order " + payload.body.data.id } })`, ""),
		coded("Reaches", "", `module.exports = async () => ({ payload: await fetch("http://heddle.test/") })`, "")))
	h.start()
	a := h.post(urls["Main"], "application/json", `{"id": 7}`)
	if r := h.ended(a.Header().Get(ExecutionHeader)); r.Queued.Duplicate != "order 7" ||
		r.Finished.Result != domain.Completed {
		t.Errorf("accepted %+v, ended %+v", r.Queued, r.Finished)
	}
	a = h.post(urls["Reaches"], "", "")
	if r := h.ended(a.Header().Get(ExecutionHeader)); r.Finished.Result != domain.Failed ||
		!strings.Contains(r.Finished.Error, "fetch") {
		t.Errorf("ended %+v", r.Finished)
	}
}

// An unsigned request to a trigger that wants it signed is refused, and no step is run.
func TestSignedTrigger(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(strings.Replace(flow("Main", "",
		"hmacHeaderName: {type: value, value: X-Sign}, secretKey: {type: value, value: Jefe}",
		step("one", "effect", "")),
		"{key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}",
		"{key: hash, isPublic: true, version: LATEST}, key: hmacWebhookTrigger}", 1)))
	h.start()
	const body, sign = "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	a := h.post(urls["Main"], "text/plain", body, "X-Sign", sign)
	if r := h.ended(a.Header().Get(ExecutionHeader)); a.Code != 200 || r.Finished.Result != domain.Completed ||
		h.probe.count("one") != 1 {
		t.Errorf("answered %d %s, ended %+v", a.Code, a.Body, r.Finished)
	}
	for _, synchronous := range []string{"false", "true"} {
		a = h.post(urls["Main"], "text/plain", body+"!", "X-Sign", sign, synchronousHeader, synchronous)
		if a.Code != 401 || !strings.Contains(a.Body.String(), "X-Sign") || strings.Contains(a.Body.String(), "Jefe") ||
			a.Header().Get(ExecutionHeader) != "" {
			t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
		}
	}
	if all := h.accepted(); len(all) != 1 {
		t.Errorf("%d executions are left", len(all))
	}
}

// Of a request that is not let in the body is never read as a value.
func TestRefusedBodyIsNotRead(t *testing.T) {
	h := newHarness(t)
	for _, refuses := range []bool{true, false} {
		var seen map[string]any
		trigger := component.NewPerformedTrigger("raw", "Raw", "Looks at the body as it came.",
			func(_ context.Context, _ component.Step, payload map[string]any, _ struct{}) (component.Result, error) {
				if seen = payload; payload["body"] != nil {
					t.Error("the body is read before the trigger has looked")
				}
				if refuses {
					return component.Result{}, refusal.New(refusal.Unauthenticated, "no")
				}
				return component.Result{Data: payload}, nil
			}).FromRaw()
		x := &attempt{w: h.Worker}
		_, err := (&stepContext{x: x}).receiveWith(t.Context(), trigger,
			&component.Delivery{Data: "[1]", ContentType: "application/json"}, nil)
		if read := seen["body"] != nil; read == refuses || (err != nil) != refuses {
			t.Errorf("refused %t: read %t, %v", refuses, read, err)
		}
	}
}

// Who knows the key of a signed request does not therefore have its answer, nor what it is for.
func TestSignedTriggerUnderAKey(t *testing.T) {
	h := newHarness(t)
	signed := strings.Replace(flow("Signed", "",
		"body: {type: value, value: ours}, hmacHeaderName: {type: value, value: X-Sign}, secretKey: {type: value, value: Jefe}", ""),
		"{key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}",
		"{key: hash, isPublic: true, version: LATEST}, key: hmacWebhookTrigger}", 1)
	checked := coded("Coded", "", `module.exports = async (c, p) => ({payload: 1, response: p.headers["X-Sign"] === "right" ? {statusCode: 200, body: "ours"} : {statusCode: 401}})`, "")
	_, urls := h.deploy(integrationOf(signed, checked))
	h.start()
	const body = "what do ya want for nothing?"
	for flow, right := range map[string]string{"Signed": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "Coded": "right"} {
		for _, c := range []struct {
			key, sign string
			answers   bool
		}{{"new", "wrong", false}, {"k", right, true}, {"k", right, true}, {"k", "wrong", false}, {"k", "", false},
			{"k", right, true}} {
			a := h.post(urls[flow], "text/plain", body, keyHeader, c.key, "X-Sign", c.sign, "User-Agent", c.sign)
			if got := a.Code == 200 && a.Body.String() == "ours"; got != c.answers || !c.answers &&
				strings.Contains(a.Body.String(), "ours") {
				t.Errorf("%s: %+v is answered %d %s", flow, c, a.Code, a.Body)
			}
		}
	}
}

// performing is a flow whose trigger is the probe's, which performs.
func performing(settings, inputs, steps string) string {
	return strings.Replace(flow("Main", settings, "name: {type: value, value: it}"+inputs, steps),
		"{key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}",
		"{key: probe, isPublic: true, version: LATEST}, key: asked}", 1)
}

// A trigger that performs does so once for each request, whatever is made of its result, and its word
// is repeated to a request that comes again.
func TestTriggerPerformsOnce(t *testing.T) {
	const fields = "    queueConfig: {dedupeIdField: {type: reference, value: hook.results.did}}\n" +
		"    retryConfig: {maxAttempts: 0, uniqueRequestIdField: {type: reference, value: hook.results.did}}\n"
	for name, c := range map[string]struct {
		settings, header, inputs, answer string
		result                           domain.ResultType
		times                            int
	}{
		"asynchronous": {"", "", "", "202 it 1", domain.Completed, 1},
		"synchronous":  {"", synchronousHeader, "", "200 {\"did\":\"one\"}", domain.Completed, 1},
		"fields":       {fields, "", "", "202 it 1", domain.Completed, 1},
		"failing": {fields, "", ", fail: {type: value, value: no}", "200 {\"executionId\":\"%\"}", domain.Failed,
			1},
		"tried again": {"    retryConfig: {maxAttempts: 1, delayMinutes: 0}\n", "",
			", fail: {type: value, value: no}, times: {type: value, value: 1}",
			"200 {\"executionId\":\"%\"}", domain.Completed, 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			_, urls := h.deploy(integrationOf(performing(c.settings, c.inputs, step("one", "call", ""))))
			h.start()
			for range 2 {
				a := h.post(urls["Main"], "text/plain", "x", keyHeader, "k", c.header, "true")
				r := h.ended(a.Header().Get(ExecutionHeader))
				if want := strings.Replace(c.answer, "%", r.ID, 1); fmt.Sprint(a.Code, " ", a.Body) != want {
					t.Errorf("answered %d %s, not %s", a.Code, a.Body, want)
				}
				if n := h.probe.count("it"); n != c.times || r.Finished.Result != c.result ||
					len(r.Steps()[0].Log) == 0 {
					t.Errorf("performed %d times: ended %+v after %+v", n, r.Finished, r.Steps())
				}
				if len(c.settings) == len(fields) && c.result == domain.Completed && (r.Queued.Duplicate != "it" ||
					r.Queued.Request != "it") {
					t.Errorf("queued %+v", r.Queued)
				}
			}
			if a := h.post(urls["Main"], "text/plain", "y", keyHeader, "k"); a.Code != 422 ||
				h.probe.count("it") != c.times {
				t.Errorf("another request under the key is answered %d %s", a.Code, a.Body)
			}
		})
	}
}

// As many triggers perform at once as executions may run; a caller that goes meanwhile leaves nothing.
func TestTriggersPerformInTurn(t *testing.T) {
	h := newHarness(t)
	h.Concurrency = 1
	blocked := make(chan struct{})
	h.probe.block["it"] = blocked
	_, urls := h.deploy(integrationOf(performing("", "", "")))
	h.start()
	first := make(chan int)
	go func() { first <- h.post(urls["Main"], "", "").Code }()
	<-h.probe.began
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, urls["Main"], nil).WithContext(gone))
	if n := h.probe.count("it"); n != 1 {
		t.Errorf("%d are asked at once", n)
	}
	close(blocked)
	if status := <-first; status != 202 || len(h.accepted()) != 1 {
		t.Errorf("answered %d, and %d were accepted", status, len(h.accepted()))
	}
}

// A trigger that performs and whose run nobody asked for does so in the run: what it refuses fails the run.
func TestTriggerPerformsInTheRun(t *testing.T) {
	h := newHarness(t)
	sibling := strings.Replace(flow("Signed", "",
		"hmacHeaderName: {type: value, value: X-Sign}, secretKey: {type: value, value: Jefe}", ""),
		"{key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}",
		"{key: hash, isPublic: true, version: LATEST}, key: hmacWebhookTrigger}", 1)
	_, urls := h.deploy(integrationOf(flow("Main", "", "",
		"      - name: Call\n        action: {component: {key: cross-flow, isPublic: true, version: LATEST}, key: invokeFlow}\n"+
			"        inputs: {flowName: {type: value, value: Signed}, data: {type: value, value: x}}\n"), sibling))
	h.start()
	if r := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)); r.Finished.Result != domain.Completed {
		t.Errorf("ended %+v", r.Finished)
	}
	for _, r := range h.accepted() {
		if r = h.ended(r.ID); r.Queued.FlowName == "Signed" && (r.Finished.Result != domain.Failed ||
			!strings.Contains(r.Finished.Error, "X-Sign")) {
			t.Errorf("ended %+v", r.Finished)
		}
	}
}
