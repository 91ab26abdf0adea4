package store

import (
	"context"
	"fmt"

	"heddle/domain"
)

// Handle is an aggregate as read from its stream: a state and its revision. It is for one goroutine at a time.
type Handle[S any] struct {
	log      Log
	category *domain.Category[S]
	id       string
	at       fold[S]
}

// fold is the state after a record.
type fold[S any] struct {
	state    S
	revision Revision
	position Position
	hash     string // of the record, "" before the first
	read     int    // records folded
}

// Open reads an aggregate. A missing one has the zero state at [NoStream].
func Open[S any](ctx context.Context, log Log, category *domain.Category[S], id string) (*Handle[S], error) {
	h := &Handle[S]{log: log, category: category, id: id, at: fold[S]{revision: NoStream}}
	if kept, ok := log.shared().folds.Get(h.foldKey()); ok {
		h.at = kept.(fold[S])
	}
	if _, err := h.refresh(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// Fresh returns a handle on an aggregate that is believed not to exist, without reading: its first change finds
// out, and decides again if it does.
func Fresh[S any](log Log, category *domain.Category[S], id string) *Handle[S] {
	return &Handle[S]{log: log, category: category, id: id, at: fold[S]{revision: NoStream}}
}

// State returns the aggregate's state as last read or changed through the handle.
func (h *Handle[S]) State() S { return h.at.state }

// Revision returns the stream's revision of State.
func (h *Handle[S]) Revision() Revision { return h.at.revision }

// Position returns the position of the record at Revision, 0 if there is none.
func (h *Handle[S]) Position() Position { return h.at.position }

// Shorten replaces the handle's state by an equivalent one.
func (h *Handle[S]) Shorten(shorten func(S) S) { h.at.state = shorten(h.at.state) }

func (h *Handle[S]) stream() string { return h.category.Stream(h.id) }

func (h *Handle[S]) foldKey() foldKey {
	return foldKey{h.stream(), h.category}
}

// refresh folds newer records and returns how many there were.
func (h *Handle[S]) refresh(ctx context.Context) (int, error) {
	at, before := h.at, h.at.read
	var last Recorded
	for r, err := range h.log.Read(ctx, h.stream(), at.revision+1) {
		if err != nil {
			h.log.shared().folds.Remove(h.foldKey())
			return 0, fmt.Errorf("reading %s: %w", h.stream(), err)
		}
		at.revision, at.position = r.Revision, r.Position
		at.read++
		if !r.Own() {
			continue // it counts in the stream, but not in its chain
		}
		event, meta, err := decode(h.category, r)
		if err != nil {
			return 0, fmt.Errorf("reading %s at revision %d: %w", h.stream(), r.Revision, err)
		}
		at.state, last = event.Evolve(at.state, meta), r
	}
	if at.read == before {
		return 0, nil
	}
	if !last.Mark() {
		at.hash = HashOf(last)
	}
	h.keep(at)
	return at.read - before, nil
}

// keep stores a newer fold, and caches it for the next change if the stream is a long one that is changed again
// and again, such as a draft under edit. States are never edited in place, so they can be shared; newer records
// are always read.
func (h *Handle[S]) keep(at fold[S]) {
	h.at = at
	if at.read >= longStream && h.keeps() {
		h.log.shared().folds.Put(h.foldKey(), at)
	}
}

// keeps reports whether folds of the category may be cached. Those of runs may not: one worker changes a run,
// which holds it itself, and its results may be large.
func (h *Handle[S]) keeps() bool { return !h.category.Brief }

// decode returns a record's event and meta for folding.
func decode[S any](category *domain.Category[S], r Recorded) (domain.Event[S], domain.Meta, error) {
	event, err := category.Decode(r.Kind, r.Data)
	if err != nil {
		return nil, domain.Meta{}, err
	}
	meta, err := MetaOf(r)
	return event, meta, err
}

// Truncate forgets an aggregate's records before a revision, which a newer one repeats. Only categories that say so may
// be truncated.
func Truncate[S any](ctx context.Context, log Log, c *domain.Category[S], id string, before Revision) error {
	if !c.Truncatable {
		return fmt.Errorf("streams of category %s keep all their records", c.Name)
	}
	return log.Truncate(ctx, c.Stream(id), before)
}
