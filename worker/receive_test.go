package worker

import (
	"strings"
	"testing"

	"heddle/domain"
)

// coded is a flow whose trigger is code.
func coded(name, settings, code, steps string) string {
	return "  - name: " + name + "\n" + settings + "    steps:\n" + strings.Replace(strings.Replace(script("Hook", code), "key: runCode}", "key: runCodeTrigger}", 1),
		"      - name: Hook\n", "      - name: Hook\n        isTrigger: true\n", 1) + steps
}

// A trigger that is code answers its caller, gives the flow its payload and chooses a branch.
func TestCodeTrigger(t *testing.T) {
	const code = `module.exports = async ({ logger, configVars, crossFlowState, flow, stepId }, payload) => {
		logger.info("seen " + flow.name);
		if (payload.body.data.quantity < 0) throw new Error("too few");
		const n = (crossFlowState.n ?? 0) + 1;
		return { payload: { ...payload, n }, branch: "Big", crossFlowState: { n },
			response: payload.body.data.quantity > 0 ? { statusCode: 201, contentType: "application/json", headers: { "X-A": stepId ? "b" : "" }, body: JSON.stringify({ status: payload.headers["X-B"] }) } : undefined };
	}`
	h := newHouse(t)
	text := definition(coded("Main", "", code, branches(map[string]string{"Big": script("Inside", `module.exports = async (c, {hook}) => ({data: hook.results.body.data.quantity})`)}, "Big")+
		script("Last", `module.exports = async (c, {hook, inside}) => ({data: [hook.results.n, inside.results, Object.keys(hook.results.webhookUrls)]})`)))
	_, urls := h.deploy(text)
	h.start()
	a := h.post(urls["Main"], "application/json", `{"quantity": 3}`, "X-B", "created")
	if a.Code != 201 || a.Body.String() != `{"status":"created"}` || a.Header().Get("X-A") != "b" || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answered %d %s %v", a.Code, a.Body, a.Header())
	}
	r := h.ended(a.Header().Get(ExecutionHeader))
	if got := outputs(t, r)["last"]; got != `[1,3,["Main"]]` || paths(r) != "hook inside last" || len(r.Steps()[0].Log) != 1 {
		t.Errorf("gives %s after %s: %+v", got, paths(r), r.Finished)
	}
	a = h.post(urls["Main"], "application/json", `{"quantity": 0}`)
	if run := a.Header().Get(ExecutionHeader); a.Code != 200 || a.Body.String() != `{"executionId":"`+run+`"}` {
		t.Errorf("without a response: answered %d %s", a.Code, a.Body)
	} else if got := outputs(t, h.ended(run))["last"]; got != `[2,0,["Main"]]` { // what was kept before the run is lost, what is kept in it stays
		t.Errorf("gives %s", got)
	}
	a = h.post(urls["Main"], "application/json", `{"quantity": -1}`)
	if r := h.ended(a.Header().Get(ExecutionHeader)); a.Code != 200 || r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, `step "Hook": too few (line`) {
		t.Errorf("answered %d %s, ended %+v", a.Code, a.Body, r.Finished)
	}
	if a = h.post(urls["Main"], "application/json", `{"quantity": 5}`, synchronousHeader, "true"); a.Code != 200 || a.Body.String() != `[3,5,["Main"]]` {
		t.Errorf("a synchronous caller is answered %d %s", a.Code, a.Body)
	}
}

// A request's id may be in what the code makes of it, and code in a trigger reaches nothing.
func TestCodeTriggerBounds(t *testing.T) {
	h := newHouse(t)
	_, urls := h.deploy(definition(coded("Main", "    queueConfig: {dedupeIdField: {type: reference, value: hook.results.id}, usesFifoQueue: true}\n",
		`module.exports = async (context, payload) => ({ payload: { id: "order " + payload.body.data.id } })`, ""),
		coded("Reaches", "", `module.exports = async () => ({ payload: await fetch("http://heddle.test/") })`, "")))
	h.start()
	a := h.post(urls["Main"], "application/json", `{"id": 7}`)
	if r := h.ended(a.Header().Get(ExecutionHeader)); r.Queued.Duplicate != "order 7" || r.Finished.Result != domain.Completed {
		t.Errorf("accepted %+v, ended %+v", r.Queued, r.Finished)
	}
	a = h.post(urls["Reaches"], "", "")
	if r := h.ended(a.Header().Get(ExecutionHeader)); r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, "fetch") {
		t.Errorf("ended %+v", r.Finished)
	}
}

// Who does not sign a request for a trigger that wants it signed is told so, and no step is run.
func TestSignedTrigger(t *testing.T) {
	h := newHouse(t)
	_, urls := h.deploy(definition(strings.Replace(flow("Main", "", "hmacHeaderName: {type: value, value: X-Sign}, secretKey: {type: value, value: Jefe}", step("one", "effect", "")),
		"{key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}", "{key: hash, isPublic: true, version: LATEST}, key: hmacWebhookTrigger}", 1)))
	h.start()
	const body, sign = "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	a := h.post(urls["Main"], "text/plain", body, "X-Sign", sign)
	if r := h.ended(a.Header().Get(ExecutionHeader)); a.Code != 200 || r.Finished.Result != domain.Completed || h.probe.count("one") != 1 {
		t.Errorf("answered %d %s, ended %+v", a.Code, a.Body, r.Finished)
	}
	a = h.post(urls["Main"], "text/plain", body+"!", "X-Sign", sign)
	if r := h.ended(a.Header().Get(ExecutionHeader)); a.Code != 401 || !strings.Contains(a.Body.String(), "X-Sign") || strings.Contains(a.Body.String(), "Jefe") ||
		r.Finished.Result != domain.Failed || h.probe.count("one") != 1 {
		t.Errorf("answered %d %s, ended %+v", a.Code, a.Body, r.Finished)
	}
}
