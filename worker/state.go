package worker

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/google/uuid"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// State implements [component.Step].
func (s *stepContext) State(name component.Scope) component.State {
	x := s.x
	switch name {
	case component.ExecutionScope:
		return &ownState{x: x, step: s}
	case component.IntegrationScope:
		return &sharedState{x: x, step: s, stream: x.run.Queued.Integration, scope: string(name)}
	case component.FlowScope:
		return &sharedState{x: x, step: s, stream: x.run.Queued.Instance, scope: "flow/" + x.run.Queued.Flow}
	}
	return &sharedState{x: x, step: s, stream: x.run.Queued.Instance, scope: string(name)}
}

// sharedState is a scope kept in a state stream. It is read on use, so that runs see each other's writes, and
// written per key, so that they do not undo them.
type sharedState struct {
	x      *attempt
	step   *stepContext
	stream string
	scope  string
}

// Get implements [component.State].
func (s *sharedState) Get(ctx context.Context, key string) (any, bool, error) {
	state, _, err := store.Load(ctx, s.x.w.Log, domain.States, s.stream)
	if err != nil {
		return nil, false, err
	}
	kept, found := state.Scopes[s.scope][key]
	if !found {
		return nil, false, nil
	}
	s.x.apiKeys()
	value, err := value.Decode(kept.Value)
	return value, err == nil, err
}

