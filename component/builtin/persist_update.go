package builtin

import (
	"context"
	"fmt"
	"slices"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

type keyInputs struct {
	Key string `key:"keyInput" label:"Key" doc:"Name to keep the value under." required:"true"`
}

type elementInputs struct {
	keyInputs
	Value any `key:"valueInput" label:"Value" doc:"The element. Lists and objects are the same as others that hold the same."`
}

type elementsInputs struct {
	keyInputs
	Dynamic any   `key:"dynamicValues" label:"Dynamic values" doc:"A list, or the JSON text of one. If it is not empty, the values below are ignored."`
	Values  []any `key:"valuesInput" label:"Values" doc:"The elements."`
	Flatten bool  `key:"flattenValues" label:"Flatten values" default:"false" doc:"Add the elements of those that are lists."`
}

type amountInputs struct {
	keyInputs
	Amount float64 `key:"amountInput" label:"Amount" default:"1" doc:"By how much."`
}

// updateActions returns the actions of one scope that change an existing value.
func updateActions(scope component.Scope, infix, label, shared string) []component.Action {
	about := fmt.Sprintf(" The value %s. The result is an object with the key and the new value.", shared)
	return []component.Action{
		component.NewAction("append"+infix+"ValueToList", label+" - Append value to list",
			"Adds an element at the end of the list under a key, which is made if there is none."+about,
			ofValue(scope, func(_ *value.Budget, list []any, in elementInputs) ([]any, error) {
				return append(list, in.Value), nil
			})),
		component.NewAction("append"+infix+"ValuesToList", label+" - Append multiple values to a list",
			"Adds elements at the end of the list under a key, which is made if there is none."+about,
			ofValue(scope, appendValues)),
		component.NewAction("remove"+infix+"ValueFromList", label+" - Remove value from list",
			"Takes an element out of the list under a key, wherever it is."+about,
			ofValue(scope, removeElement)),
		component.NewAction("add"+infix+"ValueToSet", label+" - Add value to set",
			"Adds an element to the list under a key unless it is there; the list is made if there is none."+about,
			ofValue(scope, addToSet)),
		component.NewAction("remove"+infix+"ValueFromSet", label+" - Remove value from set",
			"Takes an element out of the list under a key."+about,
			ofValue(scope, removeElement)),
		component.NewAction("increment"+infix+"Value", label+" - Increment value",
			"Adds an amount to the number under a key, which begins at 0."+about, addAmount(scope, 1)),
		component.NewAction("decrement"+infix+"Value", label+" - Decrement value",
			"Takes an amount from the number under a key, which begins at 0."+about, addAmount(scope, -1)),
	}
}

// keyed is a struct of inputs with the key of a value.
type keyed interface{ key() string }

func (in keyInputs) key() string { return in.Key }

// ofValue adapts a function that changes a list to an action's function.
func ofValue[I keyed](
	scope component.Scope, change func(budget *value.Budget, list []any, in I) ([]any, error),
) actionFunc[I] {
	return func(ctx context.Context, step component.Step, in I) (component.Result, error) {
		return updated(ctx, step.State(scope), in.key(), func(old any, found bool) (any, error) {
			list, isList := old.([]any)
			if !isList && found && old != nil && old != "" {
				return nil, refusal.ForField(refusal.Invalid, "keyInput", "what is kept under %q is %s, not a list",
					in.key(), shape(old))
			}
			budget := value.NewBudget(ctx)
			changed, err := change(budget, append([]any{}, list...), in)
			if over := budget.Err(); over != nil {
				return nil, over
			}
			return changed, err
		})
	}
}

func updated(ctx context.Context, state component.State, key string,
	change func(old any, found bool) (any, error)) (component.Result, error) {
	value, err := state.Update(ctx, key, change)
	if err != nil {
		return component.Result{}, err
	}
	return component.Result{Data: map[string]any{"key": key, "value": value}}, nil
}

func appendValues(budget *value.Budget, list []any, in elementsInputs) ([]any, error) {
	values := in.Values
	if in.Dynamic != nil && in.Dynamic != "" {
		var err error
		if values, err = listOf(budget, "dynamicValues", in.Dynamic); err != nil {
			return nil, err
		}
	}
	for _, val := range values {
		if inner, isList := val.([]any); isList && in.Flatten {
			if err := budget.Hold(len(inner) * value.SlotBytes); err != nil {
				return nil, err
			}
			list = append(list, inner...)
		} else {
			list = append(list, val)
		}
	}
	return list, nil
}

func removeElement(budget *value.Budget, list []any, in elementInputs) ([]any, error) {
	return without(budget, list, in.Value), nil
}

func addToSet(_ *value.Budget, list []any, in elementInputs) ([]any, error) {
	if slices.ContainsFunc(list, func(v any) bool { return value.StrictEqual(v, in.Value) }) {
		return list, nil
	}
	return append(list, in.Value), nil
}

func addAmount(scope component.Scope, sign float64) actionFunc[amountInputs] {
	return func(ctx context.Context, step component.Step, in amountInputs) (component.Result, error) {
		return updated(ctx, step.State(scope), in.Key, func(old any, found bool) (any, error) {
			budget := value.NewBudget(ctx)
			n, isNumber := unquoted(budget, old).(float64)
			if !isNumber && found && old != nil && old != "" {
				return nil, refusal.ForField(refusal.Invalid, "keyInput", "what is kept under %q is %s, not a number",
					in.Key, shape(old))
			}
			return n + sign*in.Amount, budget.Err()
		})
	}
}
