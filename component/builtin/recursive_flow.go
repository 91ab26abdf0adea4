package builtin

import (
	"context"
	"maps"

	"heddle/component"
)

func init() {
	trigger := component.NewTrigger("recursiveTrigger", "Recursive trigger",
		"Starts the flow when the flow invokes itself or its URL is called with a cursor in a JSON body. The cursor is in the result.", receiveCursor)
	trigger.StartInput = "runOnDeploy"
	register(component.Component{
		Key: "recursive-flow", Label: "Recursive flow", Category: "Logic",
		Description: "Goes through long lists in a chain of executions: each goes on where the one before it stopped, from a cursor.",
		Actions: []component.Action{
			component.NewAction("getCursor", "Get cursor",
				"Gives the cursor that this execution has set, else the one that it was started with.", getCursor),
			component.NewAction("setCursor", "Set cursor",
				"Sets the cursor, for later steps and for the execution that this one starts. The result is the cursor.", setCursor),
			component.NewAction("invokeRecursive", "Invoke recursive flow",
				"Starts another execution of this flow from the cursor. The result is an object with its executionId. "+
					"Repeated after a crash, it starts nothing twice.", invokeRecursive).WithEffect(),
		},
		Triggers: []component.Trigger{trigger},
	})
}

// cursorKey names the cursor in the trigger's body and result.
const cursorKey = "cursor"

// cursorState names it among the execution's own values, apart from those of flows.
const cursorState = "recursive-flow.cursor"

type recursiveTriggerInputs struct {
	Default     any  `key:"defaultCursor" label:"Default cursor" doc:"The cursor of an execution that is started without one."`
	RunOnDeploy bool `key:"runOnDeploy" label:"Run on deploy" doc:"Starts the flow at each deploy of the instance, too."`
}

func receiveCursor(_ context.Context, payload map[string]any, in recursiveTriggerInputs) (component.Result, error) {
	data := maps.Clone(payload)
	data[cursorKey] = in.Default
	body, _ := payload["body"].(map[string]any)
	if given, _ := body["data"].(map[string]any); given[cursorKey] != nil {
		data[cursorKey] = given[cursorKey]
	}
	return component.Result{Data: data}, nil
}

func getCursor(ctx context.Context, step component.Step, _ struct{}) (component.Result, error) {
	cursor, err := cursorOf(ctx, step)
	return component.Result{Data: cursor}, err
}

func cursorOf(ctx context.Context, step component.Step) (any, error) {
	cursor, found, err := step.State(component.ExecutionScope).Get(ctx, cursorState)
	if err != nil || found {
		return cursor, err
	}
	payload, _ := step.Payload().(map[string]any)
	return payload[cursorKey], nil
}

type setCursorInputs struct {
	Cursor any `key:"cursor" label:"Cursor" doc:"Where to go on from, such as a page number or the newest date seen."`
}

func setCursor(ctx context.Context, step component.Step, in setCursorInputs) (component.Result, error) {
	return component.Result{Data: in.Cursor}, step.State(component.ExecutionScope).Set(ctx, cursorState, in.Cursor)
}

func invokeRecursive(ctx context.Context, step component.Step, _ struct{}) (component.Result, error) {
	cursor, err := cursorOf(ctx, step)
	if err != nil {
		return component.Result{}, err
	}
	data, err := step.Invoke(ctx, "", map[string]any{cursorKey: cursor})
	return component.Result{Data: data}, err
}
