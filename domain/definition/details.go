package definition

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"heddle/domain/refusal"
)

// Details is an integration's data besides its flows. It is part of the definition, so that a review, a version
// and a file hold it too. Nil fields stay as they are.
type Details struct {
	Name          *string
	Description   *string
	Category      *string
	Documentation *string
	Labels        *[]string
}

// Changes returns the changes of a definition that set the details.
func (d Details) Changes() ([]Change, error) {
	var changes []Change
	for _, field := range []struct {
		key   string
		value *string
	}{{"name", d.Name}, {"description", d.Description}, {"category", d.Category}, {"documentation", d.Documentation}} {
		if field.value == nil {
			continue
		}
		if field.key == "name" && strings.TrimSpace(*field.value) == "" {
			return nil, refusal.ForField(refusal.Invalid, "name", "must not be empty")
		}
		changes = append(changes, Change{Op: SetOp, Path: []string{field.key}, Value: *field.value})
	}
	if d.Labels != nil {
		labels := []any{}
		for _, l := range *d.Labels {
			labels = append(labels, l)
		}
		changes = append(changes, Change{Op: SetOp, Path: []string{labelsField}, Value: labels})
	}
	return changes, nil
}

const labelsField = "labels"

// Tidy returns the definition with its labels trimmed, in lower case and each once, in their order. If they are
// so already, it returns the definition itself.
func Tidy(def *Part) *Part {
	list, is := def.Fields[labelsField].([]any)
	if !is {
		return def
	}
	labels := []any{}
	for _, l := range list {
		if text, is := l.(string); is {
			l = strings.ToLower(strings.TrimSpace(text))
		}
		if l != "" && !slices.ContainsFunc(labels, func(other any) bool { return reflect.DeepEqual(other, l) }) {
			labels = append(labels, l)
		}
	}
	if reflect.DeepEqual(list, labels) {
		return def
	}
	n := &Part{ID: def.ID, Fields: maps.Clone(def.Fields), Children: def.Children}
	n.Fields[labelsField] = labels
	return n
}

// Blank is a definition to begin with: one flow that a webhook starts.
func Blank(name string) *Part {
	trigger := &Part{Fields: map[string]any{"name": "Trigger", "isTrigger": true, "inputs": map[string]any{},
		"action": map[string]any{"key": "webhook", "component": map[string]any{"key": "webhook-triggers",
			"isPublic": true, "version": latest}}}}
	flow := &Part{Fields: map[string]any{"name": "Flow 1"}, Children: map[string][]*Part{stepList: {trigger}}}
	return &Part{Fields: map[string]any{"name": name, "definitionVersion": int64(DefinitionVersion)},
		Children: map[string][]*Part{flowList: {flow}}}
}
