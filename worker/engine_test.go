package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/worker/queue"
)

// full is a log whose disk is full.
type full struct{ store.Log }

func (full) Append(context.Context, string, store.Revision, ...store.Event) (store.Position, error) {
	return 0, refusal.New(refusal.Unavailable, "the disk is full")
}

// queue accepts a trigger while no worker runs.
func (h *harness) queueOnly(url string) string {
	h.t.Helper()
	if h.Worker.queue == nil {
		q, err := queue.Open("embedded", 1, time.Second, h.Logger)
		if err != nil {
			h.t.Fatal(err)
		}
		h.use(q, maxQueuedEmbedded)
		h.t.Cleanup(q.Close)
	}
	a := h.post(url, "text/plain", "x")
	if a.Code != 200 {
		h.t.Fatalf("answered %d %s", a.Code, a.Body)
	}
	return a.Header().Get(ExecutionHeader)
}

// A run that was accepted and never offered, as when Redis lost everything, is found by the sweep.
func TestSweepFindsWhatTheQueueLost(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	run := h.queueOnly(urls["Main"])
	again := h.again() // an empty queue
	again.start()
	if r := again.ended(run); paths(r) != "hook one" || h.probe.count("one") != 1 {
		t.Errorf("ran %q, called %d times", paths(r), h.probe.count("one"))
	}
}

// What has a StepFinished is not done again; what was in flight is, under the same key.
func TestResume(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		step("one", "effect", "")+step("two", "effect", "")+
			codeStep("Give", `module.exports = async (c, {one, two}) => ({data: [one.results.did, two.results.did]})`))))
	blocked := make(chan struct{})
	h.probe.block["two"] = blocked
	h.start()
	answered := make(chan string)
	go func() { answered <- h.post(urls["Main"], "", "").Body.String() }()
	<-h.probe.began
	first := h.probe.keys["two"]
	h.stop() // in the middle of the second step, which is cut off and hands back
	delete(h.probe.block, "two")
	again := h.again()
	again.start()
	if got := <-answered; got != `["one","two"]` {
		t.Errorf("answered %s", got)
	}
	if h.probe.count("one") != 1 || h.probe.count("two") != 2 || h.probe.keys["two"] != first {
		t.Errorf("one was called %d times, two %d times, keys %s and %s", h.probe.count("one"), h.probe.count("two"),
			first, h.probe.keys["two"])
	}
}

// Two workers offered the same claim: the log lets one of them do it.
func TestClaim(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	run := h.queueOnly(urls["Main"])
	a, b := h.again(), h.again()
	a.name, b.name = "a", "b"
	for _, w := range []*harness{a, b} {
		w.use(h.queue, maxQueuedEmbedded)
	}
	x, err := a.claim(h.ctx, run, 0)
	if err != nil {
		t.Fatal(err)
	}
	same, err := b.claim(h.ctx, run, 0) // neither has recorded anything yet
	if err != nil {
		t.Fatal(err)
	}
	if err := x.flush(nil); err != nil {
		t.Fatal(err)
	}
	if err := same.work(h.ctx); refusal.CodeOf(err) != refusal.Conflict {
		t.Errorf("a second worker under the same number records: %v", err)
	}
	if _, err := b.claim(h.ctx, run, 0); refusal.CodeOf(err) != refusal.Conflict {
		t.Errorf("a second claim under the same number gives %v", err)
	}
	if _, err := b.claim(h.ctx, run, 1); err != nil { // the first worker seems dead
		t.Fatal(err)
	}
	if err := x.work(h.ctx); refusal.CodeOf(err) != refusal.Conflict {
		t.Errorf("a worker with an old claim records: %v", err)
	}
	if r, _, err := store.Load(h.ctx, h.Log, domain.Runs, run); err != nil || r.Finished != nil ||
		len(r.Steps()) != 0 || r.Claims != 2 {
		t.Errorf("the run is %+v, %v", r, err)
	}
}

// The end comes whatever happens to a step, and says which one and why.
func TestEnds(t *testing.T) {
	h := newHarness(t)
	h.RunTimeout = 300 * time.Millisecond
	h.probe.block["slow"] = make(chan struct{})
	unknown := strings.Replace(step("none", "call", ""), "key: probe", "key: acme", 1)
	_, urls := h.deploy(integrationOf(
		flow("Fails", "", "", step("one", "call", ", fail: {type: value, value: no luck}")+step("two", "call", "")),
		flow("Unknown", "", "", unknown),
		flow("Slow", "", "", step("slow", "call", "")),
		flow("Script", "", "", codeStep("Throw", `module.exports = async () => { throw new Error("my fault") }`)),
	))
	h.start()
	for name, want := range map[string]string{
		"Fails":   `step "one": no luck`,
		"Unknown": `acme`,
		"Slow":    `HEDDLE_RUN_TIMEOUT`,
		"Script":  `my fault`,
	} {
		t.Run(name, func(t *testing.T) {
			r := h.ended(h.post(urls[name], "", "").Header().Get(ExecutionHeader))
			if r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, want) {
				t.Errorf("ended %+v", r.Finished)
			}
		})
	}
	if h.probe.count("two") != 0 {
		t.Error("a step after the one that failed was done")
	}
}

