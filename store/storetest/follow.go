package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"heddle/domain/refusal"
	"heddle/store"
)

// Follower collects the records of a follower, in the background.
type Follower struct {
	records chan store.Recorded
	end     chan error
	cancel  context.CancelFunc
}

// Follow begins to follow a log.
func Follow(t *testing.T, log store.Log, after store.Position, f store.Filter) *Follower {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Follower{records: make(chan store.Recorded, 10000), end: make(chan error, 1), cancel: cancel}
	go func() {
		var last error
		for r, err := range log.Follow(ctx, after, f) {
			if last = err; err == nil {
				w.records <- r
			}
		}
		w.end <- last
	}()
	return w
}

// Next waits for a record or a mark.
func (w *Follower) Next(t *testing.T) store.Recorded {
	t.Helper()
	select {
	case r := <-w.records:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("the follower was not woken")
		return store.Recorded{}
	}
}

// Record returns the next record that is no mark.
func (w *Follower) Record(t *testing.T) store.Recorded {
	t.Helper()
	for {
		if r := w.Next(t); !r.Mark() {
			return r
		}
	}
}

// Marked waits for a mark at a position, with nothing but older marks before it.
func (w *Follower) Marked(t *testing.T, at store.Position) {
	t.Helper()
	for {
		r := w.Next(t)
		if !r.Mark() || r.Position > at {
			t.Fatalf("got %+v, want a mark at %d", r, at)
		}
		if r.Position == at {
			return
		}
	}
}

// Stop ends the follower and returns its error.
func (w *Follower) Stop(t *testing.T) error {
	t.Helper()
	w.cancel()
	select {
	case err := <-w.end:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the follower did not end")
		return nil
	}
}

func testFollow(t *testing.T, log store.Log) {
	empty := Follow(t, log, 0, store.Filter{})
	if r := empty.Next(t); !r.Mark() || r.Position != 0 {
		t.Errorf("an empty log begins with %+v, want a mark at 0", r)
	}
	p1 := MustAppend(t, log, "draft-1", store.NoStream, Events(2)...)
	late := Follow(t, log, p1-1, store.Filter{})
	for name, w := range map[string]*Follower{"woken": empty, "late": late} {
		if name == "woken" {
			if r := w.Record(t); r.Revision != 0 {
				t.Errorf("%s: got %+v", name, r)
			}
		}
		if r := w.Record(t); r.Position != p1 || r.Revision != 1 {
			t.Errorf("%s: got %+v, want position %d", name, r, p1)
		}
		w.Marked(t, p1)
	}
	p2 := MustAppend(t, log, "run-1", store.NoStream, Event("Next"))
	for _, w := range []*Follower{empty, late} {
		if r := w.Record(t); r.Stream != "run-1" || r.Position != p2 {
			t.Errorf("got %+v", r)
		}
		if err := w.Stop(t); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	}
}

func testFollowFilter(t *testing.T, log store.Log) {
	var want []store.Position
	for i := range 300 {
		MustAppend(t, log, fmt.Sprint("run-", i), store.NoStream, Events(3)...)
		if i%100 == 0 {
			want = append(want, MustAppend(t, log, fmt.Sprint("draft-", i), store.NoStream, Event("D")))
			want = append(want, MustAppend(t, log, fmt.Sprint("user-", i), store.NoStream, Event("U")))
		}
	}
	f := store.Filter{Categories: []string{"user", "draft", "none", "user"}}
	all, mark := CaughtUp(t, log, 0, f)
	if len(all) != len(want) {
		t.Fatalf("%d records, want %d", len(all), len(want))
	}
	for i, r := range all {
		if r.Position != want[i] {
			t.Errorf("record %d at %d, want %d", i, r.Position, want[i])
		}
	}
	w := Follow(t, log, mark, f)
	w.Marked(t, mark)
	MustAppend(t, log, "run-other", store.NoStream, Event("R")) // when a mark comes is not promised if nothing matches
	match := MustAppend(t, log, "draft-0", 0, Event("D"))
	if r := w.Record(t); r.Position != match {
		t.Errorf("got %+v, want the record at %d", r, match)
	}
	w.Marked(t, match)
	w.Stop(t)
	if runs, _ := CaughtUp(t, log, 0, store.Filter{Categories: []string{"run"}}); len(runs) != 901 {
		t.Errorf("%d run records, want 901", len(runs))
	}
}

func testFollowEnds(t *testing.T, log store.Log) {
	MustAppend(t, log, "draft-1", store.NoStream, Events(3)...)
	w := Follow(t, log, 0, store.Filter{})
	for range 4 {
		w.Next(t)
	}
	for range log.Follow(context.Background(), 0, store.Filter{}) {
		break // leaving is always allowed
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-w.end:
		WantCode(t, err, refusal.Unavailable)
	case <-time.After(10 * time.Second):
		t.Fatal("the follower outlived the log")
	}
	w.cancel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var err error
	for _, err = range log.Follow(ctx, 0, store.Filter{}) {
	}
	if err == nil {
		t.Error("an ended context ends without an error")
	}
}

// testConcurrent appends to many streams at once while followers watch: each must see every record
// once, in order, none missing.
func testConcurrent(t *testing.T, log store.Log) {
	const writers, each = 16, 40
	followers := []*Follower{Follow(t, log, 0, store.Filter{}),
		Follow(t, log, 0, store.Filter{Categories: []string{"draft"}})}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			stream := fmt.Sprint([]string{"draft-", "run-"}[w%2], w)
			for i := range each {
				if _, err := log.Append(context.Background(), stream, store.Revision(i)-1, Event("E")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	for i, w := range followers {
		want := writers * each / (i + 1)
		heads := map[string]store.Revision{}
		var last store.Position
		for seen := 0; seen < want; {
			r := w.Next(t)
			if r.Position < last {
				t.Fatalf("position %d after %d", r.Position, last)
			}
			last = r.Position
			if r.Mark() {
				continue
			}
			seen++
			if r.Revision != heads[r.Stream] {
				t.Fatalf("%s: revision %d, want %d", r.Stream, r.Revision, heads[r.Stream])
			}
			heads[r.Stream]++
		}
		w.Stop(t)
	}
}

func testRace(t *testing.T, log store.Log) {
	for round := range 20 {
		var racing sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			racing.Go(func() {
				_, err := log.Append(context.Background(), "draft-1", store.Revision(round)-1, Event("E"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if _, ok := errors.AsType[*store.ConflictError](err); !ok {
					t.Error(err)
				}
			})
		}
		racing.Wait()
		if won != 1 {
			t.Fatalf("round %d: %d won", round, won)
		}
	}
}
