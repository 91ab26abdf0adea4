package definition

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"heddle/domain/refusal"
)

// Unsupported warns of features that no run supports: each step whose action or trigger inputs refuses, with
// the reason; each input that is not among those it lists (if it lists any); and features of the format that
// have no effect here.
func Unsupported(definition *Part, inputs func(ref ActionRef, trigger bool) ([]string, error)) []refusal.Problem {
	f := findings{}
	root := location{node: definition}
	if kind := definition.Text("endpointType"); kind != "" && kind != "flow_specific" {
		f.warn(root.below("endpointType"),
			"%s has no effect: a request goes to the URL of a flow in an instance, and nothing else chooses the flow or the customer", kind)
	}
	for _, page := range definition.Pages() {
		if page.Flag("userLevelConfigured") {
			f.warn(location{node: page}.below("userLevelConfigured"),
				"page %q is not filled in by each user: what it asks for is set once for the instance", page.Name())
		}
	}
	for _, flow := range definition.Flows() {
		s := root.part(flow, flowPart)
		if on, _ := flow.Map("triggerResolver")["enabled"].(bool); on {
			f.warn(s.below("triggerResolver"),
				"it has no effect: one execution gets all that the trigger gives, and no batches are made")
		}
		f.actions(s, flow.Steps(), inputs)
	}
	return f.warnings
}

func (f *findings) actions(in location, list []*Part, inputs func(ref ActionRef, trigger bool) ([]string, error)) {
	for _, step := range list {
		s := in.part(step, stepPart)
		known, err := inputs(step.Action(), step.IsTrigger())
		if err != nil {
			f.warn(s.below("action"), "%v; the step fails when it is reached", err)
		}
		for _, key := range keysOf(step.Inputs()) {
			if known != nil && !slices.Contains(known, key) {
				f.warn(s.below("inputs").below(key), "%s has no such input, so it has no effect; it has %s",
					step.Action().Key, cmp.Or(strings.Join(known, ", "), "none"))
			}
		}
		f.inputTypes(s.below("inputs"), step.Inputs())
		f.actions(s, step.Steps(), inputs)
		for _, b := range step.Branches() {
			f.actions(s, b.Steps(), inputs)
		}
	}
}

// inputTypes looks, at any depth, for inputs whose values come from a source that no step has.
func (f *findings) inputTypes(in location, inputs map[string]any) {
	for _, key := range keysOf(inputs) {
		s := in.below(key)
		input, _ := inputs[key].(map[string]any)
		if kind, _ := input["type"].(string); kind == "dataSource" || kind == "scopedConfigVar" {
			f.warn(s, "an input of type %s can't be read in a step; the step fails when it is reached", kind)
		}
		if list, isList := input["value"].([]any); isList {
			items := make(map[string]any, len(list))
			for i, item := range list {
				items[strconv.Itoa(i)] = item
			}
			f.inputTypes(s.below("value"), items)
		}
	}
}
