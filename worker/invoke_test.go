package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// invoke makes a step that starts a flow with the body that its own flow was started with.
func invoke(name, flow, settings string) string {
	return "      - name: " + name + "\n        action: {component: {key: cross-flow, isPublic: true, version: LATEST}, key: invokeFlow}\n" +
		"        inputs: {flowName: {type: value, value: " + flow +
		"}, data: {type: reference, value: hook.results.body.data}}\n" + settings
}

// recursive makes a step of the recursive-flow component.
func recursive(name, key, inputs string) string {
	return "      - name: " + name + "\n        action: {component: {key: recursive-flow, isPublic: true, version: LATEST}, key: " + key + "}\n        inputs: {" + inputs + "}\n"
}

func TestInvoke(t *testing.T) {
	h := newHarness(t)
	instance, urls := h.deploy(integrationOf(flow("Main", "", "", invoke("Later", "Apart", "")),
		flow("Apart", "", "", step("got", "call", echo("hook.results.body")))))
	h.start()
	first := h.ended(h.post(urls["Main"], "application/json", `{"a": [1, null]}`).Header().Get(ExecutionHeader))
	second := h.accepted()[1]
	if got := outputs(t, first)["later"]; got != `{"executionId":"`+second.ID+`"}` {
		t.Errorf("the step gives %s", got)
	}
	by := domain.InvokedBy{Execution: first.ID, Path: "later", Depth: 1}
	if q := second.Queued; q.Invoke != domain.InvokedByFlow || q.InvokedBy == nil || *q.InvokedBy != by ||
		q.Instance != instance || q.FlowName != "Apart" {
		t.Errorf("queued %+v", q)
	}
	if got := outputs(t, h.ended(second.ID))["got"]; got != `{"contentType":"application/json","data":{"a":[1,null]}}` {
		t.Errorf("the flow got %s", got)
	}
}

