package worker

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// interrupted cuts off the first run that is to record the end of a step "count", after something else has happened.
type interrupted struct {
	store.Log
	cut     string // the stream of that run
	tries   atomic.Int32
	refused atomic.Bool
	before  func()
}

func (l *interrupted) Append(ctx context.Context, stream string, at store.Revision,
	events ...store.Event) (store.Position, error) {
	if last := events[len(events)-1]; last.Kind == "StepFinished" &&
		strings.Contains(string(last.Data), `"path":"count"`) {
		switch try := l.tries.Add(1); {
		case try == 1:
			l.cut = stream
			l.before()
		case stream != l.cut || l.refused.Swap(true): // the worker tries once more before it gives up
			return l.Log.Append(ctx, stream, at, events...)
		}
		return 0, refusal.New(refusal.Unavailable, "the power is gone")
	}
	return l.Log.Append(ctx, stream, at, events...)
}

// A step that is cut off after its write makes none when it is repeated, whatever other runs have written to
// the key since, and however often a snapshot has taken the place of what it wrote.
func TestRepeatedWriteAfterOthers(t *testing.T) {
	for name, writes := range map[string]int{"one run": 0, "a snapshot": domain.SnapshotEvery,
		"snapshots": 2 * domain.SnapshotEvery} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cut := &interrupted{Log: h.Log}
			h.Worker.Log = cut
			instance, urls := h.deploy(integrationOf(flow("Main", "", "", persist("count", "incrementCrossFlowValue"))))
			cut.before = func() {
				if r := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)); outputs(t,
					r)["count"] != `{"key":"n","value":2}` {
					t.Errorf("another run leaves %v", outputs(t, r))
				}
				x := &attempt{w: h.Worker, recorded: true, ctxRun: h.ctx}
				x.run.ID, x.run.Organization, x.run.Queued.Instance = "other", h.organization, instance
				for i := range writes {
					s := &stepContext{x: x, path: fmt.Sprint("step", i)}
					if err := s.State("crossFlow").Set(h.ctx, "n", 10+i); err != nil {
						t.Error(err)
					}
				}
			}
			h.start()
			want := "2"
			if writes > 0 {
				want = fmt.Sprint(9 + writes)
			}
			r := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
			if got := outputs(t, r)["count"]; got != `{"key":"n","value":1}` {
				t.Errorf("the repeated step gives %s: %+v", got, r.Finished)
			}
			state, _, err := store.Load(h.ctx, h.Log, domain.States, instance)
			if got := string(state.Scopes["crossFlow"]["n"].Value); err != nil || got != want {
				t.Errorf("the value is %s, not %s, %v", got, want, err)
			}
			for first, err := range h.Log.Read(h.ctx, domain.States.Stream(instance), 0) {
				if err != nil || (first.Kind == "StateSnapshot") != (writes > 0) {
					t.Errorf("the stream begins with %s, %v", first.Kind, err)
				}
				break
			}
		})
	}
}

// A snapshot forgets what ended runs wrote, and those that are gone.
func TestSnapshotForgetsEndedRuns(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	h.start()
	ended := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	h.stop()
	h.Worker.queue = nil
	open := h.queueOnly(urls["Main"])
	changeAll(h, domain.Runs, "gone", domain.RunQueued{})
	if err := h.Log.Remove(h.ctx, domain.Runs.Stream("gone")); err != nil {
		t.Fatal(err)
	}
	if err := h.Runs.Wait(h.ctx, h.Runs.Seen()); err != nil {
		t.Fatal(err)
	}
	x := &attempt{w: h.Worker, recorded: true, ctxRun: h.ctx}
	for i, run := range []string{ended.ID, "gone", open} {
		x.run.ID, x.run.Organization, x.run.Queued.Instance = run, h.organization, "i"
		for n := range domain.SnapshotEvery / 3 {
			if err := (&stepContext{x: x, path: "step"}).State("crossFlow").Set(h.ctx,
				fmt.Sprint(i, n), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range 2 {
		if err := (&stepContext{x: x, path: "step"}).State("crossFlow").Set(h.ctx, fmt.Sprint("more", n),
			n); err != nil {
			t.Fatal(err)
		}
	}
	state, _, err := store.Load(h.ctx, h.Log, domain.States, "i")
	if writers := state.Writers(); err != nil || state.Since > 0 || len(writers) != 1 || !writers[open] {
		t.Errorf("remembered are %v, %v", writers, err)
	}
}
