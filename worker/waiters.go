package worker

import (
	"context"
	"sync"

	"heddle/domain"
	"heddle/store/live"
)

// waiters are the synchronous callers in this process, by the run whose end they wait for.
type waiters struct {
	live live.Live

	mu      sync.Mutex
	waiting map[string]chan domain.Run
}

func (s *waiters) open(l live.Live) { s.live, s.waiting = l, map[string]chan domain.Run{} }

// waiter hears of a run's end: with its state when this process ended it, without when another did.
type waiter struct {
	here  chan domain.Run
	there <-chan []byte
	stop  func()
}

// await listens for a run's end.
func (s *waiters) await(run string) waiter {
	there, stop := s.live.Subscribe(live.EndTopic(run))
	a := waiter{here: make(chan domain.Run, 1), there: there}
	s.mu.Lock()
	s.waiting[run] = a.here
	s.mu.Unlock()
	a.stop = func() {
		stop()
		s.mu.Lock()
		if s.waiting[run] == a.here {
			delete(s.waiting, run)
		}
		s.mu.Unlock()
	}
	return a
}

// announce wakes whoever waits for the run's end: the local caller, and other processes unless only one caller
// can exist.
func (s *waiters) announce(ctx context.Context, r domain.Run) error {
	if !r.Queued.Synchronous {
		return nil // nobody waits
	}
	s.mu.Lock()
	here := s.waiting[r.ID]
	s.mu.Unlock()
	if here != nil {
		select {
		case here <- r:
		default: // it knows
		}
		if r.Queued.Digest == "" { // a delivery that comes again may be waited for elsewhere
			return nil
		}
	}
	return s.live.Publish(ctx, live.EndTopic(r.ID), nil)
}
