package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/component"
	"heddle/domain"
	"heddle/store"
	"heddle/store/live"
)

// indented puts steps one level deeper, below a line such as "steps:".
func indented(key, steps string) string {
	lines := strings.Split(strings.TrimSuffix(steps, "\n"), "\n")
	return "        " + key + ":\n    " + strings.Join(lines, "\n    ") + "\n"
}

func each(name, items, body string) string {
	return step(name, "each", ", items: "+items) + indented("steps", body)
}

func branches(names map[string]string, order ...string) string {
	text := "        branches:\n"
	for _, name := range order {
		text += "          - name: " + name + "\n"
		if names[name] == "" {
			text += "            steps: []\n"
			continue
		}
		text += "            steps:\n" +
			strings.TrimSuffix(strings.ReplaceAll("        "+names[name], "\n", "\n        "), "        ")
	}
	return text
}

const (
	threeItems = "{type: complex, value: [{type: value, value: a}, {type: value, value: b}, {type: value, value: c}]}"
	twoItems   = "{type: complex, value: [{type: value, value: x}, {type: value, value: y}]}"
)

func echo(path string) string { return ", echo: {type: reference, value: " + path + "}" }

// runs deploys one flow, triggers it and waits for its end.
func (h *harness) runs(settings, steps string) domain.Run {
	h.t.Helper()
	_, urls := h.deploy(integrationOf(flow("Main", settings, "", steps)))
	return h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
}

func outputs(t *testing.T, r domain.Run) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, s := range r.Steps() {
		all[s.Path] = string(s.Output.Inline)
		if s.Error != "" {
			all[s.Path] = "error " + s.Error
		}
	}
	return all
}

func TestLoops(t *testing.T) {
	h := newHarness(t)
	h.start()
	nested := each("outer", threeItems, step("first", "call", echo("outer.index"))+
		strings.TrimSuffix(each("inner", twoItems, step("leaf", "call", echo("inner.currentItem"))), "\n")+"\n") +
		step("after", "call", echo("outer.results")) + step("beyond", "call", echo("leaf.results"))
	r := h.runs("", nested)
	want := "hook outer[0]/first outer[0]/inner[0]/leaf outer[0]/inner[1]/leaf outer[0]/inner outer[1]/first outer[1]/inner[0]/leaf " +
		"outer[1]/inner[1]/leaf outer[1]/inner outer[2]/first outer[2]/inner[0]/leaf outer[2]/inner[1]/leaf outer[2]/inner outer after beyond"
	if got := paths(r); got != want {
		t.Fatalf("steps\n%s, want\n%s\n%s", got, want, r.Finished.Error)
	}
	got := outputs(t, r)
	for path, value := range map[string]string{"outer[1]/first": "1", "outer[2]/inner[1]/leaf": `"y"`,
		"outer[0]/inner": `["x","y"]`,
		"after":          `[["x","y"],["x","y"],["x","y"]]`} {
		if got[path] != value {
			t.Errorf("%s gives %s, want %s", path, got[path], value)
		}
	}
}

