package store

import (
	"fmt"
	"runtime"
	"testing"
	"weak"

	"heddle/domain"
)

// A long run is not cached after its worker has let go of it; what people edit is.
func TestFoldsOfRunsAreNotKept(t *testing.T) {
	log := NewMemory()
	ctx := As(t.Context(), Author{Organization: "o", Actor: "test"})
	steps := domain.Changes[domain.Run]{domain.RunQueued{}}
	values := domain.Changes[domain.State]{}
	for i := range longStream {
		steps = append(steps, domain.StepFinished{Path: fmt.Sprint(i)})
		values = append(values, domain.ValueSaved{Key: fmt.Sprint(i), Value: []byte("1")})
	}
	run, state := Fresh(log, domain.Runs, "r"), Fresh(log, domain.States, "s")
	if _, _, err := run.Change(ctx, func(domain.Run) (domain.Changes[domain.Run], error) {
		return steps, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := state.Change(ctx, func(domain.State) (domain.Changes[domain.State], error) {
		return values, nil
	}); err != nil {
		t.Fatal(err)
	}
	_, keptRun := log.shared().folds.Get(run.foldKey())
	_, keptState := log.shared().folds.Get(state.foldKey())
	if keptRun || !keptState {
		t.Errorf("the run is kept: %v; the state: %v", keptRun, keptState)
	}
}

// Cached folds of a log in memory go with it.
func TestFoldsGoWithTheirLog(t *testing.T) {
	gone := func() weak.Pointer[Memory] {
		log := NewMemory()
		ctx := As(t.Context(), Author{Organization: "o", Actor: "test"})
		values := domain.Changes[domain.State]{}
		for i := range longStream {
			values = append(values, domain.ValueSaved{Key: fmt.Sprint(i), Value: []byte("1")})
		}
		if _, _, err := Change(ctx, log, domain.States, "s", func(domain.State) (domain.Changes[domain.State], error) {
			return values, nil
		}); err != nil {
			t.Fatal(err)
		}
		if log.shared().folds.Len() != 1 {
			t.Error("nothing is kept")
		}
		return weak.Make(log)
	}()
	for range 10 {
		runtime.GC()
	}
	if gone.Value() != nil {
		t.Error("the log is still there")
	}
}
