package builtin

import (
	"context"

	"heddle/component"
)

func init() {
	register(component.Component{
		Key: "log", Label: "Log", Category: "Logic",
		Description: "Writes to the log of the execution.",
		Actions: []component.Action{
			component.NewAction("writeLog", "Write log message",
				"Adds a line to the log of the execution.", writeLog),
			component.NewAction("writeMetric", "Write metrics",
				"Adds a line of level metric to the log of the execution: the names with their values as JSON.", writeMetric),
		},
	})
}

type writeLogInputs struct {
	Level   string `key:"level" label:"Level" doc:"How important the line is." default:"info" options:"trace,debug,info,warn,error,fatal"`
	Message any    `key:"message" label:"Message" doc:"What to write. Lists and objects are written as JSON."`
}

func writeLog(_ context.Context, step component.Step, in writeLogInputs) (component.Result, error) {
	step.Log(in.Level, component.Text(in.Message))
	return component.Result{}, nil
}

type writeMetricInputs struct {
	Metrics []component.KeyValue `key:"metrics" label:"Metrics" doc:"Names and values."`
}

func writeMetric(_ context.Context, step component.Step, in writeMetricInputs) (component.Result, error) {
	metrics := make(map[string]any, len(in.Metrics))
	for _, pair := range in.Metrics {
		metrics[pair.Key] = unquoted(pair.Value)
	}
	if len(metrics) > 0 {
		step.Log("metric", component.Text(metrics))
	}
	return component.Result{}, nil
}
