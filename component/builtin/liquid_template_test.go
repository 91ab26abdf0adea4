package builtin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
)

// The engine is in package worker, which tests templates.
func TestLiquidTemplate(t *testing.T) {
	s := newStep(t)
	s.script = func(call component.ScriptCall) (any, error) { return call.Args, nil }
	got, err := s.perform("liquid-template", "transform", in("data", `{"a":1}`, "liquidTemplate", "{{ a }}"))
	if diff := cmp.Diff([]any{"{{ a }}", map[string]any{"a": 1.0}}, got.Data); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
