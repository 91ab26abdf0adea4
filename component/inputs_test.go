package component

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component/value"
	"heddle/domain/refusal"
)

type base struct {
	URL string `key:"url" label:"URL" doc:"Where." required:"true"`
}

type everything struct {
	base
	Text    string           `key:"text" label:"Text" doc:"Some text."`
	Kind    string           `key:"kind" label:"Kind" doc:"One of some." default:"a" options:"a,b"`
	Flag    bool             `key:"flag" label:"Flag" doc:"Yes or no." default:"true"`
	Number  float64          `key:"number" label:"Number" doc:"A number." default:"1.5"`
	Count   int              `key:"count" label:"Count" doc:"A whole number."`
	Data    any              `key:"data" label:"Data" doc:"Anything."`
	List    []any            `key:"list" label:"List" doc:"Values."`
	Pairs   []value.KeyValue `key:"pairs" label:"Pairs" doc:"Keys and values."`
	Program string           `key:"program" label:"Program" doc:"Code." type:"code"`
}

func TestInputsOfAction(t *testing.T) {
	action := NewAction("k", "L", "D", func(context.Context, Step, everything) (Result, error) {
		return Result{}, nil
	}).
		WithEffect().WithBranches().WithStop()
	if !action.Effect || !action.Branches || !action.Stop || action.Key != "k" || action.Label != "L" ||
		action.Description != "D" {
		t.Errorf("got %+v", action)
	}
	want := []Input{
		{Key: "url", Label: "URL", Description: "Where.", Type: "string", Required: true},
		{Key: "text", Label: "Text", Description: "Some text.", Type: "string"},
		{Key: "kind", Label: "Kind", Description: "One of some.", Type: "string", Default: "a",
			Options: []string{"a", "b"}},
		{Key: "flag", Label: "Flag", Description: "Yes or no.", Type: "boolean", Default: "true"},
		{Key: "number", Label: "Number", Description: "A number.", Type: "number", Default: "1.5"},
		{Key: "count", Label: "Count", Description: "A whole number.", Type: "number"},
		{Key: "data", Label: "Data", Description: "Anything.", Type: "data"},
		{Key: "list", Label: "List", Description: "Values.", Type: "list"},
		{Key: "pairs", Label: "Pairs", Description: "Keys and values.", Type: "keyvalue"},
		{Key: "program", Label: "Program", Description: "Code.", Type: "code"},
	}
	if diff := cmp.Diff(want, action.Inputs); diff != "" {
		t.Error(diff)
	}
}

