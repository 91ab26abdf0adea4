package builtin

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// answers returns a script that returns value and leaves the states of its context as change does.
func answers(val any, change func(context map[string]any)) func(component.ScriptCall) (any, error) {
	return func(call component.ScriptCall) (any, error) {
		raw, err := value.Encode(call.Args[0]) // the engine works on a copy
		if err != nil {
			return nil, err
		}
		copied, err := value.Decode(raw)
		if err != nil {
			return nil, err
		}
		context := copied.(map[string]any)
		if change != nil {
			change(context)
		}
		left := map[string]any{}
		for _, name := range call.Context {
			left[name] = context[name]
		}
		return map[string]any{"value": val, "context": left}, nil
	}
}

func TestRunCodeCall(t *testing.T) {
	s := newStep(t)
	s.State(component.CrossFlowScope).(*state).values["k"] = "v"
	s.script = func(call component.ScriptCall) (any, error) {
		want := []any{
			map[string]any{"executionId": "e1", "stepId": "step-1", "crossFlowState": map[string]any{"k": "v"},
				"executionState": map[string]any{}, "instanceState": map[string]any{},
				"integrationState": map[string]any{}},
			map[string]any{"trigger": map[string]any{"results": 1.0}},
		}
		if diff := cmp.Diff(want, call.Args); diff != "" || call.Source != "the code" {
			t.Error(call.Source, diff)
		}
		call.Log("info", "said")
		return answers(map[string]any{"data": 1.0}, nil)(call)
	}
	got, err := s.perform("code", "runCode", map[string]any{"code": "the code"})
	if err != nil || got.Data != 1.0 || !slices.Contains(s.lines, "info: said") {
		t.Errorf("got %v, %v, %v", got, err, s.lines)
	}
	if _, has := s.facts["crossFlowState"]; has {
		t.Error("the facts of the run were changed")
	}
}

func TestRunCodeResult(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  component.Result
	}{
		"nothing":    {nil, component.Result{}},
		"bare":       {5.0, component.Result{Data: 5.0}},
		"empty":      {map[string]any{}, component.Result{}},
		"no data":    {map[string]any{"other": 1.0}, component.Result{}},
		"a body":     {map[string]any{"body": "x", "statusCode": 202.0}, component.Result{Data: "x", StatusCode: 202}},
		"data first": {map[string]any{"body": "x", "data": nil}, component.Result{}},
		"whole": {map[string]any{"data": []any{1.0}, "contentType": "text/csv", "statusCode": 201.0,
			"headers": map[string]any{"X-A": 1.0}, "branch": "B"},
			component.Result{Data: []any{1.0}, ContentType: "text/csv", StatusCode: 201,
				Headers: map[string]string{"X-A": "1"}, Branch: "B"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStep(t)
			s.script = answers(c.value, nil)
			got, err := s.perform("code", "runCode", map[string]any{"code": "x"})
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
			if warned := len(s.lines) > 0; warned != (name == "no data") {
				t.Errorf("got log %v", s.lines)
			}
		})
	}
}

func TestRunCodeRefuses(t *testing.T) {
	boom := errors.New("boom")
	s := newStep(t)
	s.script = func(component.ScriptCall) (any, error) { return nil, boom }
	if _, err := s.perform("code", "runCode", map[string]any{"code": "x"}); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := s.perform("code", "runCode", nil); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("without code: got %v", err)
	}
	for _, status := range []any{"201", 99.0, 200.5} {
		s.script = answers(map[string]any{"data": 1.0, "statusCode": status}, nil)
		if _, err := s.perform("code", "runCode", map[string]any{"code": "x"}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("status %v: got %v", status, err)
		}
	}
	s.states[component.FlowScope] = &state{err: boom}
	if _, err := s.perform("code", "runCode", map[string]any{"code": "x"}); !errors.Is(err, boom) {
		t.Errorf("state that cannot be read: got %v", err)
	}
}

