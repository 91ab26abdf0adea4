package store

import (
	"context"
	"sync"
)

// streamKey names a stream of one log, or of one view of a log: two Log values over the same store
// are as far from each other as two processes.
type streamKey struct {
	log    Log
	stream string
}

// changing makes the changes to one stream queue up inside the process: otherwise many writers of
// one stream would spend their time on conflicts with each other.
var changing = queues{waiting: map[streamKey]*queue{}}

type queues struct {
	mu      sync.Mutex
	waiting map[streamKey]*queue // only streams that are being changed
}

type queue struct {
	turn  chan struct{} // holds one token while somebody has the turn; senders are served in order
	users int
}

// enter waits for the caller's turn and returns what ends it.
func (q *queues) enter(ctx context.Context, key streamKey) (leave func(), err error) {
	q.mu.Lock()
	one := q.waiting[key]
	if one == nil {
		one = &queue{turn: make(chan struct{}, 1)}
		q.waiting[key] = one
	}
	one.users++
	q.mu.Unlock()
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; q.forget(key, one) }, nil
	case <-ctx.Done():
		q.forget(key, one)
		return nil, ctx.Err()
	}
}

func (q *queues) forget(key streamKey, one *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(q.waiting, key)
	}
}