func TestFailedStepsLogTheirError(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "",
		step("one", "call", ", fail: {type: value, value: no luck}"))))
	h.start()
	r := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	last := r.Last()
	if last.Error != "no luck" || len(last.Log) != 2 || last.Log[1].Severity != "ERROR" ||
		last.Log[1].Message != "no luck" {
		t.Errorf("the step is %+v", last)
	}
}

// A run whose log can't be written is tried again until it can: it is neither lost nor ended.
func TestStoreFailureIsTriedAgain(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	run := h.queueOnly(urls["Main"])
	w := h.again()
	w.use(h.queue, maxQueuedEmbedded)
	w.Worker.Log = full{h.Log}
	err := w.execute(h.ctx, queue.TaskID(run, 0))
	if again, ok := errors.AsType[*queue.Wait](err); !ok || again.After != againAfter {
		t.Errorf("execute gives %v", err)
	}
	w.Worker.Log = h.Log
	if err := w.execute(h.ctx, queue.TaskID(run, 0)); err != nil {
		t.Fatal(err)
	}
	if r := h.ended(run); r.Finished.Result != domain.Completed {
		t.Errorf("ended %+v", r.Finished)
	}
}

// Long outputs and long logs go to blobs and come back.
func TestLargeOutput(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		codeStep("Make", `module.exports = async (c) => { for (let i = 0; i < 300; i++) c.logger.info("line " + i + "x".repeat(100)); return {data: "y".repeat(20000)} }`)+
			codeStep("Count", `module.exports = async (c, {make}) => ({data: make.results.length})`))))
	h.start()
	a := h.post(urls["Main"], "", "")
	if a.Body.String() != "20000" {
		t.Fatalf("answered %d %s", a.Code, a.Body)
	}
	r := h.ended(a.Header().Get(ExecutionHeader))
	made := r.Steps()[1]
	if made.Output.Blob == "" || made.LogBlob == nil || len(made.Log) != 0 {
		t.Errorf("the step is %+v", made)
	}
}

// What a step's event can't hold goes to a blob or fails the step; it never repeats what was done.
func TestLargeEvents(t *testing.T) {
	h := newHarness(t)
	large := `"x".repeat(600000)`
	_, urls := h.deploy(integrationOf(
		flow("State", "    isSynchronous: true\n", "", step("one", "effect", "")+
			codeStep("Keep", `module.exports = async () => ({data: 1, executionState: {big: `+large+`}})`)+
			codeStep("Count", `module.exports = async (c) => ({data: c.executionState.big.length})`)),
		flow("Headers", "", "", step("two", "effect", "")+
			codeStep("Big", `module.exports = async () => ({data: 1, headers: {"X-A": `+large+`}})`)),
		flow("Message", "", "", step("three", "effect", "")+codeStep("Big",
			`module.exports = async () => { throw new Error(`+large+`) }`)),
	))
	h.start()
	if a := h.post(urls["State"], "", ""); a.Body.String() != "600000" {
		t.Errorf("answered %d %.200s", a.Code, a.Body)
	}
	for name, want := range map[string]string{"Headers": "may have 32768 bytes", "Message": "xxxx"} {
		r := h.ended(h.post(urls[name], "", "").Header().Get(ExecutionHeader))
		if r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, want) ||
			len(r.Finished.Error) > 2*maxLogLine {
			t.Errorf("%s ended with %.300s", name, r.Finished.Error)
		}
	}
	for _, name := range []string{"one", "two", "three"} {
		if n := h.probe.count(name); n != 1 {
			t.Errorf("%s was done %d times", name, n)
		}
	}
}

// An outside effect that is done is in the log before the next step begins.
func TestEffectsAreDurableAtOnce(t *testing.T) {
	h := newHarness(t)
	h.probe.block["two"] = make(chan struct{})
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", "")+step("two", "call", ""))))
	h.start()
	run := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	<-h.probe.began
	r, _, err := store.Load(h.ctx, h.Log, domain.Runs, run)
	if err != nil || paths(r) != "hook one" {
		t.Errorf("the log holds %q, %v", paths(r), err)
	}
	close(h.probe.block["two"])
	h.ended(run)
}

// A run that takes its worker down every time ends at last.
func TestClaimsAreLimited(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	run := h.queueOnly(urls["Main"])
	var claims []domain.Event[domain.Run]
	for n := range h.MaxClaims {
		claims = append(claims, domain.RunClaimed{Claim: n + 1, Worker: "gone"})
	}
	changeAll(h, domain.Runs, run, claims...)
	again := h.again()
	again.start()
	if r := again.ended(run); r.Finished.Result != domain.Failed ||
		!strings.Contains(r.Finished.Error, "cut off each time") || h.probe.count("one") != 0 {
		t.Errorf("ended %+v", r.Finished)
	}
}

