package graph

import (
	"slices"
	"sync"

	"heddle/store"
)

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
