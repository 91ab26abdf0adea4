package store

import (
	"sync"

	"heddle/store/cache"
)

// Shared is the state that readers and writers of one log share inside a process. Every log embeds one, so that
// it lasts as long as the log: two logs over the same store are as far from each other as two processes.
type Shared struct {
	// changing makes the changes to one stream queue up: otherwise many writers of one stream would spend their
	// time on conflicts with each other.
	changing keyedLock
	// loading lets one caller at a time read a stream for all who wait.
	loading keyedLock

	mu    sync.Mutex
	loads map[foldKey]*load // the reads that have not begun

	once  sync.Once
	folds *cache.Map[foldKey, any]
}

const (
	longStream = 64 // records from which on caching a fold saves more than it costs
	foldsKept  = 64 // folds in each of two generations
)

// shared makes a type that embeds it a [Log].
func (s *Shared) shared() *Shared {
	s.once.Do(func() { s.loads, s.folds = map[foldKey]*load{}, cache.New[foldKey, any](foldsKept) })
	return s
}

// foldKey names an aggregate by its stream, and how it is folded.
type foldKey struct {
	stream   string
	category any
}
