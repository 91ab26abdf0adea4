package store

import (
	"context"
	"sync"
)

// keyedLock is a lock per key, such as a stream's name.
type keyedLock struct {
	mu   sync.Mutex
	held map[string]*turns // only keys in use
}

type turns struct {
	turn  chan struct{} // holds one token while somebody has the turn; senders are served in order
	users int
}

// enter waits for the caller's turn and returns a function that ends it.
func (l *keyedLock) enter(ctx context.Context, key string) (leave func(), err error) {
	l.mu.Lock()
	one := l.held[key]
	if one == nil {
		one = &turns{turn: make(chan struct{}, 1)}
		if l.held == nil {
			l.held = map[string]*turns{}
		}
		l.held[key] = one
	}
	one.users++
	l.mu.Unlock()
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; l.forget(key, one) }, nil
	case <-ctx.Done():
		l.forget(key, one)
		return nil, ctx.Err()
	}
}

func (l *keyedLock) forget(key string, one *turns) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.held, key)
	}
}