func TestLoopEdges(t *testing.T) {
	h := newHarness(t)
	h.MaxSteps = 20
	h.start()
	leave := step("pick", "choose", echo("outer.currentItem")) +
		branches(map[string]string{"b": step("out", "leave", "")}, "a", "b", "Else") + step("tail", "call",
		echo("outer.currentItem"))
	for name, c := range map[string]struct{ steps, paths, outer, end string }{
		"a break": {each("outer", threeItems, leave) + step("after", "call", ""),
			"hook outer[0]/pick outer[0]/tail outer[1]/pick outer[1]/out outer after", `["a"]`, ""},
		"a break of the inner loop": {each("outer", twoItems, each("inner", threeItems, step("out", "leave", ""))),
			"hook outer[0]/inner[0]/out outer[0]/inner outer[1]/inner[0]/out outer[1]/inner outer", `[[],[]]`, ""},
		"nothing to do": {each("outer", "{type: complex, value: []}", step("one", "call", "")),
			"hook outer", `[]`, ""},
		"no break outside a loop": {step("out", "leave", ""), "hook out", "",
			`step "out": there is no loop here to leave`},
		"a failure inside": {each("outer", twoItems,
			step("one", "call", ", fail: {type: value, value: no}")), "hook outer[0]/one", "", `step "one": no`},
		"a failure inside is not the loop's own": {each("outer", twoItems,
			step("one", "call", ", fail: {type: value, value: no}")) +
			"        errorConfig: {errorHandlerType: ignore}\n", "hook outer[0]/one", "", `step "one": no`},
		"results of an earlier iteration are not seen": {each("outer", twoItems,
			step("seen", "call", echo("last.results"))+step("last", "call", echo("outer.currentItem"))),
			"hook outer[0]/seen outer[0]/last outer[1]/seen outer[1]/last outer", `["x","y"]`, ""},
		"too many steps": {each("outer", threeItems, each("inner", threeItems, step("one", "call", ""))),
			"", "", `an execution may do 20 steps, counting each iteration of a loop (HEDDLE_MAX_STEPS)`},
	} {
		r := h.runs("", c.steps)
		got := outputs(t, r)
		if c.paths != "" && paths(r) != c.paths || c.outer != "" && got["outer"] != c.outer ||
			!strings.Contains(r.Finished.Error, c.end) || (c.end == "") != (r.Finished.Error == "") {
			t.Errorf("%s: steps %q, outer %s, end %q", name, paths(r), got["outer"], r.Finished.Error)
		}
		if seen := got["outer[1]/seen"]; seen != "" && seen != `{"did":"seen"}` {
			t.Errorf("the second iteration sees %s", seen)
		}
	}
}

// A loop that is cut off goes on at the iteration it was in.
func TestLoopResumes(t *testing.T) {
	h := newHarness(t)
	h.ShutdownTimeout = 10 * time.Millisecond
	h.probe.block["hold"] = make(chan struct{})
	hold := step("pick", "choose", echo("outer.currentItem")) + branches(map[string]string{"b": step("hold",
		"effect", "")}, "b", "Else")
	_, urls := h.deploy(integrationOf(flow("Main", "", "",
		each("outer", threeItems, step("one", "effect", echo("outer.currentItem"))+hold))))
	h.start()
	run := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	<-h.probe.began
	h.stop()
	delete(h.probe.block, "hold")
	again := h.again()
	again.start()
	r := again.ended(run)
	if got := outputs(t, r)["outer"]; got != `["a","b","c"]` || h.probe.count("one") != 3 ||
		h.probe.count("hold") != 2 {
		t.Errorf("gives %s after %d and %d calls: %s %s", got, h.probe.count("one"), h.probe.count("hold"),
			paths(r), r.Finished.Error)
	}
}

func TestErrorsIgnored(t *testing.T) {
	h := newHarness(t)
	h.start()
	const ignore = "        errorConfig: {errorHandlerType: ignore}\n"
	r := h.runs("", step("bad", "call", ", fail: {type: value, value: no luck}")+ignore+step("sees", "call",
		echo("bad.error"))+
		step("too", "call", echo("bad.results.error.message"))+step("gone", "call", echo("bad.results")))
	got := outputs(t, r)
	if paths(r) != "hook bad sees too gone" || got["bad"] != "error no luck" ||
		got["sees"] != `{"message":"no luck"}` || got["too"] != `"no luck"` ||
		got["gone"] != `{"did":"gone"}` || r.Finished.Result != domain.Completed {
		t.Errorf("steps %s with %v, ended %+v", paths(r), got, r.Finished)
	}
}

