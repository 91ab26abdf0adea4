package builtin

import (
	"context"

	"heddle/component"
	"heddle/component/value"
)

func init() {
	register(component.Component{
		Key: "log", Label: "Log", Category: "Logic",
		Description: "Writes to the log of the execution.",
		Actions: []component.Action{
			component.NewAction("writeLog", "Write log message",
				"Adds a line to the log of the execution.", writeLog),
			component.NewAction("writeMetric", "Write metrics",
				"Adds a line of level metric to the log of the execution: the names with their values as JSON.",
				writeMetric),
		},
	})
}

type writeLogInputs struct {
	Level   string `key:"level" label:"Level" doc:"How important the line is." default:"info" options:"trace,debug,info,warn,error,fatal"`
	Message any    `key:"message" label:"Message" doc:"What to write. Lists and objects are written as JSON."`
}

func writeLog(ctx context.Context, step component.Step, in writeLogInputs) (component.Result, error) {
	budget := value.NewBudget(ctx)
	step.Log(in.Level, budget.Text(in.Message))
	return component.Result{}, budget.Err()
}

type writeMetricInputs struct {
	Metrics []value.KeyValue `key:"metrics" label:"Metrics" doc:"Names and values."`
}

func writeMetric(ctx context.Context, step component.Step, in writeMetricInputs) (component.Result, error) {
	budget := value.NewBudget(ctx)
	metrics := make(map[string]any, len(in.Metrics))
	for _, pair := range in.Metrics {
		metrics[pair.Key] = unquoted(budget, pair.Value)
	}
	if len(metrics) > 0 {
		step.Log("metric", budget.Text(metrics))
	}
	return component.Result{}, budget.Err()
}
