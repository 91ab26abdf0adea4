package projections

import (
	"iter"
	"sync"

	"heddle/domain"
	"heddle/store"
)

// Table holds the folded state of every aggregate of one category.
type Table[S any] struct {
	mu     *sync.RWMutex
	rows   map[string]*row[S]
	orders map[string][]*row[S] // by organization, in the order of creation; nil for dropped ones
}

type row[S any] struct {
	State        S
	Organization string
	Since        store.Position // of the first event: a stable sort key and cursor
	Last         store.Position // of the last one
	place        int            // in its organization's order
}

func (t *Table[S]) init(mu *sync.RWMutex) {
	t.mu, t.rows, t.orders = mu, map[string]*row[S]{}, map[string][]*row[S]{}
}

// row returns the row that an event folds into, and makes it if need be.
func (t *Table[S]) row(m domain.Meta, at store.Position) *row[S] {
	r := t.rows[m.Aggregate]
	if r == nil {
		order := t.orders[m.Organization]
		r = &row[S]{Organization: m.Organization, Since: at, place: len(order)}
		t.rows[m.Aggregate], t.orders[m.Organization] = r, append(order, r)
	}
	r.Last = at
	return r
}

// drop forgets an aggregate.
func (t *Table[S]) drop(id string) {
	r := t.rows[id]
	delete(t.rows, id)
	t.orders[r.Organization][r.place] = nil
}

// Last returns the position of the last event of an aggregate, 0 if there is none.
func (t *Table[S]) Last(id string) store.Position {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rows[id]; r != nil {
		return r.Last
	}
	return 0
}

// Get returns an aggregate of an organization.
func (t *Table[S]) Get(organization, id string) (S, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rows[id]; r != nil && r.Organization == organization {
		return r.State, true
	}
	var none S
	return none, false
}

// Find returns an aggregate of any organization, for doors that learn the organization from it.
func (t *Table[S]) Find(id string) (S, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rows[id]; r != nil {
		return r.State, true
	}
	var none S
	return none, false
}

// Each yields an organization's aggregates in the order of creation, each with the position of its
// first event, which never changes and so makes a cursor.
func (t *Table[S]) Each(organization string) iter.Seq2[store.Position, S] {
	return func(yield func(store.Position, S) bool) {
		t.mu.RLock()
		rows := t.orders[organization]
		t.mu.RUnlock()
		var states []S
		var places []store.Position
		for size := 8; len(rows) > 0; size = min(2*size, chunk) { // many readers want the first few only
			part := rows[:min(size, len(rows))]
			rows, states, places = rows[len(part):], states[:0], places[:0]
			t.mu.RLock()
			for _, r := range part {
				if r != nil {
					states, places = append(states, r.State), append(places, r.Since)
				}
			}
			t.mu.RUnlock()
			for i, s := range states {
				if !yield(places[i], s) {
					return
				}
			}
		}
	}
}

// chunk is how many rows are copied under one lock: it bounds how long readers and the fold wait for each
// other.
const chunk = 128

// All yields the aggregates of all organizations, in no order.
func (t *Table[S]) All() iter.Seq[S] {
	return func(yield func(S) bool) {
		t.mu.RLock()
		var states []S
		for _, r := range t.rows {
			states = append(states, r.State)
		}
		t.mu.RUnlock()
		for _, s := range states {
			if !yield(s) {
				return
			}
		}
	}
}