// What a flow answers as JSON is a value to the one that asks it.
func TestInvokeReadsAnswers(t *testing.T) {
	h := newHarness(t)
	stop := func(contentType, body string) string {
		return act("Stop", "stop-execution", "stopExecution",
			"statusCode: {type: value, value: '201'}, contentType: {type: value, value: "+contentType+
				"}, jsonBody: {type: value, value: '"+body+"'}")
	}
	synchronous := "    isSynchronous: true\n"
	_, urls := h.deploy(integrationOf(
		flow("Main", synchronous, "", invoke("JSON", "A", "")+invoke("No JSON", "B", "")+invoke("Text", "C", "")+
			codeStep("Last", "module.exports = async (c, r) => ({data: [r.json.results, r.noJson.results, r.text.results]})")),
		flow("A", synchronous, "", stop("''", `{"ok": [true]}`)),
		flow("B", synchronous, "", stop("application/json", "{")),
		flow("C", synchronous, "", stop("text/plain", "[1]"))))
	h.start()
	if a := h.post(urls["Main"], "", ""); strings.TrimSpace(a.Body.String()) != `[{"ok":[true]},"{","[1]"]` {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}

// The one worker that there is does the called flow while the caller waits.
func TestInvokeSynchronous(t *testing.T) {
	h := newHarness(t)
	h.Concurrency = 1
	synchronous := "    isSynchronous: true\n"
	ignore := "        errorConfig: {errorHandlerType: ignore}\n"
	_, urls := h.deploy(integrationOf(
		flow("Main", "", "", invoke("Ask", "Answer", "")+invoke("Try", "Fails", ignore)+step("after", "call",
			echo("ask.results"))),
		flow("Answer", synchronous, "", step("given", "call", echo("hook.results.body.data.a"))),
		flow("Fails", synchronous, "", step("bad", "call", ", fail: {type: value, value: no luck}")),
		flow("Endless", synchronous, "", invoke("Again", "Endless", "")),
		flow("Wrong", "", "", invoke("Nowhere", "Elsewhere", ""))))
	h.start()
	got := outputs(t, h.ended(h.post(urls["Main"], "application/json", `{"a": "x"}`).Header().Get(ExecutionHeader)))
	if got["ask"] != `"x"` || got["after"] != `"x"` {
		t.Errorf("gave %v", got)
	}
	failed := h.accepted()[2].ID
	if want := `error flow "Fails" failed in execution ` + failed + `: step "bad": no luck`; got["try"] != want {
		t.Errorf("the failing flow: %s", got["try"])
	}
	endless := h.ended(h.post(urls["Endless"], "", "").Header().Get(ExecutionHeader))
	if !strings.Contains(endless.Finished.Error, "HEDDLE_MAX_NESTED") || len(h.accepted()) != 3+1+h.MaxNested {
		t.Errorf("%d executions, the first ended: %s", len(h.accepted()), endless.Finished.Error)
	}
	wrong := h.ended(h.post(urls["Wrong"], "", "").Header().Get(ExecutionHeader)).Finished.Error
	if want := `step "Nowhere": flowName: the instance has no flow "Elsewhere"; it has "Main", "Answer", "Fails", "Endless", "Wrong"`; wrong != want {
		t.Errorf("ended: %s", wrong)
	}
}

// A caller that has waited long enough fails; what it called goes on.
func TestInvokeTakesTooLong(t *testing.T) {
	h := newHarness(t)
	h.SyncTimeout = 50 * time.Millisecond
	blocked := make(chan struct{})
	h.probe.block["slow"] = blocked
	_, urls := h.deploy(integrationOf(flow("Main", "", "", invoke("Ask", "Slow", "")),
		flow("Slow", "    isSynchronous: true\n", "", step("slow", "call", ""))))
	h.start()
	caller := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	if !strings.Contains(caller.Finished.Error, "HEDDLE_SYNC_TIMEOUT") {
		t.Errorf("the caller ended: %s", caller.Finished.Error)
	}
	close(blocked)
	if r := h.ended(h.accepted()[1].ID); r.Finished.Result != domain.Completed {
		t.Errorf("what it called ended: %+v", r.Finished)
	}
}

// A step that is repeated since its worker stopped meets the run that it has started.
func TestInvokeOnce(t *testing.T) {
	h := newHarness(t)
	blocked := make(chan struct{})
	h.probe.block["slow"] = blocked
	_, urls := h.deploy(integrationOf(flow("Main", "", "", invoke("Ask", "Slow", "")),
		flow("Slow", "    isSynchronous: true\n", "", step("quick", "effect", "")+step("slow", "call", ""))))
	h.start()
	caller := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	<-h.probe.began
	h.stop()
	delete(h.probe.block, "slow")
	again := h.again()
	again.start()
	if r := again.ended(caller); r.Finished.Result != domain.Completed {
		t.Errorf("the caller ended %+v", r.Finished)
	}
	if all := h.accepted(); len(all) != 2 || h.probe.count("quick") != 1 {
		t.Errorf("%d executions, %d times quick", len(all), h.probe.count("quick"))
	}
}

// A recursive flow goes through its pages in a chain of executions, from the deploy on.
func TestRecursiveFlow(t *testing.T) {
	h := newHarness(t)
	stop := "      - name: Enough\n        action: {component: {key: branch, isPublic: true, version: LATEST}, key: branchOnExpression}\n" +
		"        inputs: {conditions: {type: complex, value: [{name: Over, type: complex, value: [and, [greaterThan, {name: '', type: reference, value: cursor.results}, {name: '', type: value, value: '3'}]]}]}}\n" +
		branches(map[string]string{"Over": "      - name: Stop\n        action: {component: {key: stop-execution, isPublic: true, version: LATEST}, key: stopExecution}\n"}, "Over", "Else")
	next := "      - name: Next\n        action: {component: {key: math, isPublic: true, version: LATEST}, key: add}\n" +
		"        inputs: {numbers: {type: complex, value: [{type: reference, value: cursor.results}, {type: value, value: '1'}]}}\n"
	h.deploy(integrationOf("  - name: Pages\n    steps:\n      - name: Start\n        isTrigger: true\n" +
		"        action: {component: {key: recursive-flow, isPublic: true, version: LATEST}, key: recursiveTrigger}\n" +
		"        inputs: {defaultCursor: {type: value, value: '1'}, runOnDeploy: {type: value, value: 'true'}}\n" +
		recursive("Cursor", "getCursor", "") + stop + next + recursive("Keep", "setCursor",
		"cursor: {type: reference, value: next.results}") + recursive("On", "invokeRecursive", "")))
	h.start()
	var last domain.Run
	for deadline := time.Now().Add(20 * time.Second); last.Finished == nil ||
		len(h.accepted()) < 4; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there are %d executions", len(h.accepted()))
		}
		if all := h.accepted(); len(all) > 0 {
			last = all[len(all)-1]
		}
	}
	all := h.accepted()
	var cursors []string
	for _, r := range all {
		cursors = append(cursors, fmt.Sprint(r.Queued.Invoke, outputs(t, r)["cursor"]))
	}
	if got, want := strings.Join(cursors, " "), `DEPLOY_FLOW"1" CROSS_FLOW2 CROSS_FLOW3 CROSS_FLOW4`; got != want {
		t.Errorf("went through %s, want %s", got, want)
	}
	if by := all[3].Queued.InvokedBy; by == nil || by.Depth != 3 || by.Execution != all[2].ID {
		t.Errorf("the last was invoked by %+v", by)
	}
}
