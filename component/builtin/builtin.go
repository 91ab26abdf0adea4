// Package builtin is the set of components that come with Heddle, one file each. A component is added by adding
// its file: its init registers it.
package builtin

import (
	"context"
	"slices"

	"heddle/component"
	"heddle/component/value"
)

var all []component.Component

// register is called by the init of each component's file.
func register(c component.Component) { all = append(all, c) }

// Components lists the components of this package.
func Components() []component.Component { return slices.Clone(all) }

// actionFunc performs an action with decoded inputs.
type actionFunc[I any] = func(context.Context, component.Step, I) (component.Result, error)

// pure adapts a function of nothing but the inputs, within a step's budget, to an action's function. Once the
// budget has refused, the result is ignored.
func pure[I any](do func(*value.Budget, I) (any, error)) actionFunc[I] {
	return func(ctx context.Context, _ component.Step, in I) (component.Result, error) {
		budget := value.NewBudget(ctx)
		data, err := do(budget, in)
		if over := budget.Err(); over != nil {
			return component.Result{}, over
		}
		return component.Result{Data: data}, err
	}
}
