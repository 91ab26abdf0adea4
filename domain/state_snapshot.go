package domain

import (
	"maps"
	"slices"
)

// A snapshot repeats the state, so that older events can be dropped. A small one is [StateSnapshot], in one
// append. A large one has parts in appends of their own, with other writes between them. Each part repeats
// values as they are then: it changes nothing for a reader of the whole stream, and a reader from the first
// part on has everything once the last part is there. Then the snapshot is closed, and events before the first
// part may go. A snapshot that begins later replaces one that is not closed.

// StatePart is a part of a large snapshot.
type StatePart struct {
	Snapshot string                           `json:"snapshot"`
	First    bool                             `json:"first,omitempty"`
	Scopes   map[string]map[string]StateValue `json:"scopes,omitempty"`
	Writes   []StateWrite                     `json:"writes,omitempty"` // the writes that may still be repeated
}

// Evolve implements [Event].
func (e StatePart) Evolve(s State, _ Meta) State {
	since := s.Since
	for scope, more := range e.Scopes {
		s = s.with(scope, func(values map[string]StateValue) { maps.Copy(values, more) })
	}
	s.Since = since
	if e.First {
		s.parts = parts{snapshot: e.Snapshot}
	}
	if s.parts.snapshot == e.Snapshot {
		for _, w := range e.Writes {
			s.parts.writes = &written{StateWrite: w, older: s.parts.writes}
		}
	}
	return s
}

// StateClosed ends a large snapshot.
type StateClosed struct {
	Snapshot string `json:"snapshot"`
}

// Evolve implements [Event].
func (e StateClosed) Evolve(s State, _ Meta) State {
	if s.parts.snapshot == e.Snapshot {
		s.writes, s.parts, s.Since = s.parts.writes, parts{}, 0
	}
	return s
}

// parts is the memory of a large snapshot until it is closed: the writes in its parts, and those made between
// them.
type parts struct {
	snapshot string
	writes   *written
}

const (
	// snapshotPart is the size of one snapshot event, well below the limit of an event.
	snapshotPart = 256 << 10 // bytes, about
	// smallSnapshot is how many such events are appended together, well below the limit of an append.
	smallSnapshot = 3
)

// sizeOf returns the approximate upper bound of a value's size in a part.
func (v StateValue) sizeOf(key string) int {
	return escapes*len(key) + len(v.Value) + len(v.Run) + escapes*len(v.Path) + 64
}

func (w StateWrite) size() int {
	return escapes*(len(w.Scope)+len(w.Key)+len(w.Path)) + len(w.Value) + len(w.Run) + 96
}

// escapes returns how many bytes a character of a text may take in JSON.
const escapes = 6

// Snapshot repeats the state once enough events have gathered, without overwritten values of ended runs. large
// says that it does not fit one append, and must be made by [State.SnapshotPart].
func (s State) Snapshot(ended map[string]bool) (changes Changes[State], large bool) {
	if s.Since < SnapshotEvery {
		return nil, false
	}
	for place := (SnapshotPlace{}); ; {
		if len(changes) == smallSnapshot {
			return nil, true
		}
		next, part := s.part(place, ended)
		changes = append(changes, StateSnapshot{Part: len(changes), Scopes: part.Scopes, Writes: part.Writes})
		if place = next; place.last {
			return changes, false
		}
	}
}

// SnapshotPlace is the progress of a large snapshot; at first it has its ID only.
type SnapshotPlace struct {
	ID         string
	Closed     bool
	begun      bool
	scope, key string // the last value in a part
	values     bool   // all values are in parts
	write      string // the last write in a part, in sort order
	last       bool   // everything is in parts
}

// SnapshotPart makes the next part of a large snapshot, or closes it, and returns the place after that. It
// makes no changes if another snapshot was made or begun meanwhile.
func (s State) SnapshotPart(at SnapshotPlace, ended map[string]bool) (Changes[State], SnapshotPlace) {
	switch {
	case !at.begun && s.Since < SnapshotEvery, at.begun && s.parts.snapshot != at.ID:
		return nil, at
	case at.last:
		at.Closed = true
		return Changes[State]{StateClosed{Snapshot: at.ID}}, at
	}
	next, part := s.part(at, ended)
	part.Snapshot, part.First, next.begun = at.ID, !at.begun, true
	return Changes[State]{part}, next
}

// part returns the data after a place, first values and then writes, as much as fits one event.
func (s State) part(at SnapshotPlace, ended map[string]bool) (SnapshotPlace, StatePart) {
	part, size := StatePart{Scopes: map[string]map[string]StateValue{}}, 0
	full := func(more int) bool {
		size += more
		return size > more && size > snapshotPart
	}
	if !at.values {
		for _, scope := range slices.Sorted(maps.Keys(s.Scopes)) {
			if scope < at.scope {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(s.Scopes[scope])) {
				if scope == at.scope && key <= at.key {
					continue
				}
				value := s.Scopes[scope][key]
				if full(value.sizeOf(key)) {
					return at, part
				}
				if part.Scopes[scope] == nil {
					part.Scopes[scope] = map[string]StateValue{}
				}
				part.Scopes[scope][key] = value
				at.scope, at.key = scope, key
			}
		}
		at.values = true
	}
	writes := s.repeatable(ended)
	for _, place := range slices.Sorted(maps.Keys(writes)) {
		if place <= at.write {
			continue
		}
		if full(writes[place].size()) {
			return at, part
		}
		part.Writes = append(part.Writes, writes[place])
		at.write = place
	}
	at.last = true
	return at, part
}
