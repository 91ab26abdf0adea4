package projections

import (
	"sync"

	"heddle/store"
)

// tails wakes those who read the stream of one run, so that each record of all runs is looked at once
// and not once by everybody who waits for some.
type tails struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{} // by stream
}

// pass tells that a record has appeared. It waits for nobody.
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

// Tail gives a signal after each growth of a run's stream, ahead of the index itself. A slow reader
// skips signals, but never the last one, and delays nobody. stop ends it.
func (x *RunIndex) Tail(stream string) (signal <-chan struct{}, stop func()) {
	s := make(chan struct{}, 1)
	t := &x.tails
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting[stream] == nil {
		t.waiting[stream] = map[chan struct{}]struct{}{}
	}
	t.waiting[stream][s] = struct{}{}
	return s, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waiting[stream], s)
		if len(t.waiting[stream]) == 0 {
			delete(t.waiting, stream)
		}
	}
}
