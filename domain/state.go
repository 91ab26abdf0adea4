package domain

import (
	"encoding/json"
	"maps"
	"slices"
)

// SnapshotEvery is how many events a state stream gathers before a snapshot takes their place.
const SnapshotEvery = 500

// State is what flows persist: values by scope and key. It belongs to an instance, or, for values
// shared by all instances, to an integration. It never expires.
type State struct {
	Scopes map[string]map[string]StateValue
	Since  int // events since the last snapshot
}

// StateValue is a persisted value and who wrote it.
type StateValue struct {
	Value json.RawMessage `json:"value"`
	Run   string          `json:"run"`
	Path  string          `json:"path"` // of the step, such as loop[2]/save
}

// States is the category of [State]. Its streams are truncated at snapshots.
var States = NewCategory("state",
	Kind[ValueSaved]("ValueSaved"),
	Kind[ValueRemoved]("ValueRemoved"),
	Kind[StateSnapshot]("StateSnapshot"),
)

// ValueSaved sets a key.
type ValueSaved struct {
	Scope string          `json:"scope"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	Run   string          `json:"run"`
	Path  string          `json:"path"`
}

// Evolve implements [Event].
func (e ValueSaved) Evolve(s State, _ Meta) State {
	return s.with(e.Scope, func(values map[string]StateValue) {
		values[e.Key] = StateValue{Value: e.Value, Run: e.Run, Path: e.Path}
	})
}

// ValueRemoved forgets a key.
type ValueRemoved struct {
	Scope string `json:"scope"`
	Key   string `json:"key"`
	Run   string `json:"run"`
	Path  string `json:"path"`
}

// Evolve implements [Event].
func (e ValueRemoved) Evolve(s State, _ Meta) State {
	return s.with(e.Scope, func(values map[string]StateValue) { delete(values, e.Key) })
}

// StateSnapshot repeats the whole state, so that what is older can be dropped. A large state takes
// several, in one append: the first replaces everything, the others add to it.
type StateSnapshot struct {
	Part   int                              `json:"part,omitempty"` // counted from 0
	Scopes map[string]map[string]StateValue `json:"scopes"`
}

// Evolve implements [Event].
func (e StateSnapshot) Evolve(s State, _ Meta) State {
	if e.Part == 0 {
		return State{Scopes: e.Scopes}
	}
	for scope, more := range e.Scopes {
		s = s.with(scope, func(values map[string]StateValue) { maps.Copy(values, more) })
	}
	s.Since = 0
	return s
}

// Save sets a key, unless this very step of this run has set it already: a repeated step does not
// overwrite what others have written since it was first done.
func (s State) Save(e ValueSaved) (Changes[State], error) {
	if e.Key == "" {
		return nil, RefuseField(Invalid, "key", "must not be empty")
	}
	if old, there := s.Scopes[e.Scope][e.Key]; there && old.Run == e.Run && old.Path == e.Path {
		return nil, nil
	}
	return Changes[State]{e}, nil
}

// Remove forgets a key; one that is not there is forgotten already.
func (s State) Remove(e ValueRemoved) (Changes[State], error) {
	if _, there := s.Scopes[e.Scope][e.Key]; !there {
		return nil, nil
	}
	return Changes[State]{e}, nil
}

// snapshotPart is how much one snapshot event holds, well inside what an event may.
const snapshotPart = 256 << 10 // bytes of keys and values

// Size is how many bytes the keys and values have.
func (s State) Size() int {
	size := 0
	for _, values := range s.Scopes {
		for key, value := range values {
			size += len(key) + len(value.Value)
		}
	}
	return size
}

// Snapshot repeats the state once enough events have gathered.
func (s State) Snapshot() (Changes[State], error) {
	if s.Since < SnapshotEvery {
		return nil, nil
	}
	var changes Changes[State]
	part, size := StateSnapshot{Scopes: map[string]map[string]StateValue{}}, 0
	for _, scope := range slices.Sorted(maps.Keys(s.Scopes)) {
		for _, key := range slices.Sorted(maps.Keys(s.Scopes[scope])) {
			value := s.Scopes[scope][key]
			if size += len(key) + len(value.Value); size > snapshotPart && len(part.Scopes) > 0 {
				changes = append(changes, part)
				part, size = StateSnapshot{Part: part.Part + 1, Scopes: map[string]map[string]StateValue{}}, len(key)+len(value.Value)
			}
			if part.Scopes[scope] == nil {
				part.Scopes[scope] = map[string]StateValue{}
			}
			part.Scopes[scope][key] = value
		}
	}
	return append(changes, part), nil
}

func (s State) with(scope string, edit func(map[string]StateValue)) State {
	values := maps.Clone(s.Scopes[scope])
	if values == nil {
		values = map[string]StateValue{}
	}
	edit(values)
	scopes := maps.Clone(s.Scopes)
	if scopes == nil {
		scopes = map[string]map[string]StateValue{}
	}
	scopes[scope] = values
	return State{Scopes: scopes, Since: s.Since + 1}
}
