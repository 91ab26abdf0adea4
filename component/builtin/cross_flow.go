package builtin

import (
	"context"

	"heddle/component"
)

func init() {
	invoke := func(key string) component.Action {
		return component.NewAction(key, "Invoke flow",
			"Starts another flow of the same instance with data, which that flow finds as the body of its trigger. Of a flow that "+
				"answers asynchronously the result is an object with the executionId; of a synchronous one it is what the flow's last step gives, "+
				"and the step fails if that flow does. Repeated after a crash, it starts nothing twice.",
			invokeFlow).WithEffect()
	}
	register(component.Component{
		Key: "cross-flow", Label: "Cross-flow", Category: "Logic",
		Description: "Has flows of one instance start each other.",
		Actions:     []component.Action{invoke("invokeFlow"), invoke("triggerFlow")}, // older files have the second key
		Triggers: []component.Trigger{
			component.NewTrigger("crossFlow", "Cross-flow trigger",
				"Starts the flow when a step of another flow invokes it. The data is in the body of the result.",
				passOn),
		},
	})
}

type invokeFlowInputs struct {
	Flow string `key:"flowName" label:"Flow name" doc:"Name of the flow to start." required:"true"`
	Data any    `key:"data" label:"Data" doc:"What the flow is started with. Files within it arrive as base64 text; a file alone arrives as it is."`
}

func invokeFlow(ctx context.Context, step component.Step, in invokeFlowInputs) (component.Result, error) {
	data, err := step.Invoke(ctx, in.Flow, in.Data)
	return component.Result{Data: data}, err
}
