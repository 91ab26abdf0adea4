package domain

import (
	"encoding/json"
	"fmt"
	"maps"

	"heddle/domain/refusal"
)

// SnapshotEvery is how many events a state stream gathers before a snapshot replaces them.
const SnapshotEvery = 500

// State is the persisted data of flows: values by scope and key. It belongs to an instance or, for values
// shared by all instances, to an integration. It never expires.
type State struct {
	Scopes map[string]map[string]StateValue
	Since  int // events since the last snapshot
	writes *written
	parts  parts // of a snapshot that is not closed yet
}

// written holds the writes that steps may still repeat, newest first: adding one shares all older ones.
type written struct {
	StateWrite
	older *written
}

// StateWrite is a step's write to a key. It is kept after others have written the key: the step may be in
// flight, to be repeated after a crash.
type StateWrite struct {
	Scope   string          `json:"scope"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value,omitempty"` // if it is no larger than [MaxInline]
	Removed bool            `json:"removed,omitempty"`
	Run     string          `json:"run"`
	Path    string          `json:"path"`
}

// StateValue is a persisted value and its writer.
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
	Kind[StatePart]("StatePart"),
	Kind[StateClosed]("StateClosed"),
).With(Traits{Passing: true, Truncatable: true})

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
	s = s.with(e.Scope, func(values map[string]StateValue) {
		values[e.Key] = StateValue{Value: e.Value, Run: e.Run, Path: e.Path}
	})
	w := StateWrite{Scope: e.Scope, Key: e.Key, Run: e.Run, Path: e.Path}
	if len(e.Value) <= MaxInline {
		w.Value = e.Value
	}
	return s.remember(w)
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
	s = s.with(e.Scope, func(values map[string]StateValue) { delete(values, e.Key) })
	return s.remember(StateWrite{Scope: e.Scope, Key: e.Key, Removed: true, Run: e.Run, Path: e.Path})
}

// StateSnapshot repeats the whole state, so that older events can be dropped. A large state takes several, in
// one append: the first replaces everything, the others add to it.
type StateSnapshot struct {
	Part   int                              `json:"part,omitempty"` // counted from 0
	Scopes map[string]map[string]StateValue `json:"scopes"`
	Writes []StateWrite                     `json:"writes,omitempty"` // the writes that may still be repeated
}

// Evolve implements [Event].
func (e StateSnapshot) Evolve(s State, _ Meta) State {
	if e.Part == 0 {
		s = State{Scopes: e.Scopes}
	} else {
		for scope, more := range e.Scopes {
			s = s.with(scope, func(values map[string]StateValue) { maps.Copy(values, more) })
		}
	}
	for _, w := range e.Writes {
		s = s.remember(w)
	}
	s.Since = 0
	return s
}

// maxStateValue leaves room in an event for a snapshot's metadata of a value.
const maxStateValue = 500 << 10 // bytes

// Save sets a key, unless this very step of this run has set it already: a repeated step does not overwrite
// values that others have written since.
func (s State) Save(e ValueSaved) (Changes[State], error) {
	if e.Key == "" {
		return nil, refusal.ForField(refusal.Invalid, "key", "must not be empty")
	}
	if size := len(e.Key) + len(e.Value); size > maxStateValue {
		return nil, refusal.ForField(refusal.Invalid, "key",
			"its value has %d bytes with it, more than the %d that one persisted value may have", size, maxStateValue)
	}
	if _, saved := s.Saved(e); saved {
		return nil, nil
	}
	return Changes[State]{e}, nil
}

// Remove forgets a key, unless this very step of this run has done so already. Removing a missing key changes
// nothing.
func (s State) Remove(e ValueRemoved) (Changes[State], error) {
	_, there := s.Scopes[e.Scope][e.Key]
	again := StateWrite{Scope: e.Scope, Key: e.Key, Removed: true, Run: e.Run, Path: e.Path}
	if !there || s.find(again) != nil {
		return nil, nil
	}
	return Changes[State]{e}, nil
}

// Saved reports whether the step has set the key already, whoever has written it since, and returns the value.
// A replaced value over [MaxInline] is not kept: then the present value is returned.
func (s State) Saved(e ValueSaved) (json.RawMessage, bool) {
	now, there := s.Scopes[e.Scope][e.Key]
	if there && now.Run == e.Run && now.Path == e.Path {
		return now.Value, true
	}
	w := s.find(StateWrite{Scope: e.Scope, Key: e.Key, Run: e.Run, Path: e.Path})
	switch {
	case w == nil:
		return nil, false
	case w.Value == nil:
		return now.Value, true
	}
	return w.Value, true
}

// find returns a step's write of its kind. A run does one step after another and never goes back, so only
// writes of its newest writing step can be repeated.
func (s State) find(again StateWrite) *StateWrite {
	for w := s.writes; w != nil; w = w.older {
		if w.Run != again.Run {
			continue
		}
		if w.Path != again.Path {
			return nil
		}
		if w.Scope == again.Scope && w.Key == again.Key && w.Removed == again.Removed {
			return &w.StateWrite
		}
	}
	return nil
}

func (s State) remember(w StateWrite) State {
	s.writes = &written{StateWrite: w, older: s.writes}
	if s.parts.snapshot != "" {
		s.parts.writes = &written{StateWrite: w, older: s.parts.writes}
	}
	return s
}

// Writers returns the runs that may still repeat a write, as far as the state knows: whoever makes a snapshot
// says which of them have ended.
func (s State) Writers() map[string]bool {
	runs := map[string]bool{}
	for w := s.writes; w != nil; w = w.older {
		runs[w.Run] = true
	}
	return runs
}

// repeatable returns the writes of the newest writing step of each run that has not ended, by their identity.
func (s State) repeatable(ended map[string]bool) map[string]StateWrite {
	writes, newest := map[string]StateWrite{}, map[string]string{} // paths, by run
	for w := s.writes; w != nil; w = w.older {
		if path, known := newest[w.Run]; ended[w.Run] || known && path != w.Path {
			continue
		}
		newest[w.Run] = w.Path
		place := fmt.Sprintf("%s\x00%s\x00%s\x00%t", w.Run, w.Scope, w.Key, w.Removed)
		if _, newer := writes[place]; !newer {
			writes[place] = w.StateWrite
		}
	}
	return writes
}

// Size is the total size of the keys and values in bytes.
func (s State) Size() int {
	size := 0
	for _, values := range s.Scopes {
		for key, value := range values {
			size += len(key) + len(value.Value)
		}
	}
	return size
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
	s.Scopes, s.Since = scopes, s.Since+1
	return s
}
