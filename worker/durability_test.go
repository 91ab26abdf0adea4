package worker

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/domain"
	"heddle/store"
)

// A script that made a request is in the log before the next step begins.
func TestScriptsThatFetchAreDurableAtOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	h := newHarness(t)
	h.probe.block["two"] = make(chan struct{})
	code := `module.exports = async () => { await fetch("` + server.URL + `"); }`
	_, urls := h.deploy(integrationOf(flow("Main", "", "", codeStep("One", code)+step("two", "call", ""))))
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

// Code knows which step it is.
func TestStepID(t *testing.T) {
	h := newHarness(t)
	code := `module.exports = async (context) => ({ data: context.stepId })`
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		codeStep("One", `() => 1`)+codeStep("Two", code))))
	h.start()
	answer := h.post(urls["Main"], "", "")
	id := strings.Trim(answer.Body.String(), `"`)
	r, _, err := store.Load(h.ctx, h.Log, domain.Runs, answer.Header().Get(ExecutionHeader))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Steps() {
		if (s.Step == id) != (s.Path == "two") {
			t.Errorf("step %s is %s, the code says %s", s.Path, s.Step, id)
		}
	}
}

// Updates of several runs do not get lost, and one that is repeated changes nothing.
func TestStateUpdate(t *testing.T) {
	h := newHarness(t)
	in := func(run, path string) *stepContext {
		x := &attempt{w: h.Worker, recorded: true, ctxRun: h.ctx}
		x.run.ID, x.run.Queued.Instance, x.run.Queued.Flow = run, "i", "f"
		return &stepContext{x: x, path: path}
	}
	push := func(v any) func(any, bool) (any, error) {
		return func(old any, found bool) (any, error) {
			list, _ := old.([]any)
			if found != (len(list) > 0) {
				return nil, errors.New("found is wrong")
			}
			return append(list, v), nil
		}
	}
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, err := in(fmt.Sprint("run", i), "step").State("flow").Update(h.ctx, "k",
				push(float64(i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	value, err := in("run", "read").State("flow").Update(h.ctx, "k", push("x"))
	again, errAgain := in("run", "read").State("flow").Update(h.ctx, "k", push("y"))
	if list, _ := value.([]any); len(list) != 21 || err != nil || errAgain != nil || !cmp.Equal(value, again) {
		t.Errorf("got %v, %v, then %v, %v", value, err, again, errAgain)
	}
	own := in("run", "own").State("execution")
	for i, want := range []any{[]any{1.0}, []any{1.0, 2.0}} {
		if got, err := own.Update(h.ctx, "k", push(float64(i+1))); !cmp.Equal(got, want) || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	boom := errors.New("boom")
	for _, scope := range []string{"flow", "execution"} {
		state := in("run", "fails").State("flow")
		if scope == "execution" {
			state = own
		}
		if _, err := state.Update(h.ctx, "k", func(any, bool) (any, error) {
			return nil, boom
		}); !errors.Is(err, boom) {
			t.Errorf("%s: got %v", scope, err)
		}
	}
}