func TestStepRetries(t *testing.T) {
	h := newHarness(t)
	h.start()
	retry := func(more string) string {
		return "        errorConfig: {errorHandlerType: retry, delaySeconds: 0, " + more + "}\n"
	}
	const fails = ", fail: {type: value, value: no}"
	for name, c := range map[string]struct {
		steps string
		calls int
		end   domain.ResultType
	}{
		"helps": {step("a", "effect", fails+
			", times: {type: value, value: '2'}") + retry("maxAttempts: 3"), 3, domain.Completed},
		"does not help": {step("b", "effect", fails) + retry("maxAttempts: 2"), 3, domain.Failed},
		"in the end ignored": {step("c", "effect", fails) + retry("maxAttempts: 1, ignoreFinalError: true"),
			2, domain.Completed},
		"more than allowed": {step("d", "effect", fails) + retry("maxAttempts: 99"), 1 + maxStepRetries, domain.Failed},
		"none":              {step("e", "effect", fails) + retry("maxAttempts: 0"), 1, domain.Failed},
	} {
		r := h.runs("", c.steps)
		last := r.Last()
		if calls := h.probe.count(last.Name); calls != c.calls || r.Finished.Result != c.end {
			t.Errorf("%s: %d calls, ended %+v", name, calls, r.Finished)
		}
	}
}

// An attempt that is due in some time hands the run back, and what was counted survives.
func TestStepRetryHandsBack(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "",
		step("a", "effect", ", fail: {type: value, value: no}, times: {type: value, value: '1'}")+
			"        errorConfig: {errorHandlerType: retry, delaySeconds: 6, maxAttempts: 1}\n")))
	h.start()
	run := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	r := h.until(run, func(r domain.Run) bool { return r.Retried("a").Attempt == 1 })
	wait := r.Retried("a").Due.Sub(r.ClaimedAt)
	busy := h.Running()
	if wait < 5*time.Second || r.Retried("a").Error != "no" || len(r.Retried("a").Log) == 0 {
		t.Errorf("recorded %+v", r.Retried("a"))
	}
	r = h.ended(run)
	if r.Finished.Result != domain.Completed || h.probe.count("a") != 2 || r.Claims != 2 || busy > 1 {
		t.Errorf("ended %+v after %d calls under %d claims", r.Finished, h.probe.count("a"), r.Claims)
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 3, 2: 6, 3: 12, 5: 48, 100: maxBackoff / time.Minute} {
		if got := backoff(3*time.Minute, true, failures, maxBackoff); got != want*time.Minute {
			t.Errorf("after %d failures %s", failures, got)
		}
		if got := backoff(3*time.Minute, false, failures, maxBackoff); got != 3*time.Minute {
			t.Errorf("without backoff after %d failures %s", failures, got)
		}
	}
}

// A flow that is tried again begins at its first step, and says how often.
func TestFlowRetries(t *testing.T) {
	h := newHarness(t)
	h.start()
	const settings = "    retryConfig: {maxAttempts: 2, delayMinutes: 0}\n"
	const fails = ", fail: {type: value, value: no}"
	r := h.runs(settings, step("one", "effect", "")+step("two", "effect", fails+", times: {type: value, value: '1'}"))
	if paths(r) != "hook one two hook one two" || r.Attempt != 1 || r.Finished.Result != domain.Completed ||
		h.probe.count("one") != 2 {
		t.Errorf("steps %s, attempt %d, ended %+v", paths(r), r.Attempt, r.Finished)
	}
	r = h.runs(settings, step("three", "effect", fails))
	if h.probe.count("three") != 3 || r.Attempt != 2 || r.Finished.Result != domain.Failed {
		t.Errorf("attempt %d, ended %+v", r.Attempt, r.Finished)
	}
	_, urls := h.deploy(integrationOf(flow("Main", settings, "", step("four", "effect", fails))))
	if answer := h.post(urls["Main"], "", "", "prismatic-synchronous", "true"); answer.Code != 500 ||
		h.probe.count("four") != 1 {
		t.Errorf("a synchronous call is tried %d times", h.probe.count("four"))
	}
}

// until follows a run until its state is as wanted.
func (h *harness) until(run string, wanted func(domain.Run) bool) domain.Run {
	h.t.Helper()
	for record, err := range h.Log.Follow(h.ctx, 0, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if record.AggregateID() != run {
			continue
		}
		if state, _, err := store.Load(h.ctx, h.Log, domain.Runs, run); err != nil {
			h.t.Fatal(err)
		} else if wanted(state) {
			return state
		}
	}
	panic("the log ended")
}

