package builtin

import (
	"slices"
	"strings"
	"testing"

	"heddle/component"
)

// The catalogue is for people: every entry has a description.
func TestCatalogue(t *testing.T) {
	effects := []string{"http", "customHttp", "cross-flow", "recursive-flow.invokeRecursive"}
	for _, c := range component.New(Components()...).Components() {
		if c.Label == "" || c.Category == "" || !strings.HasSuffix(c.Description, ".") {
			t.Errorf("component %s lacks words: %+v", c.Key, c)
		}
		for _, a := range c.Actions {
			checkWords(t, c.Key+"."+a.Key, a.Label, a.Description, a.Inputs)
			if effect := slices.Contains(effects, c.Key) ||
				slices.Contains(effects, c.Key+"."+a.Key); a.Effect != effect {
				t.Errorf("%s.%s: effect is %v", c.Key, a.Key, a.Effect)
			}
		}
		for _, trigger := range c.Triggers {
			checkWords(t, c.Key+"."+trigger.Key, trigger.Label, trigger.Description, trigger.Inputs)
		}
	}
}

func checkWords(t *testing.T, key, label, description string, inputs []component.Input) {
	t.Helper()
	if label == "" || !strings.HasSuffix(description, ".") {
		t.Errorf("%s lacks words: %q, %q", key, label, description)
	}
	for _, in := range inputs {
		if in.Label == "" || in.Description == "" || in.Type == "" {
			t.Errorf("%s: input %s lacks words", key, in.Key)
		}
	}
}

func TestComponentsIsACopy(t *testing.T) {
	Components()[0] = component.Component{}
	if Components()[0].Key == "" {
		t.Error("a caller can change the list")
	}
}
