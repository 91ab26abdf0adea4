package builtin

import (
	"context"
	"maps"
	"net/http"
	"testing"

	"heddle/component"
)

// step is a run as the components see it, in memory.
type step struct {
	t       *testing.T
	key     string
	client  *http.Client
	lines   []string
	reached int
	states  map[component.Scope]*state
	facts   map[string]any
	payload any
	invoked []any // flow, data, flow, data …
	// script answers in place of the engine, which is in package worker.
	script func(component.ScriptCall) (any, error)
}

func newStep(t *testing.T) *step {
	return &step{t: t, key: "run-1/send", client: http.DefaultClient, states: map[component.Scope]*state{},
		facts: map[string]any{"executionId": "e1"}}
}

func (s *step) IdempotencyKey() string    { return s.key }
func (s *step) Log(level, message string) { s.lines = append(s.lines, level+": "+message) }
func (s *step) ID() string                { return "step-1" }
func (s *step) BeginEffect() error        { s.reached++; return nil }
func (s *step) HTTP() *http.Client        { return s.client }
func (s *step) Facts() map[string]any     { return s.facts }
func (s *step) Payload() any              { return s.payload }
func (s *step) Invoke(_ context.Context, flow string, data any) (any, error) {
	s.invoked = append(s.invoked, flow, data)
	return map[string]any{"executionId": "e2"}, nil
}
func (s *step) Results() map[string]any {
	return map[string]any{"trigger": map[string]any{"results": 1.0}}
}

func (s *step) State(scope component.Scope) component.State {
	if s.states[scope] == nil {
		s.states[scope] = &state{values: map[string]any{}}
	}
	return s.states[scope]
}

func (s *step) Script(_ context.Context, call component.ScriptCall) (any, error) {
	return s.script(call)
}

// state stores values and counts writes.
type state struct {
	values       map[string]any
	set, removed []string
	err          error
}

func (s *state) Get(_ context.Context, key string) (any, bool, error) {
	v, ok := s.values[key]
	return v, ok, s.err
}

func (s *state) All(context.Context) (map[string]any, error) { return maps.Clone(s.values), s.err }

func (s *state) Set(_ context.Context, key string, value any) error {
	s.values[key] = value
	s.set = append(s.set, key)
	return s.err
}

func (s *state) Remove(_ context.Context, key string) error {
	delete(s.values, key)
	s.removed = append(s.removed, key)
	return s.err
}

// perform runs an action as the engine does: by its keys and with resolved inputs.
func (s *step) perform(componentKey, actionKey string, inputs map[string]any) (component.Result, error) {
	s.t.Helper()
	action, err := component.New(Components()...).Lookup(componentKey, actionKey)
	if err != nil {
		s.t.Fatal(err)
	}
	return action.Perform(s.t.Context(), s, inputs)
}

func (s *state) Update(_ context.Context, key string, change func(any, bool) (any, error)) (any, error) {
	old, found := s.values[key]
	value, err := change(old, found)
	if err != nil {
		return nil, err
	}
	return value, s.Set(context.Background(), key, value)
}
