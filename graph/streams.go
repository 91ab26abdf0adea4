package graph

import (
	"context"
	"net/http"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"heddle/domain"
	"heddle/projections"
)

// streams are the connections that stay open: they end with the server, and with the right of whoever
// opened them.
type streams struct {
	view     *projections.View
	stopping context.Context
	mu       sync.Mutex
	active   sync.WaitGroup

	counting sync.Mutex     // apart from mu, which Wait holds
	open     map[string]int // connections by token
}

// strangers stands for the token that those who have not shown one do not have.
const strangers = "no token"

// admit counts a connection of a token; it is not ok if that has as many as it may.
func (s *streams) admit(token string, most int) (leave func(), ok bool) {
	s.counting.Lock()
	defer s.counting.Unlock()
	if s.open[token] >= most {
		return nil, false
	}
	s.open[token]++
	return func() {
		s.counting.Lock()
		defer s.counting.Unlock()
		if s.open[token]--; s.open[token] == 0 {
			delete(s.open, token)
		}
	}, true
}

// tooManyStreams is why a connection is not admitted.
func (o Options) tooManyStreams() *graphql.Response {
	return o.exceeded("HEDDLE_MAX_STREAMS", "the token has %s open, as many as it may", domain.Count(o.MaxStreams, "stream"))
}

// enter gives a connection's context, which ends when the server stops, and what must be called when
// it is over; it is not ok once the server stops.
func (s *streams) enter(ctx context.Context) (_ context.Context, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Err() != nil {
		return ctx, nil, false
	}
	s.active.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.stopping, cancel)
	return ctx, func() {
		stop()
		cancel()
		s.active.Done()
	}, true
}

// Wait returns once the server stops and every stream has ended.
func (s *streams) Wait() {
	<-s.stopping.Done()
	s.mu.Lock() // whoever entered before has been counted, and nobody enters after
	defer s.mu.Unlock()
	s.active.Wait()
}

// revoked returns true once the caller's token no longer opens what it did when the connection began,
// or false when ctx ends.
func (s *streams) revoked(ctx context.Context) bool {
	signal, stop := s.view.Watch()
	defer stop()
	began := principalOf(ctx)
	for {
		select {
		case <-signal:
		case <-ctx.Done():
			return false
		}
		if now, ok := ownerOf(s.view, began.hash); !ok || now != began {
			return true
		}
	}
}

// isStream tells requests whose answer goes on: WebSocket and server-sent events.
func isStream(r *http.Request) bool {
	return isUpgrade(r) || accepted(r) == eventStream
}
