package worker

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/builtin"
)

// The components that hand functions to the script engine, with the engine.
func TestComponentsWithScripts(t *testing.T) {
	registry := component.New(builtin.Components()...)
	perform := func(key, name string, inputs map[string]any) (any, error) {
		action, err := registry.Lookup(key, name)
		if err != nil {
			t.Fatal(err)
		}
		result, err := action.Perform(t.Context(), &flowRun{t: t}, inputs)
		return result.Data, err
	}
	list := []any{map[string]any{"n": 3.0}, map[string]any{"n": 1.0}, map[string]any{"n": 2.0}}
	for name, c := range map[string]struct {
		key, action string
		inputs      map[string]any
		want        any
		refusal     string
	}{
		"filter":           {"collection-tools", "filter", map[string]any{"listInput": list, "filterCodeInput": "(item, index) => item.n > 1 && index < 2"}, []any{list[0]}, ""},
		"filter, async":    {"collection-tools", "filter", map[string]any{"listInput": list, "filterCodeInput": "async ({ n }) => n === 2;"}, []any{list[2]}, ""},
		"filter, default":  {"collection-tools", "filter", map[string]any{"listInput": []any{nil, 0.0}, "filterCodeInput": ""}, []any{nil, 0.0}, ""},
		"map":              {"collection-tools", "map", map[string]any{"listInput": list, "filterCodeInput": "(i) => i.n < 3", "transformCodeInput": "(item, index, context) => { item.n += context.add; item.i = index; return item }", "contextInput": map[string]any{"add": 1.0}}, []any{map[string]any{"n": 2.0, "i": 0.0}, map[string]any{"n": 3.0, "i": 1.0}}, ""},
		"map, function":    {"collection-tools", "map", map[string]any{"listInput": []any{1.0, 2.0}, "transformCodeInput": "function twice(x) { return x * 2; }"}, []any{2.0, 4.0}, ""},
		"sort":             {"collection-tools", "sort", map[string]any{"listInput": list, "sortCodeInput": "(a, b) => a.n - b.n"}, []any{list[1], list[2], list[0]}, ""},
		"aggregate":        {"collection-tools", "aggregate", map[string]any{"listInput": []any{1.0, 2.0, 3.0}, "filterCodeInput": "(n) => n > 1", "aggregateFunctionInput": "SUM"}, 5.0, ""},
		"throws":           {"collection-tools", "map", map[string]any{"listInput": list, "transformCodeInput": "(item) => {\n  return item.a.b;\n}"}, nil, "TypeError: cannot read property 'b' of undefined (line 2)"},
		"no function":      {"collection-tools", "filter", map[string]any{"listInput": list, "filterCodeInput": "5"}, nil, "the code must be a function"},
		"no code":          {"collection-tools", "filter", map[string]any{"listInput": list, "filterCodeInput": "(item =>"}, nil, "SyntaxError"},
		"match":            {"text-manipulation", "match", map[string]any{"text": "a1b22", "regex": "[a-z](\\d)(x)?"}, []any{"a1", "1", nil}, ""},
		"match, all":       {"text-manipulation", "match", map[string]any{"text": "a1b22", "regex": "\\d+", "regexFlags": "g"}, []any{"1", "22"}, ""},
		"match, nothing":   {"text-manipulation", "match", map[string]any{"text": "abc", "regex": "\\d"}, nil, ""},
		"match, bad regex": {"text-manipulation", "match", map[string]any{"text": "abc", "regex": "("}, nil, "SyntaxError"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := perform(c.key, c.action, c.inputs)
			if c.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), c.refusal) {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}
