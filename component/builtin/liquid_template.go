package builtin

import (
	"context"
	_ "embed"

	"heddle/component"
	"heddle/component/value"
)

//go:embed liquid_template.js
var liquidSource string

func init() {
	register(component.Component{
		Key: "liquid-template", Label: "Liquid template", Category: "Data",
		Description: "Makes text of data by a Liquid template.", Actions: []component.Action{
			component.NewAction("transform", "Transform",
				"Renders a Liquid template. The properties of the data are variables of the template; the data itself is the variable data, unless it has a property of that name. "+
					"Known are output with filters and the tags assign, capture, case, comment, cycle, decrement, echo, for, if, increment, raw and unless. Dates are in UTC. An unknown tag or filter fails the step.", renderLiquid),
		},
	})
}

type liquidInputs struct {
	Data     any    `key:"data" label:"Data" doc:"The data, or the JSON text of it."`
	Template string `key:"liquidTemplate" label:"Liquid template" type:"code" doc:"The template."`
}

func renderLiquid(ctx context.Context, step component.Step, in liquidInputs) (component.Result, error) {
	budget := value.NewBudget(ctx)
	data := unquoted(budget, in.Data)
	if err := budget.Err(); err != nil {
		return component.Result{}, err
	}
	text, err := step.Script(ctx, component.ScriptCall{
		Source: liquidSource, Args: []any{in.Template, data}, Log: step.Log,
	})
	return component.Result{Data: text}, err
}
