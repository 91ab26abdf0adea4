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

func TestPersistData(t *testing.T) {
	for infix, scope := range map[string]component.Scope{
		"Execution": component.ExecutionScope, "Instance": component.FlowScope,
		"CrossFlow": component.CrossFlowScope, "Integration": component.IntegrationScope,
	} {
		t.Run(infix, func(t *testing.T) {
			s := newStep(t)
			do := func(verb string, inputs map[string]any, want any) {
				t.Helper()
				got, err := s.perform("persist-data", verb+infix+"Value", inputs)
				if diff := cmp.Diff(want, got.Data); diff != "" || err != nil {
					t.Error(err, diff)
				}
			}
			do("get", map[string]any{"keyInput": "k", "defaultValueInput": ""}, "")
			do("get", map[string]any{"keyInput": "k", "defaultValueInput": "d"}, "d")
			do("save", map[string]any{"keyInput": "k", "valueInput": map[string]any{"id": 1.0}},
				map[string]any{"key": "k", "value": map[string]any{"id": 1.0}})
			do("get", map[string]any{"keyInput": "k", "defaultValueInput": "d"}, map[string]any{"id": 1.0})
			do("save", map[string]any{"keyInput": 5.0, "valueInput": nil, "dynamicValues": []any{}},
				map[string]any{"key": "5", "value": nil})
			do("get", map[string]any{"keyInput": "5", "defaultValueInput": "d"}, nil)
			do("save", map[string]any{"keyInput": "k", "valueInput": "ignored",
				"dynamicValues": []value.KeyValue{{Key: "a", Value: 1.0}, {Key: "b", Value: "x"}}},
				map[string]any{"value": map[string]any{"a": 1.0, "b": "x"}})
			do("remove", map[string]any{"keyInput": "k"}, nil)
			do("remove", map[string]any{"keyInput": "never there"}, nil)
			if diff := cmp.Diff(map[string]any{"5": nil, "a": 1.0, "b": "x"}, s.states[scope].values); diff != "" ||
				len(s.states) != 1 {
				t.Error(diff, len(s.states))
			}
		})
	}
}

func TestPersistDataRefuses(t *testing.T) {
	for action, inputs := range map[string]map[string]any{
		"saveCrossFlowValue":   {"keyInput": nil, "valueInput": 1.0},
		"saveInstanceValue":    {"dynamicValues": []value.KeyValue{{Key: "a"}, {Key: ""}}},
		"getCrossFlowValue":    {"keyInput": ""},
		"removeCrossFlowValue": {},
		"removeInstanceValue":  {"multipleKeys": []any{"a", nil}},
	} {
		s := newStep(t)
		if _, err := s.perform("persist-data", action, inputs); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v", action, err)
		}
		for _, st := range s.states {
			if len(st.set)+len(st.removed) > 0 {
				t.Errorf("%s: wrote nonetheless", action)
			}
		}
	}
	s := newStep(t)
	broken := errors.New("no log")
	s.states[component.CrossFlowScope] = &state{values: map[string]any{}, err: broken}
	for _, verb := range []string{"save", "get", "remove"} {
		if _, err := s.perform("persist-data", verb+"CrossFlowValue", map[string]any{"keyInput": "k"}); !errors.Is(err,
			broken) {
			t.Errorf("%s: got %v", verb, err)
		}
	}
}

func TestDeserializeFormData(t *testing.T) {
	body := func(data any) map[string]any {
		return map[string]any{"data": data, "contentType": "application/x-www-form-urlencoded"}
	}
	for name, c := range map[string]struct {
		data any
		want map[string]any
	}{
		"body":  {body("payload=%7B%22a%22%3A1%7D&x=+"), map[string]any{"payload": `{"a":1}`, "x": " "}},
		"bytes": {body([]byte("a=1")), map[string]any{"a": "1"}},
		"text":  {"a=1&a=2&b", map[string]any{"a": []any{"1", "2"}, "b": ""}},
		// as browsers read it
		"sloppy":    {"rate=100%+%C3%A9&&%zz=1=2", map[string]any{"rate": "100% é", "%zz": "1=2"}},
		"semicolon": {"a=1;b=2", map[string]any{"a": "1;b=2"}},
		"read":      {body(map[string]any{"field": "x"}), map[string]any{"field": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newStep(t).perform("change-data-format", "deserializeFormData", map[string]any{"data": c.data})
			if diff := cmp.Diff(any(c.want), got.Data); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
	for _, bad := range []any{nil, "", 5.0, []any{"a=1"}, body(nil)} {
		if got, err := newStep(t).perform("change-data-format", "deserializeFormData",
			map[string]any{"data": bad}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%v: got %v, %v", bad, got, err)
		}
	}
}

func TestDeserializeFromJSON(t *testing.T) {
	for name, c := range map[string]struct{ data, want any }{
		"text":  {`{"a":[1,"x",null]}`, map[string]any{"a": []any{1.0, "x", nil}}},
		"bytes": {[]byte(` 5 `), 5.0},
		"body":  {map[string]any{"data": []byte(`true`), "contentType": ""}, true},
		"mark":  {"\ufeff{}", map[string]any{}},
		"latin": {map[string]any{"data": []byte("\"\xe9\""), "contentType": "application/json; charset=iso-8859-1"},
			"é"},
		"object": {map[string]any{"a": 1.0}, map[string]any{"a": 1.0}},
		"list":   {[]any{1.0}, []any{1.0}},
		"parsed": {map[string]any{"data": map[string]any{"a": 1.0}, "contentType": "application/json"},
			map[string]any{"a": 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newStep(t).perform("change-data-format", "deserializeFromJson", map[string]any{"data": c.data})
			if diff := cmp.Diff(c.want, got.Data); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
	for _, bad := range []any{nil, "", "{", "<html>" + strings.Repeat("x", 200)} {
		_, err := newStep(t).perform("change-data-format", "deserializeFromJson", map[string]any{"data": bad})
		if refusal.CodeOf(err) != refusal.Invalid || len(err.Error()) > 200 {
			t.Errorf("%.10v: got %v", bad, err)
		}
	}
}
