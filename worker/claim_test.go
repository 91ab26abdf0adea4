package worker

import (
	"testing"
	"time"

	"heddle/domain"
	"heddle/store"
	"heddle/worker/queue"
)

// A worker that takes over a run whose earlier claim is still at work, as when Redis forgets its sign of
// life, knows of every step that was recorded before its own claim was.
func TestClaimKnowsWhatWasDoneUntilThen(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", "")+step("two", "effect", ""))))
	run := h.queueOnly(urls["Main"])
	first := domain.RunClaimed{Claim: 1, Worker: "another", At: now()}
	record := func(steps ...domain.StepFinished) {
		t.Helper()
		if _, _, err := store.Change(h.ctx, h.Log, domain.Runs, run,
			func(r domain.Run) (domain.Changes[domain.Run], error) {
				return r.Record(first, steps, nil)
			}); err != nil {
			t.Fatal(err)
		}
	}
	record()
	read, err := store.Open(h.ctx, h.Log, domain.Runs, run)
	if err != nil {
		t.Fatal(err)
	}
	record(domain.StepFinished{Path: "one"}) // between the reading of the run and the claim
	h.dispatcher.remember(queue.TaskID(run, 1), offered{time.Now().Add(time.Minute), accepted{handle: read}})
	x, err := h.claim(h.ctx, run, 1)
	if err != nil {
		t.Fatal(err)
	}
	if steps := x.run.Steps(); len(steps) != 1 || steps[0].Path != "one" || x.run.Claims != 2 {
		t.Errorf("claim %d knows of %+v", x.run.Claims, steps)
	}
}

// A claim is seen to be held from before it is recorded until it is given up; one that is recorded with
// the run's end need not be.
func TestSignOfLife(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", "")),
		flow("Pure", "", "", step("two", "call", ""))))
	for name, want := range map[string]bool{"Main": true, "Pure": false} {
		run := h.queueOnly(urls[name])
		x, err := h.claim(h.ctx, run, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen := func() bool {
			_, alive, err := h.Live.Get(t.Context(), claimKey(run, 1))
			return alive && err == nil
		}
		if seen() {
			t.Errorf("%s: a claim that is not recorded yet is shown", name)
		}
		if err := x.work(h.ctx); err != nil {
			t.Fatal(err)
		}
		if seen() != want {
			t.Errorf("%s: shown %v", name, !want)
		}
		h.claims.release(run, 1)
		h.claims.showLife(t.Context(), claimKey(run, 1)) // as a renewal does that comes too late
		if seen() {
			t.Errorf("%s: a claim is shown after its end", name)
		}
	}
}
