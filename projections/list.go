package projections

import (
	"iter"
	"strings"
	"time"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/store"
)

// Listed is an integration with the fields that lists show, search and sort by. It is never changed, so that
// lists of thousands copy pointers only.
type Listed struct {
	*domain.Integration
	Summary   *definition.Part // of its newest main draft
	Name      string           // lower case
	UpdatedAt time.Time        // when it was edited or published last
	Shown     bool             // it exists, complete: an interrupted import leaves one that is not
}

func (l *Listed) draft(d domain.Draft) {
	if l.UpdatedAt = d.UpdatedAt; l.Summary != d.Definition && d.Definition != nil {
		l.Name = strings.ToLower(d.Definition.Name())
	}
	l.Summary = d.Definition
}

// listing is an integration's entry in lists.
type listing struct {
	since store.Position // of the integration's first event
	// the newest main one, or the named one that became the newest version; nil before the first
	draft *row[domain.Draft]
	now   *Listed
}

// listing returns the listing of an integration, and makes it if need be: the draft's events come first.
func (v *View) listing(integration string) *listing {
	l := v.listings[integration]
	if l == nil {
		l = &listing{now: &Listed{}}
		v.listings[integration] = l
	}
	return l
}

// update swaps in a modified copy of the listing.
func (l *listing) update(change func(now *Listed)) {
	now := *l.now
	change(&now)
	now.Shown = now.Summary != nil && now.Integration != nil && now.RemovedAt.IsZero()
	l.now = &now
}

// follow lists another draft.
func (v *View) follow(l *listing, draft *row[domain.Draft]) {
	if l.draft != nil {
		v.evict(l.draft)
	}
	l.draft = draft
	l.update(func(now *Listed) { now.draft(draft.State) })
}

// MainDraft returns the newest main draft of an integration, with a summary for its definition. It is closed if
// the newest version was made from it and nobody has edited since.
func (v *View) MainDraft(integration string) (domain.Draft, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if l := v.listings[integration]; l != nil && l.draft != nil {
		return l.draft.State, true
	}
	return domain.Draft{}, false
}

// Listed returns an integration as lists show it.
func (v *View) Listed(integration string) (*Listed, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if l := v.listings[integration]; l != nil {
		return l.now, true
	}
	return nil, false
}

// EachListed yields an organization's integrations in the order of creation, or the newest first, each with
// the position of its first event.
func (v *View) EachListed(organization string, newestFirst bool) iter.Seq2[store.Position, *Listed] {
	return func(yield func(store.Position, *Listed) bool) {
		v.mu.RLock()
		rest := v.lists[organization]
		v.mu.RUnlock()
		for len(rest) > 0 {
			part, states := rest[:min(chunk, len(rest))], [chunk]*Listed{}
			if newestFirst {
				part = rest[max(0, len(rest)-chunk):]
				rest = rest[:len(rest)-len(part)]
			} else {
				rest = rest[len(part):]
			}
			v.mu.RLock()
			for i, l := range part {
				states[i] = l.now
			}
			v.mu.RUnlock()
			for i := range part {
				if newestFirst {
					i = len(part) - 1 - i
				}
				if !yield(part[i].since, states[i]) {
					return
				}
			}
		}
	}
}
