package projections

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"heddle/store"
)

// Progress is the position of a reader of the log, with those who wait for it. View and RunIndex share it.
type Progress struct {
	mu       sync.Mutex
	position store.Position
	caughtUp chan struct{} // closed at the first mark
	advanced chan struct{} // closed and replaced whenever position grows
	watchers map[chan struct{}]struct{}
	seen     atomic.Uint64 // the newest position that the log has shown
	behind   atomic.Int64  // since when something seen is not passed, in ns since 1970; 0 if all is
}

func (p *Progress) init() {
	p.caughtUp, p.advanced, p.watchers = make(chan struct{}), make(chan struct{}), map[chan struct{}]struct{}{}
}

// saw notes a position of the log that the reader has still to pass.
func (p *Progress) saw(pos store.Position) {
	p.seen.Store(uint64(pos))
	p.behind.CompareAndSwap(0, time.Now().UnixNano())
}

// Seen returns the newest position that the log has shown, whether or not the reader has passed it.
func (p *Progress) Seen() store.Position { return store.Position(p.seen.Load()) }

// Lag returns how long the reader has been behind the log, 0 if it is not.
func (p *Progress) Lag() time.Duration {
	if since := p.behind.Load(); since != 0 {
		return max(0, time.Since(time.Unix(0, since)))
	}
	return 0
}

// reach advances the position; changed says whether anything was applied on the way, mark whether the log has
// nothing more.
func (p *Progress) reach(pos store.Position, changed, mark bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position = max(p.position, pos)
	if mark {
		p.behind.Store(0)
		if p.Seen() > pos { // more has come meanwhile
			p.behind.Store(time.Now().UnixNano())
		}
	}
	close(p.advanced)
	p.advanced = make(chan struct{})
	if mark {
		select {
		case <-p.caughtUp:
		default:
			close(p.caughtUp)
		}
	}
	if !changed {
		return
	}
	for signal := range p.watchers {
		select {
		case signal <- struct{}{}:
		default: // it has not looked since the last signal, and will see this change too
		}
	}
}

// Position returns the position that the reader has reached.
func (p *Progress) Position() store.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position
}

// CaughtUp is closed once the reader has seen everything that was in the log when it started.
func (p *Progress) CaughtUp() <-chan struct{} { return p.caughtUp }

// Wait returns once the reader has passed a position, or with ctx's error.
func (p *Progress) Wait(ctx context.Context, pos store.Position) error {
	for {
		p.mu.Lock()
		reached, advanced := p.position >= pos, p.advanced
		p.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Watch returns a signal after changes, the first one at once. A slow reader skips signals, but never the
// newest, and delays nobody. stop ends it.
func (p *Progress) Watch() (signal <-chan struct{}, stop func()) {
	s := make(chan struct{}, 1)
	s <- struct{}{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers[s] = struct{}{}
	return s, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, s)
	}
}