func TestDecode(t *testing.T) {
	fields := fieldsOf[everything]()
	for name, c := range map[string]struct {
		raw  map[string]any
		want everything
	}{
		"defaults":                  {map[string]any{}, everything{Kind: "a", Flag: true, Number: 1.5}},
		"an option in another case": {map[string]any{"kind": "B"}, everything{Kind: "b", Flag: true, Number: 1.5}},
		"empty text is the default": {map[string]any{"kind": "", "flag": "", "number": "", "count": "", "list": "",
			"pairs": "", "data": ""},
			everything{Kind: "a", Flag: true, Number: 1.5, Data: ""}},
		"text": {map[string]any{"text": " x ", "kind": "b", "flag": "false", "number": "-2e3", "count": "10",
			"data": "d"},
			everything{Text: " x ", Kind: "b", Number: -2000, Count: 10, Data: "d"}},
		"typed": {map[string]any{"text": 5.0, "flag": true, "number": int64(3), "count": 4.0, "data": []any{1.0}},
			everything{Text: "5", Kind: "a", Flag: true, Number: 3, Count: 4, Data: []any{1.0}}},
		"loose": {map[string]any{"text": map[string]any{"a": 1.0}, "flag": " YES ", "number": " 7 ", "count": 4},
			everything{Text: `{"a":1}`, Kind: "a", Flag: true, Number: 7, Count: 4}},
		"number as flag": {map[string]any{"flag": 0.0}, everything{Kind: "a", Number: 1.5}},
		"lists": {map[string]any{"list": []any{"a", nil}, "pairs": []value.KeyValue{{Key: "k", Value: 1.0}}},
			everything{Kind: "a", Flag: true, Number: 1.5, List: []any{"a", nil},
				Pairs: []value.KeyValue{{Key: "k", Value: 1.0}}}},
		"pairs as a list": {map[string]any{"list": []value.KeyValue{{Key: "k", Value: 1.0}},
			"pairs": []any{map[string]any{"key": "k", "value": "v"}, map[string]any{"key": 1.0}}},
			everything{Kind: "a", Flag: true, Number: 1.5, List: []any{map[string]any{"key": "k", "value": 1.0}},
				Pairs: []value.KeyValue{{Key: "k", Value: "v"}, {Key: "1"}}}},
		"pairs as an object": {map[string]any{"pairs": map[string]any{"b": 2.0, "a": 1.0}},
			everything{Kind: "a", Flag: true, Number: 1.5, Pairs: []value.KeyValue{{Key: "a", Value: 1.0},
				{Key: "b", Value: 2.0}}}},
		"unknown inputs are ignored": {map[string]any{"other": make(chan int)},
			everything{Kind: "a", Flag: true, Number: 1.5}},
	} {
		t.Run(name, func(t *testing.T) {
			c.raw["url"], c.want.URL = "u", "u"
			got, err := decode[everything](t.Context(), fields, c.raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(everything{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	fields := fieldsOf[everything]()
	long := strings.Repeat("ä", 60)
	for name, c := range map[string]struct {
		key   string
		value any
		want  string
	}{
		"missing":          {"url", nil, "url: URL is required"},
		"empty":            {"url", "", "url: URL is required"},
		"flag":             {"flag", "maybe", `flag: Flag must be true or false, not "maybe"`},
		"flag of number":   {"flag", 2.0, "flag: Flag must be true or false, not 2"},
		"flag of list":     {"flag", []any{}, "flag: Flag must be true or false, not a list"},
		"number":           {"number", "ten", `number: Number must be a number, not "ten"`},
		"number NaN":       {"number", "NaN", `number: Number must be a number, not "NaN"`},
		"number of flag":   {"number", true, "number: Number must be a number, not true"},
		"number of object": {"number", map[string]any{}, "number: Number must be a number, not an object"},
		"number of bytes":  {"number", []byte("1"), "number: Number must be a number, not binary data"},
		"fraction":         {"count", "1.5", `count: Count must be a whole number, not "1.5"`},
		"too large":        {"count", 1e300, "count: Count must be a whole number, not 1e+300"},
		"list":             {"list", "a,b", `list: List must be a list, not "a,b"`},
		"list of object":   {"list", map[string]any{}, "list: List must be a list, not an object"},
		"pairs": {"pairs", long, `pairs: Pairs must be a list of keys and values or an object, not "` +
			strings.Repeat("ä", 40) + `…"`},
		"pairs without key": {"pairs", []any{map[string]any{"name": "x"}},
			"pairs: Pairs must be a list of keys and values or an object, not a list"},
		"option": {"kind", "c", `kind: Kind must be one of a, b, not "c"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode[everything](t.Context(), fields, map[string]any{"url": "u", c.key: c.value})
			refused, ok := errors.AsType[*refusal.Error](err)
			if !ok || refused.Code != refusal.Invalid || refused.Field != c.key || refused.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestPerformAndReceiveDecode(t *testing.T) {
	boom := errors.New("boom")
	action := NewAction("k", "L", "D", func(_ context.Context, _ Step, in base) (Result, error) {
		return Result{Data: in.URL}, boom
	})
	got, err := action.Perform(t.Context(), nil, map[string]any{"url": 5.0})
	if got.Data != "5" || !errors.Is(err, boom) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := action.Perform(t.Context(), nil, nil); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("got %v", err)
	}
	trigger := NewTrigger("k", "L", "D", func(_ context.Context, payload map[string]any, in base) (Result, error) {
		return Result{Data: []any{payload["a"], in.URL}}, nil
	})
	got, err = trigger.Receive(t.Context(), map[string]any{"a": 1.0}, map[string]any{"url": "u"})
	if diff := cmp.Diff(Result{Data: []any{1.0, "u"}}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := trigger.Receive(t.Context(), nil, nil); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestBadInputStructsPanic(t *testing.T) {
	for name, make := range map[string]func(){
		"no struct": func() { fieldsOf[string]() },
		"no tags":   func() { fieldsOf[struct{ A string }]() },
		"bad type": func() {
			fieldsOf[struct {
				A []string `key:"a" label:"A" doc:"A."`
			}]()
		},
		"bad default": func() {
			fieldsOf[struct {
				A int `key:"a" label:"A" doc:"A." default:"x"`
			}]()
		},
		"same key": func() {
			fieldsOf[struct {
				A int `key:"a" label:"A" doc:"A."`
				B int `key:"a" label:"A" doc:"A."`
			}]()
		},
		"not exported": func() {
			fieldsOf[struct {
				a int `key:"a" label:"A" doc:"A."`
			}]()
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			make()
		})
	}
}
