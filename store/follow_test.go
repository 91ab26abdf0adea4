package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"heddle/domain/refusal"
)

// followed collects what a follower is given, in the background.
type followed struct {
	records chan Recorded
	end     chan error
	cancel  context.CancelFunc
}

func startFollow(t *testing.T, log Log, after Position, f Filter) *followed {
	ctx, cancel := context.WithCancel(context.Background())
	w := &followed{records: make(chan Recorded, 10000), end: make(chan error, 1), cancel: cancel}
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

func (w *followed) next(t *testing.T) Recorded {
	t.Helper()
	select {
	case r := <-w.records:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("the follower was not woken")
		return Recorded{}
	}
}

// record is the next one that is no mark.
func (w *followed) record(t *testing.T) Recorded {
	t.Helper()
	for {
		if r := w.next(t); !r.Mark() {
			return r
		}
	}
}

// marked waits for a mark at a position, with nothing but older marks before it.
func (w *followed) marked(t *testing.T, at Position) {
	t.Helper()
	for {
		r := w.next(t)
		if !r.Mark() || r.Position > at {
			t.Fatalf("got %+v, want a mark at %d", r, at)
		}
		if r.Position == at {
			return
		}
	}
}

func (w *followed) stop(t *testing.T) error {
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

func testFollow(t *testing.T, log Log) {
	empty := startFollow(t, log, 0, Filter{})
	if r := empty.next(t); !r.Mark() || r.Position != 0 {
		t.Errorf("an empty log begins with %+v, want a mark at 0", r)
	}
	p1 := mustAppend(t, log, "draft-1", NoStream, eventsOf(2)...)
	late := startFollow(t, log, p1-1, Filter{})
	for name, w := range map[string]*followed{"woken": empty, "late": late} {
		if name == "woken" {
			if r := w.record(t); r.Revision != 0 {
				t.Errorf("%s: got %+v", name, r)
			}
		}
		if r := w.record(t); r.Position != p1 || r.Revision != 1 {
			t.Errorf("%s: got %+v, want position %d", name, r, p1)
		}
		w.marked(t, p1)
	}
	p2 := mustAppend(t, log, "run-1", NoStream, event1("Next"))
	for _, w := range []*followed{empty, late} {
		if r := w.record(t); r.Stream != "run-1" || r.Position != p2 {
			t.Errorf("got %+v", r)
		}
		if err := w.stop(t); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	}
}

func testFollowFilter(t *testing.T, log Log) {
	var want []Position
	for i := range 300 {
		mustAppend(t, log, fmt.Sprint("run-", i), NoStream, eventsOf(3)...)
		if i%100 == 0 {
			want = append(want, mustAppend(t, log, fmt.Sprint("draft-", i), NoStream, event1("D")))
			want = append(want, mustAppend(t, log, fmt.Sprint("user-", i), NoStream, event1("U")))
		}
	}
	f := Filter{Categories: []string{"user", "draft", "none", "user"}}
	all, mark := caughtUp(t, log, 0, f)
	if len(all) != len(want) {
		t.Fatalf("%d records, want %d", len(all), len(want))
	}
	for i, r := range all {
		if r.Position != want[i] {
			t.Errorf("record %d at %d, want %d", i, r.Position, want[i])
		}
	}
	w := startFollow(t, log, mark, f)
	w.marked(t, mark)
	mustAppend(t, log, "run-other", NoStream, event1("R")) // how soon a mark comes for what does not match is not promised
	match := mustAppend(t, log, "draft-0", 0, event1("D"))
	if r := w.record(t); r.Position != match {
		t.Errorf("got %+v, want the record at %d", r, match)
	}
	w.marked(t, match)
	w.stop(t)
	if runs, _ := caughtUp(t, log, 0, Filter{Categories: []string{"run"}}); len(runs) != 901 {
		t.Errorf("%d run records, want 901", len(runs))
	}
}

func testFollowEnds(t *testing.T, log Log) {
	mustAppend(t, log, "draft-1", NoStream, eventsOf(3)...)
	w := startFollow(t, log, 0, Filter{})
	for range 4 {
		w.next(t)
	}
	for range log.Follow(context.Background(), 0, Filter{}) {
		break // leaving is always allowed
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-w.end:
		wantCode(t, err, refusal.Unavailable)
	case <-time.After(10 * time.Second):
		t.Fatal("the follower outlived the log")
	}
	w.cancel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var err error
	for _, err = range log.Follow(ctx, 0, Filter{}) {
	}
	if err == nil {
		t.Error("an ended context ends without an error")
	}
}

// testConcurrent appends to many streams at once while followers watch: each must see every record
// once, in order, none missing.
func testConcurrent(t *testing.T, log Log) {
	const writers, each = 16, 40
	followers := []*followed{startFollow(t, log, 0, Filter{}), startFollow(t, log, 0, Filter{Categories: []string{"draft"}})}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			stream := fmt.Sprint([]string{"draft-", "run-"}[w%2], w)
			for i := range each {
				if _, err := log.Append(context.Background(), stream, Revision(i)-1, event1("E")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	for i, w := range followers {
		want := writers * each / (i + 1)
		heads := map[string]Revision{}
		var last Position
		for seen := 0; seen < want; {
			r := w.next(t)
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
		w.stop(t)
	}
}

func testRace(t *testing.T, log Log) {
	for round := range 20 {
		var racing sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			racing.Go(func() {
				_, err := log.Append(context.Background(), "draft-1", Revision(round)-1, event1("E"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if _, ok := errors.AsType[*ConflictError](err); !ok {
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
