package builtin

import (
	"context"
	"maps"
	"slices"

	"heddle/component"
	"heddle/domain/refusal"
)

// maxIterations is how often loopNTimes runs its steps at most.
const maxIterations = 1_000_000

func init() {
	register(component.Component{
		Key: "loop", Label: "Loop", Category: "Logic",
		Description: "Runs its steps several times, one time after another. What fails inside is for the error handling of the step that failed; the loop's own is for its items.",
		Actions: []component.Action{
			component.NewAction("loopOverItems", "Loop over items",
				"Runs its steps once for each element of a list, or for each key of an object, in alphabetical order, as an object with key and value. "+
					"Inside, currentItem is the element and index counts from 0. The result is the list of what the last step inside gave. Anything but a list or an object fails the step.",
				loopOverItems).WithLoop(),
			component.NewAction("loopNTimes", "Loop n times",
				"Runs its steps a number of times. Inside, currentItem and index both count from 0. The result is the list of what the last step inside gave.",
				loopNTimes).WithLoop(),
			component.NewAction("breakLoop", "Break loop",
				"Ends the innermost loop that it is in; the flow goes on after that. The iteration that was broken leaves nothing in the loop's result.",
				func(context.Context, component.Step, struct{}) (component.Result, error) {
					return component.Result{}, nil
				}).WithBreak(),
		},
	})
}

type loopOverItemsInputs struct {
	Items any `key:"items" label:"Items" required:"true" doc:"The list or object to go through."`
}

func loopOverItems(_ context.Context, _ component.Step, in loopOverItemsInputs) (component.Result, error) {
	items := []any{}
	switch x := plain(in.Items).(type) { // text is left alone: a list in it was not meant as one
	case []any:
		items = append(items, x...)
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			items = append(items, map[string]any{"key": key, "value": x[key]})
		}
	default:
		return component.Result{}, refusal.ForField(refusal.Invalid, "items",
			"Items must be a list or an object, not %s", shape(in.Items))
	}
	return component.Result{Items: items}, nil
}

type loopNTimesInputs struct {
	Count int `key:"iterationCount" label:"Iteration count" default:"1000" doc:"How many times to run the steps, at most 1000000."`
}

func loopNTimes(_ context.Context, _ component.Step, in loopNTimesInputs) (component.Result, error) {
	if in.Count < 0 || in.Count > maxIterations {
		return component.Result{}, refusal.ForField(refusal.Invalid, "iterationCount",
			"Iteration count must be between 0 and %d, not %d", maxIterations, in.Count)
	}
	items := make([]any, in.Count)
	for i := range items {
		items[i] = float64(i)
	}
	return component.Result{Items: items}, nil
}
