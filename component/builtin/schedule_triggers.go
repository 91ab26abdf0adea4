package builtin

import (
	"context"

	"heddle/component"
)

func init() {
	register(component.Component{
		Key: "schedule-triggers", Label: "Schedule", Category: "Triggers",
		Description: "Starts a flow at times that a schedule names.",
		Triggers: []component.Trigger{
			component.NewTrigger("schedule", "Schedule",
				"Starts the flow by the schedule beside it. Later steps find a result like a webhook's, with an empty body.",
				passOn).Starting(component.StartSchedule),
		},
	})
}

// passOn returns the delivery as it is.
func passOn(_ context.Context, payload map[string]any, _ struct{}) (component.Result, error) {
	return component.Result{Data: payload}, nil
}
