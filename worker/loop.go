package worker

import (
	"context"
	"errors"
	"fmt"

	"heddle/component/value"
	"heddle/domain/definition"
)

// loop does a loop's own steps for each item and returns the last step's result for each. An iteration that is
// broken off leaves no result. Source: the format leaves that open. Results beyond the limit of a step are dropped
// at once, and fail the loop when it is over.
func (x *attempt) loop(ctx context.Context, step *definition.Part, path string, items []any,
) (results []any, failure, err error) {
	identifier, body := definition.Identifier(step.Name()), identifiers(step.Steps())
	size := 0
	results = make([]any, 0, min(len(items), x.w.MaxSteps))
	for i, item := range items {
		if err := x.room(step); err != nil {
			return nil, nil, err
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		for _, inner := range body {
			x.scope.Forget(inner)
		}
		x.scope.SetLoop(identifier, item, i)
		last, err := x.steps(ctx, step.Steps(), fmt.Sprintf("%s[%d]/", path, i))
		if errors.Is(err, errBreak) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if size += x.size; size <= x.w.MaxOutput {
			results = append(results, last)
		} else {
			results = nil
		}
	}
	if size > x.w.MaxOutput {
		return nil, value.TooLarge(x.w.MaxOutput), nil
	}
	return results, nil, nil
}

// identifiers lists the steps of a list and of everything below it.
func identifiers(list []*definition.Part) []string {
	var all []string
	for _, step := range list {
		all = append(all, definition.Identifier(step.Name()))
		all = append(all, identifiers(step.Steps())...)
		for _, b := range step.Branches() {
			all = append(all, identifiers(b.Steps())...)
		}
	}
	return all
}
