package store

import (
	"context"
	"sync"

	"heddle/domain"
)

// A change of what many look at makes all of them load it at once. They share the reading: whoever
// comes while one is under way waits, together with all others who do, for the next one, since only that
// is sure to see what was appended before he came.

// loading lets one at a time read a stream for all who wait.
var loading = queues{waiting: map[streamKey]*queue{}}

// loads are the readings that have not begun, by stream.
var loads = struct {
	mu   sync.Mutex
	next map[foldKey]*load
}{next: map[foldKey]*load{}}

// load is one reading. All but sharers is for whoever has the turn.
type load struct {
	sharers int
	done    bool
	fold    any
}

// Load reads an aggregate's state and revision; one that does not exist has the zero state at [NoStream].
func Load[S any](ctx context.Context, log Log, category *domain.Category[S], id string) (S, Revision, error) {
	var none S
	key := foldKey{streamKey{log, category.Stream(id)}, category}
	mine := joinLoad(key)
	leave, err := loading.enter(ctx, key.streamKey)
	if err != nil {
		leaveLoad(key, mine)
		return none, NoStream, err
	}
	defer leave()
	if !mine.done {
		sharers := beginLoad(key, mine)
		h, err := Open(ctx, log, category, id)
		if err != nil {
			return none, NoStream, err // another of those who share it tries
		}
		if mine.fold, mine.done = h.at, true; sharers > 1 && h.keeps() {
			folds.Put(key, h.at) // the next reading begins there
		}
	}
	at := mine.fold.(fold[S])
	return at.state, at.revision, nil
}

// joinLoad takes part in the next reading of a stream.
func joinLoad(key foldKey) *load {
	loads.mu.Lock()
	defer loads.mu.Unlock()
	mine := loads.next[key]
	if mine == nil {
		mine = &load{}
		loads.next[key] = mine
	}
	mine.sharers++
	return mine
}

// leaveLoad gives up waiting for a reading.
func leaveLoad(key foldKey, mine *load) {
	loads.mu.Lock()
	defer loads.mu.Unlock()
	if mine.sharers--; mine.sharers == 0 && loads.next[key] == mine {
		delete(loads.next, key)
	}
}

// beginLoad has those who come from now on wait for another reading, and tells how many share this one.
func beginLoad(key foldKey, mine *load) (sharers int) {
	loads.mu.Lock()
	defer loads.mu.Unlock()
	if loads.next[key] == mine {
		delete(loads.next, key)
	}
	return mine.sharers
}
