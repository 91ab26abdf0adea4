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