func TestRunCodeState(t *testing.T) {
	for name, c := range map[string]struct {
		value        any
		change       func(context map[string]any)
		want         map[string]any
		set, removed []string
	}{
		"untouched": {nil, nil, map[string]any{"a": 1.0, "b": []any{int64(1)}}, nil, nil},
		"changed": {nil, func(c map[string]any) { c["crossFlowState"].(map[string]any)["a"] = 2.0 },
			map[string]any{"a": 2.0, "b": []any{int64(1)}}, []string{"a"}, nil},
		"deleted": {nil, func(c map[string]any) { delete(c["crossFlowState"].(map[string]any), "a") },
			map[string]any{"b": []any{int64(1)}}, nil, []string{"a"}},
		"replaced": {nil, func(c map[string]any) { c["crossFlowState"] = map[string]any{"c": 3.0} },
			map[string]any{"c": 3.0}, []string{"c"}, []string{"a", "b"}},
		"not an object any more": {nil, func(c map[string]any) { c["crossFlowState"] = nil },
			map[string]any{"a": 1.0, "b": []any{int64(1)}}, nil, nil},
		"returned": {map[string]any{"crossFlowState": map[string]any{"a": 1.0, "c": nil}}, nil,
			map[string]any{"a": 1.0, "b": []any{int64(1)}, "c": nil}, []string{"c"}, nil},
		"returned and deleted": {map[string]any{"crossFlowState": map[string]any{"a": 9.0}},
			func(c map[string]any) { delete(c["crossFlowState"].(map[string]any), "a") },
			map[string]any{"a": 9.0, "b": []any{int64(1)}}, []string{"a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStep(t)
			kept := s.State(component.CrossFlowScope).(*state)
			kept.values = map[string]any{"a": 1.0, "b": []any{int64(1)}}
			s.script = answers(c.value, c.change)
			if _, err := s.perform("code", "runCode", map[string]any{"code": "x"}); err != nil {
				t.Fatal(err)
			}
			slices.Sort(kept.removed)
			if diff := cmp.Diff([]any{c.want, c.set, c.removed},
				[]any{kept.values, kept.set, kept.removed}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRunCodeTrigger(t *testing.T) {
	payload := map[string]any{"body": 1.0}
	registry := component.New(Components()...)
	trigger, err := registry.LookupTrigger("code", "runCodeTrigger")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		value   any
		want    component.Result
		refused bool
	}{
		"nothing": {nil, component.Result{}, false},
		"payload": {map[string]any{"payload": "x", "branch": "B"}, component.Result{Data: "x", Branch: "B"}, false},
		"response": {map[string]any{"payload": nil, "response": map[string]any{"statusCode": 400.0,
			"contentType": "a/b", "headers": map[string]any{"X": 1.0}, "body": map[string]any{"a": 1.0}}},
			component.Result{Response: &component.Response{StatusCode: 400, ContentType: "a/b",
				Headers: map[string]string{"X": "1"}, Body: `{"a":1}`}}, false},
		"empty response": {map[string]any{"payload": 1.0, "response": map[string]any{}},
			component.Result{Data: 1.0, Response: &component.Response{}}, false},
		"no status": {map[string]any{"payload": 1.0, "response": map[string]any{"statusCode": 42.0}},
			component.Result{}, true},
	} {
		s := newStep(t)
		s.script = func(call component.ScriptCall) (any, error) {
			if !cmp.Equal(call.Args[1], any(payload)) || call.HTTP != nil {
				t.Errorf("called with %v", call)
			}
			return answers(c.value, nil)(call)
		}
		got, err := trigger.Do(t.Context(), s, payload, map[string]any{"code": "x"})
		if c.refused {
			if refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		if warned := len(s.lines) > 0; warned != (name == "nothing") {
			t.Errorf("%s: got log %v", name, s.lines)
		}
	}
	if _, err := trigger.Do(t.Context(), newStep(t), payload, nil); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("without code: got %v", err)
	}
}