// cancel does what the API does.
func (h *harness) cancel(run string) {
	h.t.Helper()
	if _, _, err := store.Change(h.ctx, h.Log, domain.Runs, run, domain.Run.Cancel); err != nil {
		h.t.Fatal(err)
	}
	for topic, message := range map[string]string{live.CancelTopic: run, live.EndTopic(run): ""} {
		if err := h.Live.Publish(h.ctx, topic, []byte(message)); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestCancel(t *testing.T) {
	h := newHarness(t)
	h.probe.block["hold"] = make(chan struct{})
	const retry = "        errorConfig: {errorHandlerType: retry, delaySeconds: 60, maxAttempts: 1}\n"
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("hold", "effect", "")+step("after", "call", "")),
		flow("Retried", "", "", step("bad", "effect", ", fail: {type: value, value: no}")+retry),
		flow("Restarted", "    retryConfig: {maxAttempts: 2, delayMinutes: 1}\n", "",
			step("bad", "effect", ", fail: {type: value, value: no}"))))
	waiting := h.queueOnly(urls["Main"])
	h.cancel(waiting)
	h.start()
	running := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	<-h.probe.began
	h.cancel(running) // the step hears of it: else it would hold for ever
	retried := h.post(urls["Retried"], "", "").Header().Get(ExecutionHeader)
	h.until(retried, func(r domain.Run) bool { return !r.Due.IsZero() })
	h.cancel(retried)
	restarted := h.post(urls["Restarted"], "", "").Header().Get(ExecutionHeader)
	h.until(restarted, func(r domain.Run) bool { return r.Attempt == 1 })
	h.cancel(restarted)
	h.stop()
	for _, run := range []string{waiting, running, retried, restarted} {
		if r := h.ended(run); r.Finished.Result != domain.Canceled || strings.Contains(paths(r), "after") {
			t.Errorf("ended %+v after %s", r.Finished, paths(r))
		}
	}
	if h.Running() > 0 {
		t.Errorf("still at %d", h.Running())
	}
}

// A synchronous caller of a run that is canceled hears so.
func TestCancelAnswers(t *testing.T) {
	h := newHarness(t)
	h.probe.block["hold"] = make(chan struct{})
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", step("hold", "effect", ""))))
	h.start()
	answered := make(chan string)
	go func() {
		a := h.post(urls["Main"], "", "")
		answered <- fmt.Sprint(a.Code, a.Body)
	}()
	<-h.probe.began
	var run string
	h.claims.mu.Lock()
	for id := range h.claims.running {
		run = id
	}
	h.claims.mu.Unlock()
	h.cancel(run)
	var body map[string]string
	got := <-answered
	if !strings.HasPrefix(got, "500") || json.Unmarshal([]byte(got[3:]), &body) != nil ||
		body["error"] != "the execution was canceled" || body["executionId"] != run {
		t.Errorf("answered %s", got)
	}
}

// What a step persisted and then failed does not keep its next attempt from persisting something else.
func TestRetryPersistsAnew(t *testing.T) {
	h := newHarness(t)
	h.Components = h.Components.With(component.Component{Key: "counter", Label: "C", Description: "For tests.",
		Actions: []component.Action{
			component.NewAction("save", "Save", "Saves another value each time and fails the first time.",
				func(ctx context.Context, step component.Step, _ struct{}) (component.Result, error) {
					n := h.probe.count("saves")
					h.probe.mu.Lock()
					h.probe.calls["saves"]++
					h.probe.mu.Unlock()
					if err := step.State(component.FlowScope).Set(ctx, "k", float64(n)); err != nil {
						return component.Result{}, err
					}
					if n == 0 {
						return component.Result{}, errors.New("no luck")
					}
					value, _, err := step.State(component.FlowScope).Get(ctx, "k")
					return component.Result{Data: value}, err
				})}})
	h.start()
	r := h.runs("", strings.Replace(step("save", "save", ""), "key: probe", "key: counter", 1)+
		"        errorConfig: {errorHandlerType: retry, delaySeconds: 0, maxAttempts: 1}\n")
	if got := outputs(t, r)["save"]; got != "1" {
		t.Errorf("the second attempt reads %s: %+v", got, r.Finished)
	}
}

