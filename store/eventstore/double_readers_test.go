package eventstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/eventstore"
	"heddle/worker"
)

// readers are a view and an index of executions that follow a log, until closed.
type readers struct {
	view  *projections.View
	runs  *projections.RunIndex
	close func()
}

func read(t *testing.T, log store.Log, dir string) *readers {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	runs, err := projections.OpenRunIndex(t.Context(), filepath.Join(dir, "runs.db"), log, quiet)
	if err != nil {
		t.Fatal(err)
	}
	r := &readers{view: projections.NewView(log, quiet), runs: runs}
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	for _, run := range []func(context.Context) error{r.view.Run, runs.Run} {
		reading.Go(func() {
			if err := run(ctx); ctx.Err() == nil {
				t.Errorf("a reader ended with %v", err)
			}
		})
	}
	r.close = sync.OnceFunc(func() {
		cancel()
		reading.Wait()
		if err := runs.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.close)
	for _, ready := range []<-chan struct{}{r.view.CaughtUp(), runs.CaughtUp()} {
		within(t, ready, "catching up")
	}
	return r
}

func within(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", what)
	}
}

func as(t *testing.T) context.Context {
	return store.As(t.Context(), store.Author{Organization: "o", Actor: "trigger"})
}

func happen[S any](t *testing.T, log store.Log, c *domain.Category[S], id string,
	events ...domain.Event[S]) store.Position {
	t.Helper()
	_, pos, err := store.Change(as(t), log, c, id, func(S) (domain.Changes[S], error) { return events, nil })
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func ran(t *testing.T, log store.Log, id string) store.Position {
	t.Helper()
	return happen(t, log, domain.Runs, id, domain.Event[domain.Run](domain.RunQueued{Instance: "i", Flow: "f"}),
		domain.RunClaimed{Claim: 1}, domain.RunFinished{Claim: 1, Result: domain.Completed})
}

// Readers on EventStoreDB, behaving as its source says: executions are removed, other programs write, processes
// restart, and nobody waits for a checkpoint.
func TestReadersOnEventStoreDB(t *testing.T) {
	double, dir := eventstore.NewDouble(t), t.TempDir()
	log := double.Open(t)
	double.Other("orders-1")
	happen(t, log, domain.Customers, "c", domain.Event[domain.Customer](domain.CustomerCreated{Name: "C"}))
	r := read(t, log, dir)

	tail, stop := r.runs.TailInstance("i")
	ran(t, log, "1")
	within(t, tail.Grown, "a run's growth")
	if grown, _, _ := tail.Take(); len(grown) != 1 || grown[0] != "1" {
		t.Errorf("grown are %v", grown)
	}
	stop()
	double.Other("run-other")
	at := happen(t, log, domain.Customers, "d", domain.Event[domain.Customer](domain.CustomerCreated{Name: "D"}))
	for _, wait := range []func(context.Context, store.Position) error{r.view.Wait, r.runs.Wait} {
		if err := wait(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	if r.view.Lag() != 0 || r.runs.Lag() != 0 {
		t.Errorf("the view is behind for %s, the index for %s", r.view.Lag(), r.runs.Lag())
	}

	w := &worker.Worker{Log: log, Blobs: memory(t), Runs: r.runs, Logger: slog.New(slog.DiscardHandler)}
	if n, err := w.RemoveFinishedBefore(as(t), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Fatalf("removed %d, %v", n, err)
	}
	for range 2 { // new readers still see removed records
		at = ran(t, log, uuid.NewString())
		if err := r.runs.Wait(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		r.close()
		r = read(t, log, dir)
	}
	r.close()
	r = read(t, log, t.TempDir())
	if n, err := r.runs.Count(t.Context(), projections.ExecutionQuery{Organization: "o"}); n < 2 || err != nil {
		t.Errorf("an index made anew counts %d, %v", n, err)
	}
	head, err := store.Verify(t.Context(), log, nil)
	if err != nil || head.Foreign != 2 {
		t.Errorf("%+v, %v", head, err)
	}
}

// However long the log's server is away, whatever its readers were doing, they continue when it is back;
// meanwhile queries are answered from what is known.
func TestReadersOutliveTheirLog(t *testing.T) {
	double, dir := eventstore.NewDouble(t), t.TempDir()
	log := double.Open(t)
	eventstore.Hasty(log)
	r := read(t, log, dir)
	at := happen(t, log, domain.Runs, "1", domain.Event[domain.Run](domain.RunQueued{Instance: "i", Flow: "f"}))
	if err := r.runs.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	r.close()
	r = read(t, log, dir) // the run began before it: it reads the stream

	h, err := store.Open(as(t), log, domain.Runs, "1")
	if err != nil {
		t.Fatal(err)
	}
	refused := double.Refuse(true)
	if _, at, err = h.Change(as(t), func(domain.Run) (domain.Changes[domain.Run], error) {
		return domain.Changes[domain.Run]{domain.RunClaimed{Claim: 1},
			domain.RunFinished{Claim: 1, Result: domain.Completed}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		within(t, refused, "reading the run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if e, known, err := r.runs.Execution(ctx, "o", "1"); !known || err != nil || !e.EndedAt.IsZero() {
		t.Errorf("while the log is away: %+v, %v, %v", e, known, err)
	}
	if err := r.runs.Forget(ctx, nil); err != nil {
		t.Errorf("the index can't be written while the log is away: %v", err)
	}
	double.Refuse(false)
	if err := r.runs.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if e, _, err := r.runs.Execution(t.Context(), "o", "1"); err != nil || e.EndedAt.IsZero() {
		t.Errorf("afterwards: %+v, %v", e, err)
	}

	double.Stop()
	_, _, err = store.Load(t.Context(), log, domain.Runs, "1") // it is given up, which takes longer than a moment
	if refusal.CodeOf(err) != refusal.Unavailable {
		t.Errorf("a log that is away is told as %v", err)
	}
	double.Start()
	at = ran(t, double.Open(t), "2")
	if err := r.runs.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

// A change never exceeds the limit of an EventStoreDB in its default configuration: Heddle refuses it.
func TestChangesFitEveryLog(t *testing.T) {
	for name, log := range map[string]store.Log{"memory": store.NewMemory(),
		"EventStoreDB": eventstore.NewDouble(t).Open(t)} {
		for _, n := range []int{2, 4} {
			var events []domain.Event[domain.State]
			for i := range n {
				events = append(events, domain.ValueSaved{Scope: "x", Key: fmt.Sprint(i),
					Value: json.RawMessage(`"` + strings.Repeat("v", 300<<10) + `"`)})
			}
			_, _, err := store.Change(as(t), log, domain.States, fmt.Sprint(n),
				func(domain.State) (domain.Changes[domain.State], error) { return events, nil })
			if fits := n == 2; fits != (err == nil) || !fits && refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("%s: %d events: %v", name, n, err)
			}
		}
	}
}

func memory(t *testing.T) *blobs.Store {
	t.Helper()
	kept, err := blobs.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return kept
}

// State of many times the largest append of EventStoreDB is repeated in parts, older events are dropped, and
// all of it is there afterwards.
func TestLargeStateOnEventStoreDB(t *testing.T) {
	double := eventstore.NewDouble(t)
	log := double.Open(t)
	handle, err := store.Open(as(t), log, domain.States, "i")
	if err != nil {
		t.Fatal(err)
	}
	change := func(decide func(domain.State) (domain.Changes[domain.State], error)) {
		t.Helper()
		if _, _, err := handle.Change(as(t), decide); err != nil {
			t.Fatal(err)
		}
	}
	for i := range domain.SnapshotEvery + 1 {
		value, _ := json.Marshal(strings.Repeat("v", 100<<10) + fmt.Sprint(i))
		change(func(st domain.State) (domain.Changes[domain.State], error) {
			return st.Save(domain.ValueSaved{Scope: "s", Key: fmt.Sprint("key", i%40), Value: value, Run: "run",
				Path: fmt.Sprint("step", i)})
		})
	}
	before := handle.State()
	if _, large := before.Snapshot(map[string]bool{"run": true}); !large {
		t.Fatal("the state is small")
	}
	first := store.Revision(-1)
	for at := (domain.SnapshotPlace{ID: uuid.NewString()}); !at.Closed; {
		next := at
		change(func(st domain.State) (changes domain.Changes[domain.State], err error) {
			changes, next = st.SnapshotPart(at, map[string]bool{"run": true})
			return changes, nil
		})
		if first < 0 {
			first = handle.Revision()
		}
		at = next
	}
	if err := log.Truncate(t.Context(), domain.States.Stream("i"), first); err != nil {
		t.Fatal(err)
	}
	after, _, err := store.Load(t.Context(), double.Open(t), domain.States, "i")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range before.Scopes["s"] {
		if string(after.Scopes["s"][key].Value) != string(value.Value) {
			t.Errorf("%s is lost", key)
		}
	}
	if len(after.Scopes["s"]) != len(before.Scopes["s"]) || after.Since != 0 {
		t.Errorf("%d of %d keys are left, %d events since the snapshot", len(after.Scopes["s"]),
			len(before.Scopes["s"]), after.Since)
	}
	if _, err := store.Verify(t.Context(), log, nil); err != nil {
		t.Error(err)
	}
}
