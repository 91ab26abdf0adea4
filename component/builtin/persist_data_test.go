package builtin

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/domain/refusal"
)

// Every verb exists for every scope, with the same behaviour.
func TestPersistDataVerbs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, p := range persisted {
			s := newStep(t)
			do := func(action string, inputs map[string]any, want any) {
				t.Helper()
				got, err := s.perform("persist-data", action, inputs)
				if diff := cmp.Diff(want, got.Data); diff != "" || err != nil {
					t.Error(p.infix, err, diff)
				}
			}
			kept := func(key string, value any) map[string]any { return map[string]any{"key": key, "value": value} }
			x := p.infix
			do("append"+x+"ValueToList", in("keyInput", "l", "valueInput", "a"), kept("l", []any{"a"}))
			do("append"+x+"ValuesToList", in("keyInput", "l", "valuesInput", []any{"b", []any{"c"}}, "flattenValues",
				"true"), kept("l", []any{"a", "b", "c"}))
			do("append"+x+"ValuesToList", in("keyInput", "l", "valuesInput", []any{"x"}, "dynamicValues",
				`["a",["d"]]`), kept("l", []any{"a", "b", "c", "a", []any{"d"}}))
			do("remove"+x+"ValueFromList", in("keyInput", "l", "valueInput", "a"),
				kept("l", []any{"b", "c", []any{"d"}}))
			do("add"+x+"ValueToSet", in("keyInput", "s", "valueInput", 1.0), kept("s", []any{1.0}))
			do("add"+x+"ValueToSet", in("keyInput", "s", "valueInput", 1.0), kept("s", []any{1.0}))
			do("remove"+x+"ValueFromSet", in("keyInput", "s", "valueInput", "1"), kept("s", []any{}))
			do("increment"+x+"Value", in("keyInput", "n", "amountInput", ""), kept("n", 1.0))
			do("increment"+x+"Value", in("keyInput", "n", "amountInput", "2.5"), kept("n", 3.5))
			do("decrement"+x+"Value", in("keyInput", "n"), kept("n", 2.5))
			do("save"+x+"CurrentTime", in("keyInput", "t"), kept("t", "2000-01-01T00:00:00.000Z"))
			do("list"+x+"Keys", nil, []any{"l", "n", "s", "t"})
			do("getPersistDataUsageMetrics", nil, map[string]any{
				"execution": usage(p.scope, component.ExecutionScope), "flow": usage(p.scope, component.FlowScope),
				"crossFlow":   usage(p.scope, component.CrossFlowScope),
				"integration": usage(p.scope, component.IntegrationScope),
			})
			do("remove"+x+"Value", in("keyInput", "ignored", "multipleKeys", []any{"l", "t"}), nil)
			do("list"+x+"Keys", nil, []any{"n", "s"})
			do("remove"+x+"State", nil, nil)
			do("list"+x+"Keys", nil, []any{})
		}
	})
}

func usage(scope, of component.Scope) map[string]any {
	if scope != of {
		return map[string]any{"keys": 0.0, "bytes": 0.0}
	}
	return map[string]any{"keys": 4.0, "bytes": 50.0}
}

func TestPersistDataOfTheWrongKind(t *testing.T) {
	s := newStep(t)
	s.State(component.FlowScope).(*state).values = map[string]any{"object": map[string]any{}, "list": []any{},
		"text": "x"}
	for action, inputs := range map[string]map[string]any{
		"appendInstanceValueToList":    in("keyInput", "object", "valueInput", 1.0),
		"addInstanceValueToSet":        in("keyInput", "text", "valueInput", 1.0),
		"removeInstanceValueFromList":  in("keyInput", "object"),
		"appendInstanceValuesToList":   in("keyInput", "list", "dynamicValues", "no list"),
		"incrementInstanceValue":       in("keyInput", "list"),
		"decrementInstanceValue":       in("keyInput", "text"),
		"saveInstanceCurrentTime":      in("keyInput", ""),
		"appendExecutionValueToList":   in("keyInput", nil),
		"incrementIntegrationValue":    in("keyInput", "k", "amountInput", "much"),
		"removeCrossFlowValueFromList": nil,
	} {
		if got, err := s.perform("persist-data", action, inputs); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v, %v", action, got.Data, err)
		}
	}
	broken := errors.New("no log")
	s.states[component.CrossFlowScope] = &state{values: map[string]any{"k": nil}, err: broken}
	for _, action := range []string{"listCrossFlowKeys", "removeCrossFlowState", "saveCrossFlowCurrentTime",
		"appendCrossFlowValueToList", "incrementCrossFlowValue", "getPersistDataUsageMetrics"} {
		s.states[component.CrossFlowScope].values = map[string]any{"k": nil}
		if _, err := s.perform("persist-data", action, in("keyInput", "k")); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", action, err)
		}
	}
}
