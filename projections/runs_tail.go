package projections

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"

	"heddle/store"
)

// tails wakes readers of one run's stream, so that each record of all runs is looked at once, not once by every
// waiting reader.
type tails struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{} // by stream

	instances map[string]map[*InstanceTail]struct{}
}

// InstanceTail collects the runs of an instance that have grown.
type InstanceTail struct {
	Grown <-chan struct{} // a signal that some have, as in [RunIndex.Tail]

	grown chan struct{}
	all   *tails
	runs  map[string]bool
	to    store.Position
	lost  bool // there were too many to remember
}

// maxGrown is how many runs an [InstanceTail] remembers for a slow reader.
const maxGrown = 10_000

// Take returns the runs that have grown since the last call, and the position up to which that holds. lost says
// that there were too many: then the reader must look for them in the index.
func (t *InstanceTail) Take() (runs []string, to store.Position, lost bool) {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	runs, lost = slices.Collect(maps.Keys(t.runs)), t.lost
	t.runs, t.lost = map[string]bool{}, false
	return runs, t.to, lost
}

// TailInstance collects from now on the runs of an instance that grow, once the index shows them. stop ends it.
func (x *RunIndex) TailInstance(instance string) (tail *InstanceTail, stop func()) {
	t, signal := &x.tails, make(chan struct{}, 1)
	tail = &InstanceTail{Grown: signal, grown: signal, all: t, runs: map[string]bool{}}
	return tail, enlist(&t.mu, t.instances, instance, tail)
}

// enlist subscribes one to a key, until leave.
func enlist[T comparable](mu *sync.Mutex, told map[string]map[T]struct{}, key string, one T) (leave func()) {
	mu.Lock()
	defer mu.Unlock()
	if told[key] == nil {
		told[key] = map[T]struct{}{}
	}
	told[key][one] = struct{}{}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		delete(told[key], one)
		if len(told[key]) == 0 {
			delete(told, key)
		}
	}
}

// announce passes to the tails of instances which of their runs were written.
func (x *RunIndex) announce(ctx context.Context, g *gathered) error {
	t := &x.tails
	t.mu.Lock()
	none := len(t.instances) == 0
	t.mu.Unlock()
	if none {
		return nil
	}
	grown := map[string][]string{} // runs by instance
	for _, run := range g.order {
		instance := run.run.Queued.Instance
		if instance == "" { // it began long ago
			err := x.db.QueryRowContext(ctx,
				`SELECT s.instance FROM runs r JOIN sources s ON s.id = r.source WHERE r.id = ?`,
				key(run.id)).Scan(&instance)
			if errors.Is(err, sql.ErrNoRows) {
				continue // forgotten meanwhile
			} else if err != nil {
				return err
			}
		}
		grown[instance] = append(grown[instance], run.id)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for instance, runs := range grown {
		for tail := range t.instances[instance] {
			tail.add(runs, g.last.Position)
		}
	}
	return nil
}

// add must be called with the lock held.
func (t *InstanceTail) add(runs []string, to store.Position) {
	for _, run := range runs {
		t.runs[run] = true
	}
	if t.to = to; len(t.runs) > maxGrown {
		t.runs, t.lost = map[string]bool{}, true
	}
	select {
	case t.grown <- struct{}{}:
	default: // it has not looked since the last signal
	}
}

// pass signals that a record has appeared. It waits for nobody.
func (t *tails) pass(rec store.Recorded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for signal := range t.waiting[rec.Stream] {
		select {
		case signal <- struct{}{}:
		default: // it has not looked since the last signal, and will find this record too
		}
	}
}

// Tail returns a signal after each growth of a run's stream, ahead of the index itself. A slow reader skips
// signals, but never the last one, and delays nobody. stop ends it.
func (x *RunIndex) Tail(stream string) (signal <-chan struct{}, stop func()) {
	s := make(chan struct{}, 1)
	return s, enlist(&x.tails.mu, x.tails.waiting, stream, s)
}
