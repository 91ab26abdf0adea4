package worker

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// persist makes a step of the component persist-data on the key "n".
func persist(name, action string) string {
	return "      - name: " + name + "\n        action: {component: {key: persist-data, isPublic: true, version: LATEST}, key: " + action +
		"}\n        inputs: {keyInput: {type: value, value: n}}\n"
}

// What a loop's body left, in the scope and among the execution's own values, is there after a crash
// behind the loop as it was before.
func TestFinishedLoopIsRecalledWhole(t *testing.T) {
	inner := each("inner", twoItems, step("leaf", "call", echo("inner.currentItem"))+step("out", "leave", ""))
	for name, body := range map[string]string{
		"plain": step("leaf", "call", echo("outer.currentItem")),
		"branch": step("pick", "choose",
			echo("outer.currentItem")) + branches(map[string]string{"b": step("leaf", "call", echo("outer.index"))},
			"b", "Else"),
		"break":  step("leaf", "call", echo("outer.currentItem")) + step("out", "leave", ""),
		"nested": inner,
	} {
		ends := map[bool]map[string]string{}
		for _, crash := range []bool{false, true} {
			h := newHarness(t)
			h.ShutdownTimeout = 10 * time.Millisecond
			_, urls := h.deploy(integrationOf(flow("Main", "", "",
				each("outer", threeItems, persist("count", "incrementExecutionValue")+body)+
					step("hold", "effect", "")+persist("counted", "getExecutionValue")+step("seen", "call",
					echo("leaf.results")))))
			last := h
			if crash {
				h.probe.block["hold"] = make(chan struct{})
			}
			h.start()
			run := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
			if crash {
				<-h.probe.began
				h.stop()
				delete(h.probe.block, "hold")
				last = h.again()
				last.start()
			}
			ends[crash] = outputs(t, last.ended(run))
		}
		for _, path := range []string{"counted", "seen"} {
			if ends[true][path] != ends[false][path] || ends[false][path] == "" {
				t.Errorf("%s: %s gives %s after a crash, %s without", name, path, ends[true][path], ends[false][path])
			}
		}
	}
}

// A run that hands itself back to wait is not cut off, however often it does.
func TestWaitingIsNoCutOff(t *testing.T) {
	h := newHarness(t)
	h.MaxClaims = 2
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	run := h.queueOnly(urls["Main"])
	var events []domain.Event[domain.Run]
	for n := range 5 {
		events = append(events, domain.RunClaimed{Claim: n + 1, Worker: "gone"},
			domain.StepRetried{Claim: n + 1, Path: "one", Attempt: 1})
	}
	changeAll(h, domain.Runs, run, events...)
	again := h.again()
	again.start()
	if r := again.ended(run); r.Finished.Result != domain.Completed {
		t.Errorf("ended %+v", r.Finished)
	}
}

// A run that takes its process down before anything is recorded is counted all the same, once it
// has waited longer than a healthy queue lets it.
func TestFirstClaimIsCounted(t *testing.T) {
	h := newHarness(t)
	h.Lease = time.Millisecond
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	run := h.queueOnly(urls["Main"])
	time.Sleep(firstClaimAfter * h.Lease)
	w := h.again()
	w.use(h.queue, maxQueuedEmbedded)
	if _, err := w.claim(h.ctx, run, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.claim(h.ctx, run, 0); refusal.CodeOf(err) != refusal.Conflict {
		t.Errorf("the claim is not recorded: %v", err)
	}
}

// A component that panics fails its step, not the worker.
func TestPanic(t *testing.T) {
	h := newHarness(t)
	type none struct{}
	h.Components = h.Components.With(component.Component{Key: "broken", Label: "B", Description: "For tests.",
		Actions: []component.Action{
			component.NewAction("panic", "Panic", "Panics.",
				func(context.Context, component.Step, none) (component.Result, error) {
					panic("secret")
				})}})
	h.start()
	r := h.runs("", strings.ReplaceAll(step("bad", "panic", ""), "key: probe", "key: broken"))
	if r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, `step "bad": the component failed`) ||
		strings.Contains(r.Finished.Error, "secret") {
		t.Errorf("ended %+v", r.Finished)
	}
}

