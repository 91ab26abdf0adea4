package builtin

import "heddle/component"

func init() {
	register(component.Component{
		Key: "management-triggers", Label: "Management triggers", Category: "Triggers",
		Description: "Starts a flow when an instance is deployed or removed.",
		Triggers: []component.Trigger{
			component.NewTrigger("instanceDeploy", "Instance deploy",
				"Starts the flow each time the instance is deployed, the first time and after a change.",
				passOn).Starting(component.StartDeploy),
			component.NewTrigger("instanceRemove", "Instance remove",
				"Starts the flow when the instance is removed.",
				passOn).Starting(component.StartRemove),
		},
	})
}
