package builtin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/refusal"
)

// row is one use of an action and its result. If refusal is set, it is a part of the error.
type row struct {
	action  string
	inputs  map[string]any
	want    any
	refusal string
}

// in returns inputs of keys and values by turns.
func in(pairs ...any) map[string]any {
	inputs := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		inputs[pairs[i].(string)] = pairs[i+1]
	}
	return inputs
}

// try uses the actions of a component. Every action must be in the table; those in apart have tests of
// their own.
func try(t *testing.T, key string, rows []row, apart ...string) {
	t.Helper()
	tried := map[string]bool{}
	for _, name := range apart {
		tried[name] = true
	}
	for _, r := range rows {
		tried[r.action] = true
		got, err := newStep(t).perform(key, r.action, r.inputs)
		if r.refusal != "" {
			if refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), r.refusal) {
				t.Errorf("%s %v: got %v, %v, want the error %q", r.action, r.inputs, got.Data, err, r.refusal)
			}
			continue
		}
		if diff := cmp.Diff(r.want, got.Data); diff != "" || err != nil {
			t.Errorf("%s %v: %v %s", r.action, r.inputs, err, diff)
		}
	}
	for _, c := range Components() {
		for _, a := range c.Actions {
			if c.Key == key && !tried[a.Key] {
				t.Errorf("%s.%s has no test", key, a.Key)
			}
		}
	}
}
