package builtin

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func TestCollectionTools(t *testing.T) {
	object, pairs := map[string]any{"a": map[string]any{"x": 1.0}}, []value.KeyValue{{Key: "a", Value: 1.0},
		{Key: "a", Value: 2.0}}
	try(t, "collection-tools", []row{
		{"append", in("listInput", []any{1.0}, "elementInput", []any{}), []any{1.0, []any{}}, ""},
		{"append", in("listInput", `[1]`, "elementInput", nil), []any{1.0, nil}, ""},
		{"append", in("listInput", "x"), nil, `listInput: a list is needed, not "x"`},
		{"append", in("listInput", nil), nil, "List is required"},
		{"chunks", in("listInput", []any{1.0, 2.0, 3.0}, "numberInput", "2"), []any{[]any{1.0, 2.0}, []any{3.0}}, ""},
		{"chunks", in("listInput", []any{}, "numberInput", ""), []any{}, ""},
		{"chunks", in("listInput", []any{1.0}, "numberInput", "0"), nil, "at least 1"},
		{"combineCollections", in("collections", []value.KeyValue{{Key: "A", Value: []any{1.0}},
			{Key: "B", Value: map[string]any{}}}),
			map[string]any{"A": []any{1.0}, "B": map[string]any{}}, ""},
		{"combineCollections", in(), nil, "Collections is required"},
		{"concatenate", in("listInput", []any{1.0}, "secondListInput", []any{2.0}), []any{1.0, 2.0}, ""},
		{"concatenate", in("listInput", []any{1.0}, "secondListInput", map[string]any{}), nil,
			"secondListInput: a list is needed, not an object"},
		{"count", in("listInput", []any{5.0, "5", "x", 5.0}, "elementInput", "5"), 3.0, ""},
		{"create", in("items", []any{"a", []any{"b"}}), []any{"a", []any{"b"}}, ""},
		{"create", in("items", []any{[]any{"a", "b"}}), []any{"a", "b"}, ""},
		{"create", in("items", []any{}), []any{}, ""},
		{"deduplicate", in("listInput", []any{1.0, "1", map[string]any{"a": 1.0, "b": 2.0}, 1.0,
			map[string]any{"b": 2.0, "a": 1.0}, nil,
			nil}), []any{1.0, "1", map[string]any{"a": 1.0, "b": 2.0}, nil}, ""},
		{"first", in("listInput", []any{1.0, 2.0}), 1.0, ""},
		{"first", in("listInput", []any{}), nil, ""},
		{"flatten", in("listInput", []any{1.0, []any{2.0, []any{3.0}}}), []any{1.0, 2.0, []any{3.0}}, ""},
		{"last", in("listInput", []any{1.0, 2.0}), 2.0, ""},
		{"last", in("listInput", []any{}), nil, ""},
		{"length", in("listInput", []any{1.0, 2.0}), 2.0, ""},
		{"remove", in("listInput", []any{map[string]any{"a": 1.0}, "x"}, "elementInput", `{"a":1}`), []any{"x"}, ""},
		{"selectItemFromList", in("listInput", []any{1.0, []any{2.0}}, "indexInput", "1.0"), 2.0, ""},
		{"selectItemFromList", in("listInput", []any{1.0}, "indexInput", 7.0), nil, ""},
		{"selectItemFromList", in("listInput", []any{1.0}, "indexInput", "0.0"), nil, ""},
		{"selectItemFromList", in("listInput", []any{1.0}, "indexInput", "-1"), nil, "Index must be"},
		{"takeFirst", in("listInput", []any{1.0, 2.0}, "numberInput", ""), []any{1.0}, ""},
		{"takeFirst", in("listInput", []any{1.0}, "numberInput", "9"), []any{1.0}, ""},
		{"takeLast", in("listInput", []any{1.0, 2.0}, "numberInput", "1"), []any{2.0}, ""},
		{"takeLast", in("listInput", []any{1.0, 2.0}, "numberInput", "-1"), []any{}, ""},
		{"addKey", in("object", object, "key", "b", "value", 2.0, "objectPath", "a"),
			map[string]any{"a": map[string]any{"x": 1.0, "b": 2.0}}, ""},
		{"addKey", in("object", "", "key", "k", "value", "v", "objectPath", "p.q"),
			map[string]any{"p": map[string]any{"q": map[string]any{"k": "v"}}}, ""},
		{"addKey", in("object", object, "key", "k", "objectPath", "a.x"), nil,
			"objectPath: an object is needed, not 1"},
		{"addKey", in("object", map[string]any{"l": []any{1.0, object}}, "key", "k", "value", "v", "objectPath",
			"l[1].a"),
			map[string]any{"l": []any{1.0, map[string]any{"a": map[string]any{"x": 1.0, "k": "v"}}}}, ""},
		{"addKey", in("object", map[string]any{"l": []any{object}}, "key", "k", "objectPath", "l.1"), nil,
			`objectPath: the path leads into a list of 1, which has no element "1"; begin with 0`},
		{"addKey", in("object", []any{}, "key", "k"), nil, "object: an object is needed, not a list"},
		{"addMultipleKeys", in("object", `{"a":1}`, "keyValueListInput", []value.KeyValue{{Key: "b", Value: "x"}},
			"dynamicFields", ""),
			map[string]any{"a": 1.0, "b": "x"}, ""},
		{"addMultipleKeys", in("object", nil, "keyValueListInput", pairs, "dynamicFields", `{"c":3}`),
			map[string]any{"c": 3.0}, ""},
		{"addMultipleKeys", in("object", nil, "dynamicFields", []any{map[string]any{"key": "k", "value": 1.0}}),
			map[string]any{"k": 1.0}, ""},
		{"addMultipleKeys", in("object", nil, "dynamicFields", []any{1.0}), nil, "every element needs a key"},
		{"addMultipleKeys", in("object", nil, "dynamicFields", "x"), nil, "dynamicFields: an object or a list"},
		{"createObject", in("keyValueInput", pairs), map[string]any{"a": 2.0}, ""},
		{"createObject", in("keyValueInput", []any{}), map[string]any{}, ""},
		{"fieldValueMapping", in("keyMappings", []value.KeyValue{{Key: "f", Value: "F"}, {Key: "g", Value: "G"}},
			"valueMappings",
			[]value.KeyValue{{Key: "f", Value: 1.0}}),
			[]any{map[string]any{"key": "F", "value": 1.0}, map[string]any{"key": "G", "value": nil}}, ""},
		{"fromObject", in("object", map[string]any{"b": 1.0, "a": nil}), []any{map[string]any{"key": "a", "value": nil},
			map[string]any{"key": "b", "value": 1.0}}, ""},
		{"fromObject", in("object", 1.0), nil, "an object is needed"},
		{"toObject", in("keyValueList", []any{map[string]any{"key": "a", "value": 1.0}}), map[string]any{"a": 1.0}, ""},
		{"aggregate", in("listInput", []any{1.0, "2", 6.0}, "aggregateFunctionInput", "AVERAGE"), 3.0, ""},
		{"aggregate", in("listInput", []any{1.0, "x"}, "aggregateFunctionInput", "COUNT"), 2.0, ""},
		{"aggregate", in("listInput", []any{1.0, 3.0, 2.0}, "aggregateFunctionInput", "MAX"), 3.0, ""},
		{"aggregate", in("listInput", []any{1.0, 3.0, 2.0}, "aggregateFunctionInput", "MIN"), 1.0, ""},
		{"aggregate", in("listInput", []any{1.0, 3.0, 2.0}, "aggregateFunctionInput", "SUM"), 6.0, ""},
		{"aggregate", in("listInput", []any{2.0, 3.0, 4.0}, "aggregateFunctionInput", "PRODUCT"), 24.0, ""},
		{"aggregate", in("listInput", []any{9.0, 1.0, 4.0, 3.0}, "aggregateFunctionInput", "MEDIAN"), 3.5, ""},
		{"aggregate", in("listInput", []any{9.0, 1.0, 4.0}, "aggregateFunctionInput", "MEDIAN"), 4.0, ""},
		{"aggregate", in("listInput", []any{}, "aggregateFunctionInput", "MAX"), nil, ""},
		{"aggregate", in("listInput", []any{}, "aggregateFunctionInput", "SUM"), 0.0, ""},
		{"aggregate", in("listInput", []any{true}, "aggregateFunctionInput", "SUM"), nil,
			"element 0 is true, not a number"},
		{"aggregate", in("listInput", []any{}, "aggregateFunctionInput", "MODE"), nil, "must be one of"},
	}, "filter", "map", "sort", "processInOrder", "validateJsonSchema")
	if len(object["a"].(map[string]any)) != 1 {
		t.Error("an input was changed")
	}
}