// A stop is no cut, and a run that was accepted before its process began may have ended the one before.
func TestCutOffs(t *testing.T) {
	h := newHarness(t)
	h.ShutdownTimeout = 1
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", ""))))
	h.probe.block["one"] = make(chan struct{})
	h.start()
	run := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	<-h.probe.began
	for range h.MaxClaims + 1 {
		h.stop()
		h = h.again()
		h.start()
		<-h.probe.began
	}
	h.stop()
	if r, _, err := store.Load(h.ctx, h.Log, domain.Runs, run); err != nil || r.CutOff != 0 ||
		r.Claims != h.MaxClaims+2 || r.Finished != nil {
		t.Errorf("after stops %d of %d claims were cut off, ended %+v, %v", r.CutOff, r.Claims, r.Finished, err)
	}
	waiting := h.queueOnly(urls["Main"])
	h = h.again()
	h.start()
	<-h.probe.began
	<-h.probe.began
	h.stop()
	for record, err := range h.Log.Read(h.ctx, domain.Runs.Stream(waiting), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Kind == "RunClaimed" && !strings.Contains(string(record.Data), `"again":true`) {
			t.Errorf("one that may have been begun before is claimed by %s", record.Data)
		}
	}
}

// State over what one event holds, and over what one append may have, is still cut short by snapshots, and nothing of
// it is lost.
func TestLargeStateSnapshot(t *testing.T) {
	for _, keys := range []int{6, 20} {
		testLargeStateSnapshot(t, keys)
	}
}

func testLargeStateSnapshot(t *testing.T, keys int) {
	h := newHarness(t)
	x := &attempt{w: h.Worker, recorded: true, ctxRun: h.ctx}
	x.run.ID, x.run.Queued.Instance = "run", "i"
	for i := range domain.SnapshotEvery + 20 {
		s := &stepContext{x: x, path: fmt.Sprint("step", i)}
		if err := s.State("crossFlow").Set(h.ctx, fmt.Sprint("key", i%keys),
			strings.Repeat("v", 100<<10)+fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, err := range h.Log.Read(h.ctx, domain.States.Stream("i"), 0) {
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	all, err := (&stepContext{x: x}).State("crossFlow").All(h.ctx)
	if err != nil || len(all) != keys || kept > 50 {
		t.Fatalf("%d values in %d records, %v", len(all), kept, err)
	}
	for i := range keys {
		last := domain.SnapshotEvery + 20 - 1
		for last%keys != i {
			last--
		}
		if text, _ := all[fmt.Sprint("key", i)].(string); !strings.HasSuffix(text, "v"+fmt.Sprint(last)) {
			t.Errorf("key%d ends with %s, not %d", i, text[len(text)-5:], last)
		}
	}
}

func TestState(t *testing.T) {
	h := newHarness(t)
	code := `module.exports = async (c) => { c.crossFlowState.n = (c.crossFlowState.n || 0) + 1; c.executionState.own = 1; return {data: c.crossFlowState.n} }`
	own := `module.exports = async (c) => ({data: [c.crossFlowState.n, c.executionState.own || 0]})`
	_, urls := h.deploy(integrationOf(flow("Count", "    isSynchronous: true\n", "",
		codeStep("Add", code)+codeStep("Read", own)),
		flow("Read", "    isSynchronous: true\n", "", codeStep("Read", own))))
	h.start()
	for _, want := range []string{"[1,1]", "[2,1]"} {
		if a := h.post(urls["Count"], "", ""); a.Body.String() != want {
			t.Errorf("answered %s, want %s", a.Body, want)
		}
	}
	if a := h.post(urls["Read"], "", ""); a.Body.String() != "[2,0]" {
		t.Errorf("another flow reads %s", a.Body)
	}
}

// A state stream is cut short by snapshots and keeps its values.
func TestStateSnapshot(t *testing.T) {
	h := newHarness(t)
	x := &attempt{w: h.Worker, recorded: true, ctxRun: h.ctx}
	x.run.ID, x.run.Queued.Instance = "run", "i"
	for i := range domain.SnapshotEvery + 10 {
		s := &stepContext{x: x, path: "step" + strings.Repeat("x", i%7)}
		if err := s.State("crossFlow").Set(h.ctx, "key", i); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, err := range h.Log.Read(h.ctx, domain.States.Stream("i"), 0) {
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if kept > 20 {
		t.Errorf("%d records are kept after a snapshot", kept)
	}
	value, found, err := (&stepContext{x: x}).State("crossFlow").Get(h.ctx, "key")
	if n, ok := value.(float64); err != nil || !found || !ok || int(n) != domain.SnapshotEvery+9 {
		if m, ok := value.(int64); !ok || int(m) != domain.SnapshotEvery+9 {
			t.Errorf("the value is %v, %v, %v", value, found, err)
		}
	}
}