// All implements [component.State].
func (s *sharedState) All(ctx context.Context) (map[string]any, error) {
	state, _, err := store.Load(ctx, s.x.w.Log, domain.States, s.stream)
	if err != nil {
		return nil, err
	}
	s.x.apiKeys() // what another run has kept may have them
	all := map[string]any{}
	for key, kept := range state.Scopes[s.scope] {
		if all[key], err = value.Decode(kept.Value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Set implements [component.State].
func (s *sharedState) Set(_ context.Context, key string, val any) error {
	data, err := value.Encode(val)
	if err != nil {
		return err
	}
	return s.change(func(st domain.State) (domain.Changes[domain.State], error) { return s.save(st, key, data) })
}

// save sets a key, within the limit of persisted values.
func (s *sharedState) save(st domain.State, key string, data json.RawMessage) (domain.Changes[domain.State], error) {
	changes, err := st.Save(domain.ValueSaved{Scope: s.scope, Key: key, Value: data, Run: s.x.run.ID,
		Path: s.step.writer()})
	if size := st.Size() + len(key) + len(data); err == nil && len(changes) > 0 && size > s.x.w.MaxState {
		return nil, tooMuchState(key, size, s.x.w.MaxState)
	}
	return changes, err
}

// Remove implements [component.State].
func (s *sharedState) Remove(_ context.Context, key string) error {
	return s.change(func(st domain.State) (domain.Changes[domain.State], error) {
		return st.Remove(domain.ValueRemoved{Scope: s.scope, Key: key, Run: s.x.run.ID, Path: s.step.writer()})
	})
}

// change writes, and now and then replaces older records by a snapshot.
func (s *sharedState) change(decide func(domain.State) (domain.Changes[domain.State], error)) error {
	ctx := s.x.ctxRun
	if err := s.x.flush(nil); err != nil { // this write depends on what was read before
		return err
	}
	s.step.durable = true
	handle, err := store.Open(ctx, s.x.w.Log, domain.States, s.stream)
	if err != nil {
		return err
	}
	state, _, err := handle.Change(ctx, decide)
	if err != nil || state.Since < domain.SnapshotEvery {
		return err
	}
	if err := s.snapshot(handle); err != nil { // the write is done; the next one tries again
		s.x.w.Logger.Warn("a snapshot of persisted values failed", "stream", domain.States.Stream(s.stream), "error",
			err)
	}
	return nil
}

// snapshot replaces older records by the whole state.
func (s *sharedState) snapshot(handle *store.Handle[domain.State]) error {
	ended, err := s.ended(handle.State().Writers())
	if err != nil {
		return err
	}
	parts, large := 0, false
	_, _, err = handle.Change(s.x.ctxRun, func(st domain.State) (changes domain.Changes[domain.State], err error) {
		changes, large = st.Snapshot(ended)
		parts = len(changes)
		return changes, nil
	})
	first := handle.Revision() - store.Revision(parts-1)
	if err == nil && large {
		first, err = s.largeSnapshot(handle, ended)
	}
	if err != nil || parts == 0 && !large || first < 0 {
		return err // somebody else has made it
	}
	return store.Truncate(s.x.ctxRun, s.x.w.Log, domain.States, s.stream, first)
}

// largeSnapshot repeats the state in several appends and returns the first one's revision, -1 if somebody else
// makes a snapshot.
func (s *sharedState) largeSnapshot(handle *store.Handle[domain.State], ended map[string]bool,
) (first store.Revision, err error) {
	first = store.NoStream
	for at := (domain.SnapshotPlace{ID: uuid.NewString()}); !at.Closed; {
		next, made := at, 0
		_, _, err := handle.Change(s.x.ctxRun, func(st domain.State) (changes domain.Changes[domain.State], err error) {
			changes, next = st.SnapshotPart(at, ended)
			made = len(changes)
			return changes, nil
		})
		if err != nil || made == 0 {
			return store.NoStream, err
		}
		if first == store.NoStream {
			first = handle.Revision()
		}
		at = next
	}
	return first, nil
}

// ended returns which of the runs repeat no step any more: those that have ended, or whose history is gone. A run
// that ended just now may be missed: the next snapshot catches it.
func (s *sharedState) ended(runs map[string]bool) (map[string]bool, error) {
	ctx, ended := s.x.ctxRun, map[string]bool{}
	for run := range runs {
		e, known, err := s.x.w.Runs.Execution(ctx, s.x.run.Organization, run)
		if err != nil {
			return nil, err
		}
		if known {
			ended[run] = !e.EndedAt.IsZero()
			continue
		}
		for _, err := range s.x.w.Log.Read(ctx, domain.Runs.Stream(run), 0) { // the index may not have it yet
			if ended[run] = refusal.CodeOf(err) == refusal.NotFound; err != nil && !ended[run] {
				return nil, err
			}
			break
		}
	}
	return ended, nil
}

// ownState is the execution's own scope: kept in its steps' events, gone with the run.
type ownState struct {
	x    *attempt
	step *stepContext
}

// Get implements [component.State].
func (s *ownState) Get(_ context.Context, key string) (any, bool, error) {
	data, found := s.x.own[key]
	if !found {
		return nil, false, nil
	}
	value, err := value.Decode(data)
	return value, err == nil, err
}

// All implements [component.State].
func (s *ownState) All(context.Context) (map[string]any, error) {
	all := map[string]any{}
	for key, data := range s.x.own {
		value, err := value.Decode(data)
		if err != nil {
			return nil, err
		}
		all[key] = value
	}
	return all, nil
}

// Set implements [component.State].
func (s *ownState) Set(_ context.Context, key string, val any) error {
	data, err := value.Encode(val)
	if err != nil {
		return err
	}
	size := len(key) + len(data)
	for key, data := range s.x.own {
		size += len(key) + len(data)
	}
	if size > s.x.w.MaxState {
		return tooMuchState(key, size, s.x.w.MaxState)
	}
	s.write(key, data)
	return nil
}

func tooMuchState(key string, size, limit int) error {
	refusal := refusal.Exceed("HEDDLE_MAX_STATE", "with this value %d bytes would be persisted, more than %d", size,
		limit)
	refusal.Field = key
	return refusal
}

// Remove implements [component.State].
func (s *ownState) Remove(_ context.Context, key string) error {
	s.write(key, nil)
	return nil
}

func (s *ownState) write(key string, data json.RawMessage) {
	if s.step.state == nil {
		s.step.state, s.step.before = map[string]json.RawMessage{}, maps.Clone(s.x.own)
	}
	s.step.state[key] = data
	s.x.adopt(s.step.state)
}

// undo takes back what a call that is made again has set in the execution's own scope: the log will not have it.
func (s *stepContext) undo() {
	if s.state != nil {
		s.x.own = s.before
	}
}

// adopt makes a step's writes to the execution's own scope visible; null removes.
func (x *attempt) adopt(writes map[string]json.RawMessage) {
	if x.own == nil {
		x.own = map[string]json.RawMessage{}
	}
	maps.Copy(x.own, writes)
	maps.DeleteFunc(x.own, func(_ string, data json.RawMessage) bool { return data == nil || string(data) == "null" })
}