func TestValidateJSONSchema(t *testing.T) {
	schema := `{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/name"}}, "required": ["a"], "$defs": {"name": {"type": "string"}}}`
	for _, value := range []any{`{"a": 9007199254740993, "b": "x"}`, map[string]any{"a": 1.0}} {
		got, err := newStep(t).perform("collection-tools", "validateJsonSchema",
			in("jsonInput", value, "jsonSchema", schema))
		if _, isObject := got.Data.(map[string]any); !isObject || err != nil {
			t.Errorf("got %v, %v", got.Data, err)
		}
	}
	for want, inputs := range map[string]map[string]any{
		"jsonInput: the value does not fit the schema:\n- at '/a': got string, want integer": in("jsonInput",
			`{"a":"1"}`, "jsonSchema", schema),
		"missing property 'a'":    in("jsonInput", map[string]any{}, "jsonSchema", schema),
		"got string, want object": in("jsonInput", "plain", "jsonSchema", schema),
		"a schema may refer to itself only": in("jsonInput", "1", "jsonSchema",
			`{"$ref": "http://example.com/schema.json"}`),
		"schema may refer to itself": in("jsonInput", "1", "jsonSchema",
			map[string]any{"$ref": "file:///etc/passwd"}),
		"jsonSchema: ":                         in("jsonInput", "1", "jsonSchema", `{"type": 5}`),
		"JSON schema is required":              in("jsonInput", "1"),
		"a chan int is not a value that steps": in("jsonInput", make(chan int), "jsonSchema", "{}"),
	} {
		_, err := newStep(t).perform("collection-tools", "validateJsonSchema", inputs)
		if refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestProcessInOrder(t *testing.T) {
	s := newStep(t)
	process := func(index float64, branch string, data any) {
		t.Helper()
		got, err := s.perform("collection-tools", "processInOrder", in("collectionId", "c", "collectionLength", "4",
			"item", index, "itemIndex", index))
		if diff := cmp.Diff(component.Result{Data: data, Branch: branch}, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	process(1, "Skip", 1.0)
	process(2, "Skip", 2.0)
	process(0, "Process", []any{0.0, 1.0, 2.0})
	process(3, "Process", []any{3.0})
	if kept := s.State(component.FlowScope).(*state).values; len(kept) != 0 {
		t.Errorf("left %v", kept)
	}
	if _, err := s.perform("collection-tools", "processInOrder", in("collectionId", "c", "collectionLength", "4",
		"itemIndex", "4")); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("got %v", err)
	}
}

// The engine is in package worker; here only its arguments matter. The scripts are tested there.
func TestCollectionScripts(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		action string
		inputs map[string]any
		args   []any
	}{
		"filter": {"filter", in("listInput", []any{1.0}, "filterCodeInput", "f"),
			[]any{[]any{1.0}, "f", "(item) => item", nil}},
		"map": {"map", in("listInput", []any{1.0}, "filterCodeInput", "", "transformCodeInput", "m",
			"contextInput", "c"),
			[]any{[]any{1.0}, everyElement, "m", "c"}},
		"sort": {"sort", in("listInput", []any{1.0}, "sortCodeInput", "s"), []any{[]any{1.0}, "s"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStep(t)
			s.script = func(call component.ScriptCall) (any, error) {
				if diff := cmp.Diff(c.args, call.Args); diff != "" {
					t.Error(diff)
				}
				return []any{"done"}, nil
			}
			if got, err := s.perform("collection-tools", c.action, c.inputs); !cmp.Equal(got.Data,
				any([]any{"done"})) || err != nil {
				t.Errorf("got %v, %v", got.Data, err)
			}
			s.script = func(component.ScriptCall) (any, error) { return nil, boom }
			if _, err := s.perform("collection-tools", c.action, c.inputs); !errors.Is(err, boom) {
				t.Errorf("got %v", err)
			}
			c.inputs["listInput"] = 5.0
			if _, err := s.perform("collection-tools", c.action, c.inputs); refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("got %v", err)
			}
		})
	}
	s := newStep(t)
	s.script = func(component.ScriptCall) (any, error) { return []any{2.0, 3.0}, nil }
	got, err := s.perform("collection-tools", "aggregate", in("listInput", []any{1.0}, "aggregateFunctionInput", "SUM",
		"filterCodeInput", "f"))
	if got.Data != 5.0 || err != nil {
		t.Errorf("got %v, %v", got.Data, err)
	}
}
