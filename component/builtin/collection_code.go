package builtin

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

const everyElement = "(item, index) => { return true; }"

type filterInputs struct {
	listInputs
	Filter string `key:"filterCodeInput" label:"Filter function" type:"code" default:"(item, index) => { return true; }" doc:"A JavaScript function (item, index). Elements for which it gives nothing true are left out."`
}

type mapInputs struct {
	filterInputs
	Transform string `key:"transformCodeInput" label:"Transform (map) function" type:"code" default:"(item, index) => { return item; }" doc:"A JavaScript function (item, index, context) that gives what stands in the element's place. It is called for what the filter leaves; index counts that."`
	Context   any    `key:"contextInput" label:"Context data" doc:"A third argument for both functions."`
}

type aggregateInputs struct {
	filterInputs
	Function string `key:"aggregateFunctionInput" label:"Aggregate function" required:"true" options:"AVERAGE,COUNT,MAX,MIN,SUM,PRODUCT,MEDIAN" doc:"What to make of the numbers."`
}

type sortInputs struct {
	listInputs
	Compare string `key:"sortCodeInput" label:"Sort comparison function" type:"code" required:"true" doc:"A JavaScript function (a, b) that gives a number below 0 if a comes before b, above 0 if it comes after."`
}

func listCodeActions() []component.Action {
	return []component.Action{
		component.NewAction("aggregate", "Aggregate",
			"Makes one number of a list of them; text that is a number counts as one. Without elements, average, median, maximum and minimum are null.", aggregate),
		component.NewAction("filter", "Filter", "Leaves out elements of a list by a JavaScript function.", filter),
		component.NewAction("map", "Map",
			"Filters a list and transforms each element that is left by a JavaScript function.", transform),
		component.NewAction("sort", "Sort",
			"Orders a list by a JavaScript function. Elements that it calls equal stay in their order.", sortList),
	}
}

// The functions in inputs are evaluated separately, so that lines in errors are theirs. A function followed by
// a semicolon is no expression; it is evaluated as it stands.
const loadFunction = `const load = (source) => {
	let f;
	try { f = (0, eval)("(" + source + "\n)"); } catch (e) { f = (0, eval)(source); }
	if (typeof f !== "function") throw new TypeError("the code must be a function");
	return f;
};`

const mapScript = `async (list, filterSource, mapSource, context) => {
` + loadFunction + `
	const [keep, change] = [load(filterSource), load(mapSource)];
	const left = [];
	for (let i = 0; i < list.length; i++) if (await keep(list[i], i, context)) left.push(list[i]);
	const changed = [];
	for (let i = 0; i < left.length; i++) changed.push(await change(left[i], i, context));
	return changed;
}`

const sortScript = `(list, source) => {
` + loadFunction + `
	return list.sort(load(source));
}`

func filter(ctx context.Context, step component.Step, in filterInputs) (component.Result, error) {
	return transform(ctx, step, mapInputs{filterInputs: in, Transform: "(item) => item"})
}

func transform(ctx context.Context, step component.Step, in mapInputs) (component.Result, error) {
	list, err := in.list(value.NewBudget(ctx))
	if err != nil {
		return component.Result{}, err
	}
	if len(list) == 0 {
		return component.Result{Data: list}, nil
	}
	data, err := step.Script(ctx,
		component.ScriptCall{Source: mapScript, Args: []any{list, in.Filter, in.Transform, in.Context}, Log: step.Log})
	return component.Result{Data: data}, err
}

func sortList(ctx context.Context, step component.Step, in sortInputs) (component.Result, error) {
	list, err := in.list(value.NewBudget(ctx))
	if err != nil {
		return component.Result{}, err
	}
	data, err := step.Script(ctx, component.ScriptCall{Source: sortScript, Args: []any{list, in.Compare},
		Log: step.Log})
	return component.Result{Data: data}, err
}

func aggregate(ctx context.Context, step component.Step, in aggregateInputs) (component.Result, error) {
	list, err := in.list(value.NewBudget(ctx))
	if err != nil {
		return component.Result{}, err
	}
	if strings.TrimSpace(in.Filter) != everyElement {
		left, err := filter(ctx, step, in.filterInputs)
		if err != nil {
			return component.Result{}, err
		}
		list, _ = left.Data.([]any)
	}
	if in.Function == "COUNT" {
		return component.Result{Data: float64(len(list))}, nil
	}
	budget := value.NewBudget(ctx)
	all, err := floats(budget, "listInput", list)
	err = cmp.Or(budget.Err(), err)
	if err != nil {
		return component.Result{}, err
	}
	return component.Result{Data: aggregated(in.Function, all)}, nil
}

// floats converts numbers, and text that is one.
func floats(budget *value.Budget, field string, list []any) ([]float64, error) {
	all := make([]float64, len(list))
	for i, element := range list {
		n, ok := unquoted(budget, element).(float64)
		if text, isText := element.(string); isText && !ok {
			n, ok = value.TextNumber(text)
		}
		if !ok {
			return nil, refusal.ForField(refusal.Invalid, field, "element %d is %s, not a number", i, shape(element))
		}
		all[i] = n
	}
	return all, nil
}

func aggregated(function string, all []float64) any {
	sum, product := 0.0, 1.0
	for _, n := range all {
		sum, product = sum+n, product*n
	}
	switch {
	case function == "SUM":
		return sum
	case function == "PRODUCT":
		return product
	case len(all) == 0:
		return nil
	case function == "AVERAGE":
		return sum / float64(len(all))
	case function == "MAX":
		return slices.Max(all)
	case function == "MIN":
		return slices.Min(all)
	}
	slices.Sort(all) // the median is left
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
