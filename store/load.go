package store

import (
	"context"

	"heddle/domain"
)

// A change of what many look at makes all of them load it at once. They share the reading: whoever
// comes while one is under way waits, together with all others who do, for the next one, since only that
// is sure to see what was appended before he came.

// load is one reading. All but sharers is for whoever has the turn.
type load struct {
	sharers int
	done    bool
	fold    any
}

// Load reads an aggregate's state and revision; one that does not exist has the zero state at [NoStream].
func Load[S any](ctx context.Context, log Log, category *domain.Category[S], id string) (S, Revision, error) {
	var none S
	shared, key := log.shared(), foldKey{category.Stream(id), category}
	mine := shared.joinLoad(key)
	leave, err := shared.loading.enter(ctx, key.stream)
	if err != nil {
		shared.leaveLoad(key, mine)
		return none, NoStream, err
	}
	defer leave()
	if !mine.done {
		sharers := shared.beginLoad(key, mine)
		h, err := Open(ctx, log, category, id)
		if err != nil {
			return none, NoStream, err // another of those who share it tries
		}
		if mine.fold, mine.done = h.at, true; sharers > 1 && h.keeps() {
			shared.folds.Put(key, h.at) // the next reading begins there
		}
	}
	at := mine.fold.(fold[S])
	return at.state, at.revision, nil
}

// joinLoad takes part in the next reading of a stream.
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

// leaveLoad gives up waiting for a reading.
func (s *Shared) leaveLoad(key foldKey, mine *load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine.sharers--; mine.sharers == 0 && s.loads[key] == mine {
		delete(s.loads, key)
	}
}

// beginLoad has those who come from now on wait for another reading, and tells how many share this one.
func (s *Shared) beginLoad(key foldKey, mine *load) (sharers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loads[key] == mine {
		delete(s.loads, key)
	}
	return mine.sharers
}
