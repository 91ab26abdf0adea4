package graph

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"heddle/app/access"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// connections are the connections that stay open: they end with the server, and with the right of whoever
// opened them.
type connections struct {
	view      *projections.View
	stopping  context.Context
	mu        sync.Mutex
	active    sync.WaitGroup
	anonymous anonymous
	shared    shared

	counting sync.Mutex          // apart from mu, which Wait holds; guards what accounts count
	accounts map[string]*account // by token, of each that was used
}

// account counts what one token has open.
type account struct {
	guard         *sync.Mutex
	streams       int
	subscriptions int
	unsent        int // bytes of answers that wait for their readers
	lines         map[*line]struct{}
	evaluating    chan struct{} // full while as many answers are made as may be at once
}

// line is a connection with the bytes that wait to be sent on it.
type line struct {
	unsent int
	cut    func() // ends it at once
}

func newConnections(view *projections.View, stopping context.Context) *connections {
	return &connections{view: view, stopping: stopping, accounts: map[string]*account{},
		shared: shared{running: map[string]*evaluation{}}}
}

// account returns a token's.
func (s *connections) account(token string) *account {
	s.counting.Lock()
	defer s.counting.Unlock()
	a := s.accounts[token]
	if a == nil {
		a = &account{guard: &s.counting, lines: map[*line]struct{}{},
			evaluating: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)/2))}
		s.accounts[token] = a
	}
	return a
}

// open counts one more connection; it is not ok if there are as many as may be.
func (a *account) open(most int) (leave func(), ok bool) { return a.count(&a.streams, most) }

// subscribe counts one more subscription, on whatever connection.
func (a *account) subscribe(most int) (leave func(), ok bool) { return a.count(&a.subscriptions, most) }

func (a *account) count(n *int, most int) (leave func(), ok bool) {
	a.guard.Lock()
	defer a.guard.Unlock()
	if *n >= most {
		return nil, false
	}
	*n++
	return func() {
		a.guard.Lock()
		defer a.guard.Unlock()
		*n--
	}, true
}

// wait counts bytes that are to be sent on a line until sent is called. Once more wait than may, the line
// for which most do is cut: nobody reads there as fast as it subscribes.
func (a *account) wait(l *line, bytes, most int) (sent func(), over bool) {
	a.guard.Lock()
	defer a.guard.Unlock()
	a.unsent, l.unsent = a.unsent+bytes, l.unsent+bytes
	a.lines[l] = struct{}{}
	if over = a.unsent > most; over {
		slowest := l
		for other := range a.lines {
			if other.unsent > slowest.unsent {
				slowest = other
			}
		}
		slowest.cut()
	}
	return func() {
		a.guard.Lock()
		defer a.guard.Unlock()
		if a.unsent, l.unsent = a.unsent-bytes, l.unsent-bytes; l.unsent == 0 {
			delete(a.lines, l)
		}
	}, over
}

// sending counts an answer that waits to be sent.
func (o Options) sending(a *account, l *line, bytes int) (sent func()) {
	sent, over := a.wait(l, bytes, o.MaxUnsent)
	if over {
		o.OnLimit("HEDDLE_MAX_UNSENT")
	}
	return sent
}

// tooManyStreams is why a connection is not admitted.
func (o Options) tooManyStreams() *graphql.Response {
	return o.exceeded("HEDDLE_MAX_STREAMS", "the token has %s open, as many as it may",
		refusal.Count(o.MaxStreams, "stream"))
}

// tooManySubscriptions is why a subscription is not begun.
func (o Options) tooManySubscriptions() *graphql.Response {
	return o.exceeded("HEDDLE_MAX_TOKEN_SUBSCRIPTIONS", "the token has %s on all its connections, as many as it may",
		refusal.Count(o.MaxTokenSubscriptions, "subscription"))
}

// enter returns a connection's context, which ends when the server stops, and what must be called when
// it is over; it is not ok once the server stops.
func (s *connections) enter(ctx context.Context) (_ context.Context, leave func(), ok bool) {
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
func (s *connections) Wait() {
	<-s.stopping.Done()
	s.mu.Lock() // whoever entered before has been counted, and nobody enters after
	defer s.mu.Unlock()
	s.active.Wait()
}

// revoked returns true once the caller's token no longer opens what it did when the connection began,
// or false when ctx ends.
func (s *connections) revoked(ctx context.Context) bool {
	signal, stop := s.view.Watch()
	defer stop()
	began := access.Of(ctx)
	for {
		select {
		case <-signal:
		case <-ctx.Done():
			return false
		}
		if !began.Stands(s.view) {
			return true
		}
	}
}

// isStream reports whether the answer to a request goes on: WebSocket and server-sent events.
func isStream(r *http.Request) bool {
	return isUpgrade(r) || accepted(r) == eventStream
}

// anonymous are the streams of those who have not shown a valid token yet, the oldest first. They cost
// little and are let go of first: a new one takes the place of the oldest, so that nobody can keep others
// out by filling all places.
type anonymous struct {
	mu   sync.Mutex
	list []*anonymousSocket
}

type anonymousSocket struct {
	address string
	evict   func()
}

// admit takes a stranger in. Where that is one too many of its address or in all, the oldest of those is
// evicted, and the limit's setting told.
func (s *anonymous) admit(remote string, o Options, evict func()) (known func()) {
	one := &anonymousSocket{store.PeerOf(remote), evict}
	s.mu.Lock()
	defer s.mu.Unlock()
	here := 0
	for _, other := range s.list {
		if other.address == one.address {
			here++
		}
	}
	switch {
	case here >= max(1, o.MaxAnonymousSocketsPerAddress):
		s.leave(slices.IndexFunc(s.list, func(other *anonymousSocket) bool { return other.address == one.address }))
		o.OnLimit("HEDDLE_MAX_ANONYMOUS_SOCKETS_PER_ADDRESS")
	case len(s.list) >= max(1, o.MaxAnonymousSockets):
		s.leave(0)
		o.OnLimit("HEDDLE_MAX_ANONYMOUS_SOCKETS")
	}
	s.list = append(s.list, one)
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.Index(s.list, one); i >= 0 { // else it was evicted
			s.list = slices.Delete(s.list, i, i+1)
		}
	})
}

func (s *anonymous) leave(i int) {
	s.list[i].evict()
	s.list = slices.Delete(s.list, i, i+1)
}
