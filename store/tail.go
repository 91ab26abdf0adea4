package store

import (
	"slices"
	"sync"
)

// tail is the end of the log; it wakes followers when the log grows.
type tail struct {
	mu         sync.Mutex
	last       Position
	categories map[string]Position // last position of each category appended to since the log was opened
	grown      chan struct{}       // closed and replaced on growth
	newest     newest
}

func newTail(last Position) *tail {
	return &tail{last: last, newest: newest{after: last, most: newestBytes}, categories: map[string]Position{},
		grown: make(chan struct{})}
}

// publish announces records by the last position of each category that got some. A caller that has the records
// passes them, too.
func (t *tail) publish(categories map[string]Position, records ...Recorded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for category, last := range categories {
		t.categories[category] = last
		t.last = max(t.last, last)
	}
	t.newest.add(records, t.last)
	close(t.grown)
	t.grown = make(chan struct{})
}

// end returns the log's last position.
func (t *tail) end() Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// look returns the log's last position, the last one that may match the filter among those published since the
// log was opened, and a channel that is closed when there is more.
func (t *tail) look(f Filter) (last, matching Position, grown <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(f.Categories) == 0 {
		return t.last, t.last, t.grown
	}
	for _, category := range f.Categories {
		matching = max(matching, t.categories[category])
	}
	return t.last, matching, t.grown
}

// Takes reports whether the filter matches a record.
func (f Filter) Takes(r Recorded) bool {
	if len(f.Categories) == 0 {
		return f.System || !IsSystem(r.Stream)
	}
	return slices.Contains(f.Categories, r.Category())
}
