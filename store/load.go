package store

import (
	"context"

	"heddle/domain"
)

// When many watch an aggregate, a change makes all of them load it at once. They share the reads: a caller that
// comes during a read waits, with all others who do, for the next one, since only that is sure to see what was
// appended before the call.

// load is one shared read. All fields but sharers belong to the caller that has the turn.
type load struct {
	sharers int
	done    bool
	fold    any
}

// Load returns an aggregate's state and revision; a missing one has the zero state at [NoStream].
func Load[S any](ctx context.Context, log Log, category *domain.Category[S], id string) (S, Revision, error) {
	at, err := sharedFold(ctx, log, category, id)
	return at.state, at.revision, err
}

// OpenShared is [Open] for aggregates that many read at once: like Load, it shares the read with them.
func OpenShared[S any](ctx context.Context, log Log, category *domain.Category[S], id string) (*Handle[S], error) {
	at, err := sharedFold(ctx, log, category, id)
	if err != nil {
		return nil, err
	}
	return &Handle[S]{log: log, category: category, id: id, at: at}, nil
}

// sharedFold reads an aggregate together with those who ask for it at the same time.
func sharedFold[S any](ctx context.Context, log Log, category *domain.Category[S], id string) (fold[S], error) {
	none := fold[S]{revision: NoStream}
	shared, key := log.shared(), foldKey{category.Stream(id), category}
	mine := shared.joinLoad(key)
	leave, err := shared.loading.enter(ctx, key.stream)
	if err != nil {
		shared.leaveLoad(key, mine)
		return none, err
	}
	defer leave()
	if !mine.done {
		sharers := shared.beginLoad(key, mine)
		h, err := Open(ctx, log, category, id)
		if err != nil {
			return none, err // another of the sharers tries
		}
		if mine.fold, mine.done = h.at, true; sharers > 1 && h.keeps() {
			shared.folds.Put(key, h.at) // the next read begins there
		}
	}
	return mine.fold.(fold[S]), nil
}

// joinLoad joins the next read of a stream.
func (s *Shared) joinLoad(key foldKey) *load {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.loads[key]
	if mine == nil {
		mine = &load{}
		s.loads[key] = mine
	}
	mine.sharers++
	return mine
}

// leaveLoad gives up waiting for a read.
func (s *Shared) leaveLoad(key foldKey, mine *load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine.sharers--; mine.sharers == 0 && s.loads[key] == mine {
		delete(s.loads, key)
	}
}

// beginLoad makes later callers wait for another read, and returns how many share this one.
func (s *Shared) beginLoad(key foldKey, mine *load) (sharers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loads[key] == mine {
		delete(s.loads, key)
	}
	return mine.sharers
}
