package builtin

import (
	"context"
	"fmt"

	"heddle/component"
	"heddle/component/value"
)

// elseBranch is the branch to take if nothing matches. The format fixes its name.
const elseBranch = "Else"

func init() {
	register(component.Component{
		Key: "branch", Label: "Branch", Category: "Logic",
		Description: "Runs one of several lists of steps.",
		Actions: []component.Action{
			component.NewAction("branchOnValue", "Branch on value",
				"Compares a value with the value of each branch and runs the first branch that matches, or Else. The result is the name of the branch.",
				branchOnValue).WithBranches(),
			component.NewAction("branchOnExpression", "Branch on expression",
				"Runs the first branch whose condition holds, or Else. The result is the name of the branch. "+
					"Text that is JSON is read first, so \"5\" is a number; equal, the comparisons and isTrue follow JavaScript, with nothing as null. "+
					"0, false and empty text do not exist. isEmpty takes a list or text and fails the step for all else: ask with exists first. "+
					"dateTime operators take ISO 8601 text, in UTC if it names no zone, or a number of seconds since 1970, from 100000000000 on of milliseconds.",
				branchOnExpression).WithBranches(),
			component.NewAction("selectExecutedStepResult", "Select executed step result",
				"Gives the first of several results that is not null: that of the step which was run, where branches meet again.",
				selectExecutedStepResult),
		},
	})
}

type branchOnValueInputs struct {
	InputValue any              `key:"inputValue" label:"Value" doc:"The value to compare."`
	Mappings   []value.KeyValue `key:"branchValueMappings" label:"Branches" doc:"For each branch its name and the value that leads to it."`
}

func branchOnValue(ctx context.Context, _ component.Step, in branchOnValueInputs) (component.Result, error) {
	budget := value.NewBudget(ctx)
	text := budget.Text(in.InputValue)
	if err := budget.Err(); err != nil {
		return component.Result{}, err
	}
	for _, branch := range in.Mappings {
		if matches(budget, in.InputValue, text, branch.Value) {
			return component.Result{Data: branch.Key, Branch: branch.Key}, nil
		}
		if err := budget.Spend(len(text)); err != nil {
			return component.Result{}, err
		}
	}
	return component.Result{Data: elseBranch, Branch: elseBranch}, nil
}

type branchOnExpressionInputs struct {
	Conditions []value.KeyValue `key:"conditions" label:"Conditions" type:"conditions" doc:"For each branch its name and the condition that leads to it."`
}

func branchOnExpression(ctx context.Context, _ component.Step, in branchOnExpressionInputs) (component.Result, error) {
	for _, branch := range in.Conditions {
		if err := checkCondition(branch.Value, 1); err != nil {
			return component.Result{}, err
		}
	}
	for _, branch := range in.Conditions {
		is, err := holds(ctx, branch.Value)
		if err != nil {
			return component.Result{}, fmt.Errorf("branch %q: %w", branch.Key, err)
		}
		if is {
			return component.Result{Data: branch.Key, Branch: branch.Key}, nil
		}
	}
	return component.Result{Data: elseBranch, Branch: elseBranch}, nil
}

type selectResultInputs struct {
	Results []any `key:"stepResults" label:"Step results" doc:"The results to choose from, in order."`
}

func selectExecutedStepResult(_ context.Context, _ component.Step, in selectResultInputs) (component.Result, error) {
	for _, result := range in.Results {
		if result != nil {
			return component.Result{Data: result}, nil
		}
	}
	return component.Result{}, nil
}

// matches compares as JavaScript does and then by text, since the values in a definition are always text: an
// object matches its JSON and true matches "true", which JavaScript denies.
func matches(budget *value.Budget, val any, text string, literal any) bool {
	if value.LooseEqual(val, literal) {
		return true
	}
	return val != nil && literal != nil && text == budget.Text(literal)
}
