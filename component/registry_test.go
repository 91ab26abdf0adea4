package component

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

func TestRegistry(t *testing.T) {
	r := New(
		Component{Key: "b", Actions: []Action{Answer("act", Result{Data: 1.0}), Answer("other", Result{})}},
		Component{Key: "a", Triggers: []Trigger{{Key: "go"}}},
	)
	if _, err := r.Lookup("b", "act"); err != nil {
		t.Error(err)
	}
	if _, err := r.LookupTrigger("a", "go"); err != nil {
		t.Error(err)
	}
	if c, ok := r.Component("a"); !ok || c.Key != "a" {
		t.Errorf("got %v, %v", c, ok)
	}
	if _, ok := r.Component("c"); ok {
		t.Error("there is no component c")
	}
	var order []string
	for _, c := range r.Components() {
		order = append(order, c.Key)
	}
	if diff := cmp.Diff([]string{"a", "b"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestRegistryRefuses(t *testing.T) {
	r := New(Component{Key: "b", Actions: []Action{Answer("act", Result{}), Answer("other", Result{})}})
	_, noComponent := r.Lookup("c", "act")
	_, noAction := r.Lookup("b", "missing")
	_, noTriggerComponent := r.LookupTrigger("c", "go")
	_, noTrigger := r.LookupTrigger("b", "go")
	for _, c := range []struct {
		err  error
		want string
	}{
		{noComponent, `there is no component "c" here`},
		{noTriggerComponent, `there is no component "c" here`},
		{noAction, `component "b" has no action "missing"; it has act, other`},
		{noTrigger, `component "b" has no trigger "go"; it has none`},
	} {
		if c.err == nil || c.err.Error() != c.want || refusal.CodeOf(c.err) != refusal.NotFound {
			t.Errorf("got %v, want %s", c.err, c.want)
		}
	}
}

func TestRegistryWith(t *testing.T) {
	plain := New(Component{Key: "http"}, Component{Key: "log"})
	extended := plain.With(Stub("http", Result{Data: "stubbed"}), Stub("slack", Result{Data: 1.0}))
	if _, err := plain.Lookup("slack", "postMessage"); err == nil {
		t.Error("With changed the registry that it was called on")
	}
	action, err := extended.Lookup("http", "httpPost")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := action.Perform(t.Context(), nil, nil); got.Data != "stubbed" {
		t.Errorf("got %v", got)
	}
	if len(extended.Components()) != 3 || len(plain.Components()) != 2 {
		t.Error("wrong number of components")
	}
}

func TestRegistryPanics(t *testing.T) {
	twice := []Action{Answer("a", Result{}), Answer("a", Result{})}
	for name, components := range map[string][]Component{
		"same key":     {{Key: "a"}, {Key: "a"}},
		"no key":       {{}},
		"same action":  {{Key: "a", Actions: twice}},
		"same trigger": {{Key: "a", Triggers: []Trigger{{Key: "t"}, {Key: "t"}}}},
		"no action":    {{Key: "a", Actions: []Action{{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			New(components...)
		})
	}
}

func TestStub(t *testing.T) {
	r := New(Stub("openai", Result{Data: "any"}, Answer("classifyAndBranch", Result{Data: "b", Branch: "Spam"})))
	anything, err := r.Lookup("openai", "whatever")
	if err != nil || anything.Branches {
		t.Fatalf("got %+v, %v", anything, err)
	}
	if got, err := anything.Perform(t.Context(), nil, map[string]any{"x": 1.0}); got.Data != "any" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	branching, err := r.Lookup("openai", "classifyAndBranch")
	if err != nil || !branching.Branches {
		t.Fatalf("got %+v, %v", branching, err)
	}
	trigger, err := r.LookupTrigger("openai", "webhook")
	if err != nil {
		t.Fatal(err)
	}
	payload := map[string]any{"body": "x"}
	if got, err := trigger.Receive(t.Context(), payload, nil); err != nil || !cmp.Equal(got.Data, any(payload)) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestRegistryInputs(t *testing.T) {
	type inputs struct {
		A string `key:"a" label:"A" doc:"A."`
		B bool   `key:"b" label:"B" doc:"B."`
	}
	perform := func(context.Context, Step, inputs) (Result, error) { return Result{}, nil }
	receive := func(context.Context, map[string]any, struct{}) (Result, error) { return Result{}, nil }
	r := New(Component{Key: "c", Actions: []Action{NewAction("do", "Do", "Does.", perform)},
		Triggers: []Trigger{NewTrigger("on", "On", "Starts.", receive)}},
		Stub("s", Result{}))
	for _, c := range []struct {
		component, key string
		trigger        bool
		want           []string
		code           refusal.Code
	}{
		{"c", "do", false, []string{"a", "b"}, ""}, {"c", "on", true, []string{}, ""},
		{"c", "do", true, nil, refusal.NotFound}, {"c", "on", false, nil, refusal.NotFound},
		{"s", "any", false, nil, ""}, {"s", "any", true, nil, ""}, {"x", "do", false, nil, refusal.NotFound},
	} {
		got, err := r.Inputs(definition.ActionRef{Component: c.component, Key: c.key}, c.trigger)
		if diff := cmp.Diff(c.want, got); diff != "" || refusal.CodeOf(err) != c.code {
			t.Errorf("%s.%s: %v %s", c.component, c.key, err, diff)
		}
	}
}