// A loop whose results do not fit has been done, so it is not done again.
func TestLoopIsNotRepeated(t *testing.T) {
	h := newHarness(t)
	h.MaxOutput = 1500
	h.start()
	const retry = "        errorConfig: {errorHandlerType: retry, maxAttempts: 2, delaySeconds: 0, ignoreFinalError: true}\n"
	large := strings.Repeat("x", 600)
	r := h.runs("", step("list", "each", ", items: "+threeItems)+retry+indented("steps",
		step("one", "effect", ", echo: {type: value, value: "+large+"}"))+
		step("after", "call", ""))
	if got := outputs(t, r); h.probe.count("one") != 3 || !strings.Contains(got["list"], "HEDDLE_MAX_STEP_OUTPUT") ||
		h.probe.count("after") != 1 {
		t.Errorf("one was done %d times: %s, %+v", h.probe.count("one"), got["list"], r.Finished)
	}
}

// What a failed attempt set in the execution's own scope is not seen by the next one, whether or not
// another worker makes it.
func TestFailedAttemptLeavesNoValues(t *testing.T) {
	h := newHarness(t)
	h.start()
	const retry = "        errorConfig: {errorHandlerType: retry, maxAttempts: 1, delaySeconds: 0}\n"
	h.probe.sets = true
	r := h.runs("", step("bad", "call", ", times: {type: value, value: 1}, fail: {type: value, value: no}")+retry)
	if got := outputs(t, r); got["bad"] != `{"did":"bad","found":false}` {
		t.Errorf("gives %s: %+v", got["bad"], r.Finished)
	}
}

// A step's change of a value is made again when the whole flow is, and is bounded like any other write.
func TestUpdateInTheNextAttempt(t *testing.T) {
	h := newHarness(t)
	for _, scope := range []component.Scope{component.FlowScope, component.ExecutionScope} {
		x := &attempt{w: h.Worker, recorded: true, ctxRun: h.ctx}
		x.run.ID, x.run.Queued.Instance = "run", "i"
		more := func(old any, _ bool) (any, error) {
			n, _ := old.(float64)
			return n + 1, nil
		}
		var value any
		for attempt := range 3 {
			x.run.Attempt = attempt
			var err error
			if value, err = (&stepContext{x: x, path: "count"}).State(scope).Update(h.ctx, "k", more); err != nil {
				t.Fatal(err)
			}
		}
		if value != float64(3) {
			t.Errorf("%s: three attempts of the flow give %v", scope, value)
		}
		x.w.MaxState = 100
		long := func(any, bool) (any, error) { return strings.Repeat("v", 100), nil }
		if _, err := (&stepContext{x: x, path: "long"}).State(scope).Update(h.ctx, "k",
			long); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: a value over the limit gives %v", scope, err)
		}
	}
}

// A step that can't make durable what came before it is not to blame: it is done when the log is there again.
func TestStepOutlivesALostLog(t *testing.T) {
	h := newHarness(t)
	at := &flaky{Log: h.Log}
	h.Worker.Log = at
	h.start()
	r := h.runs("", persist("first", "incrementInstanceValue")+persist("again", "incrementInstanceValue"))
	if got := outputs(t, r); r.Finished.Result != domain.Completed || got["again"] != `{"key":"n","value":2}` ||
		!at.refused.Load() {
		t.Errorf("ended %+v with %v", r.Finished, got)
	}
}

// flaky refuses the second append to a run.
type flaky struct {
	store.Log
	refused atomic.Bool
}

func (f *flaky) Append(ctx context.Context, stream string, at store.Revision, events ...store.Event) (store.Position,
	error) {
	if strings.HasPrefix(stream, "run-") && at >= 0 && f.refused.CompareAndSwap(false, true) {
		return 0, refusal.New(refusal.Unavailable, "the disk is full")
	}
	return f.Log.Append(ctx, stream, at, events...)
}

// What a number in the file says beyond the most counts as the most, however large it is.
func TestHandlingIsBounded(t *testing.T) {
	for _, large := range []any{int64(math.MaxInt64), 1e300} {
		if got := wholeNumber(large); got < maxFlowRetries {
			t.Errorf("%v counts as %d", large, got)
		}
		if got := delayOf(large, time.Minute, maxFlowDelay); got != maxFlowDelay {
			t.Errorf("%v minutes are %v", large, got)
		}
	}
}