func TestFlowWithoutTrigger(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy("definitionVersion: 7\nname: Test\nflows:\n  - name: Main\n    steps:\n" +
		step("one", "call", ""))
	h.start()
	if a := h.post(urls["Main"], "", ""); a.Code != 404 || !strings.Contains(a.Body.String(), "no trigger yet") {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}

// However many runs of a flow have not ended, the older one for a request is found among them.
func TestNewerRequestAmongMany(t *testing.T) {
	h := newHarness(t)
	const settings = "    retryConfig: {maxAttempts: 1, uniqueRequestIdField: {type: reference, value: hook.results.body.data}}\n"
	instance, urls := h.deploy(integrationOf(flow("Main", settings, "", "")))
	first := h.queueOnly(urls["Main"]) // all ask for x
	queued, _, err := store.Load(h.ctx, h.Log, domain.Runs, first)
	if err != nil || queued.Queued.Request != "x" || queued.Queued.Instance != instance {
		t.Fatalf("queued %+v, %v", queued.Queued, err)
	}
	other := queued.Queued
	for n := range waitingMost + 200 {
		other.Request = fmt.Sprint(n)
		changeAll(h, domain.Runs, uuid.NewString(), other)
	}
	var last string
	for range 3 {
		last = h.queueOnly(urls["Main"])
		if r, _, err := store.Load(h.ctx, h.Log, domain.Runs, first); err != nil || r.SupersededBy != last {
			t.Errorf("superseded by %q, not %s, %v", r.SupersededBy, last, err)
		}
		first = last
	}
	still, err := h.Runs.Requested(h.ctx, instance, other.Flow, "x", changeAll(h, domain.Runs, uuid.NewString(), other))
	if err != nil || len(still) != 1 || still[0].ID != last {
		t.Errorf("%d are left for the request, %v", len(still), err)
	}
}

// A newer request with the same id keeps older ones from beginning again: at once where they wait to, or
// when they fail; one with another id does not.
func TestNewerRequestEndsRetries(t *testing.T) {
	h := newHarness(t)
	const settings = "    retryConfig: {maxAttempts: 1, delayMinutes: 60, uniqueRequestIdField: {type: reference, value: hook.results.body.data.id}}\n"
	_, urls := h.deploy(integrationOf(flow("Main", settings, "", step("slow", "call", "")+step("bad", "effect",
		", fail: {type: value, value: no}"))))
	h.start()
	post := func(id string) string {
		return h.post(urls["Main"], "application/json", `{"id": "`+id+`"}`).Header().Get(ExecutionHeader)
	}
	waits := func(r domain.Run) bool { return r.Attempt == 1 }
	other, first := post("b"), post("a")
	h.until(other, waits)
	h.until(first, waits)
	blocked := make(chan struct{})
	h.probe.mu.Lock()
	h.probe.block["slow"] = blocked
	h.probe.mu.Unlock()
	second := post("a")
	<-h.probe.began
	if r := h.ended(first); r.SupersededBy != second || r.Finished.Result != domain.Failed ||
		r.Finished.Error != `step "bad": no` || r.Claims != 1 {
		t.Errorf("the first is superseded by %s and ended %+v", r.SupersededBy, r.Finished)
	}
	third := post("a")
	<-h.probe.began
	close(blocked)
	if r := h.ended(second); r.SupersededBy != third || r.Attempt != 0 || r.Finished.Error != `step "bad": no` {
		t.Errorf("the second is superseded by %s, attempt %d, and ended %+v", r.SupersededBy, r.Attempt, r.Finished)
	}
	if r := h.until(third, waits); r.Finished != nil || r.SupersededBy != "" {
		t.Errorf("the third does not wait: %+v", r.Finished)
	}
	if r, _, err := store.Load(h.ctx, h.Log, domain.Runs, other); err != nil || r.Finished != nil ||
		r.SupersededBy != "" {
		t.Errorf("the one with another id does not wait: %+v, %v", r.Finished, err)
	}
}
