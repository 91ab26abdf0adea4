package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/app/access"
)

// sharedFields are the subscriptions of a state that concerns nobody but who sees it: equal ones of one token
// are answered once, whoever comes later begins with what was told last.
var sharedFields = map[string]bool{"instanceChanged": true, "integrationChanged": true, "draftsChanged": true}

// shared holds the subscriptions that are answered now.
type shared struct {
	mu      sync.Mutex
	running map[string]*evaluation // by what is asked for, and by whom
}

// evaluation is a subscription that is answered for all who have asked for the same.
type evaluation struct {
	listeners int // guarded by shared.mu
	end       context.CancelFunc

	mu      sync.Mutex
	last    []byte
	count   int           // of responses
	changed chan struct{} // closed and replaced when there is another, and closed at the end
	ended   bool
	errs    gqlerror.List
}

// answerer answers a subscription until ctx ends, and returns what ended it.
type answerer func(ctx context.Context, tell func(payload []byte)) gqlerror.List

// sharedKey is the same for subscriptions whose answers are.
func sharedKey(ctx context.Context, rc *graphql.OperationContext) (string, error) {
	variables, err := json.Marshal(rc.Variables)
	if err != nil {
		return "", fmt.Errorf("comparing subscriptions: %w", err)
	}
	return fmt.Sprintf("%q %q %q %s", access.Of(ctx), rc.RawQuery, rc.OperationName, variables), nil
}

// follow hands on what an evaluation answers, one that runs or one that is begun by answer. A slow listener
// misses what was between.
func (s *connections) follow(ctx context.Context, key string, answer answerer, next func([]byte) error) gqlerror.List {
	e, ok := s.listen(ctx, key, answer)
	if !ok {
		return fail(stoppingReason).Errors
	}
	defer s.unlisten(key, e)
	for seen := 0; ; {
		e.mu.Lock()
		last, count, changed, ended, errs := e.last, e.count, e.changed, e.ended, e.errs
		e.mu.Unlock()
		if count > seen {
			seen = count
			if next(last) != nil {
				return nil
			}
			continue
		}
		if ended && s.stopping.Err() == nil {
			return errs
		} else if ended { // by the stop, of which the listener's own transport tells
			changed = nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *connections) listen(ctx context.Context, key string, answer answerer) (*evaluation, bool) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if e := s.shared.running[key]; e != nil {
		e.listeners++
		return e, true
	}
	ctx, leave, ok := s.enter(context.WithoutCancel(ctx))
	if !ok {
		return nil, false
	}
	e := &evaluation{listeners: 1, changed: make(chan struct{})}
	ctx, e.end = context.WithCancel(ctx)
	s.shared.running[key] = e
	go func() { // Wait waits for it
		defer leave()
		errs := answer(ctx, e.tell)
		s.shared.mu.Lock()
		if s.shared.running[key] == e { // nobody is to join what has ended
			delete(s.shared.running, key)
		}
		s.shared.mu.Unlock()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.ended, e.errs = true, errs
		close(e.changed)
	}()
	return e, true
}

func (s *connections) unlisten(key string, e *evaluation) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if e.listeners--; e.listeners > 0 {
		return
	}
	e.end()
	if s.shared.running[key] == e {
		delete(s.shared.running, key)
	}
}

func (e *evaluation) tell(payload []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = payload
	e.count++
	close(e.changed)
	e.changed = make(chan struct{})
}
