package builtin

import (
	"context"

	"heddle/component"
)

// elseBranch is the branch to take when nothing matches. The format fixes its name.
const elseBranch = "Else"

func init() {
	register(component.Component{
		Key: "branch", Label: "Branch", Category: "Logic",
		Description: "Runs one of several lists of steps.",
		Actions: []component.Action{
			component.NewAction("branchOnValue", "Branch on value",
				"Compares a value with the value of each branch and runs the first branch that matches, or Else. The result is the name of the branch.",
				branchOnValue).WithBranches(),
		},
	})
}

type branchOnValueInputs struct {
	InputValue any                  `key:"inputValue" label:"Value" doc:"The value to compare."`
	Mappings   []component.KeyValue `key:"branchValueMappings" label:"Branches" doc:"For each branch its name and the value that leads to it."`
}

func branchOnValue(_ context.Context, _ component.Step, in branchOnValueInputs) (component.Result, error) {
	for _, branch := range in.Mappings {
		if matches(in.InputValue, branch.Value) {
			return component.Result{Data: branch.Key, Branch: branch.Key}, nil
		}
	}
	return component.Result{Data: elseBranch, Branch: elseBranch}, nil
}

// matches compares as JavaScript does and then by text, since the values in a definition are always
// text: an object matches its JSON and true matches "true", which JavaScript denies.
func matches(value, literal any) bool {
	if component.LooseEqual(value, literal) {
		return true
	}
	return value != nil && literal != nil && component.Text(value) == component.Text(literal)
}
