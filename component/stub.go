package component

import "context"

// Stub makes a component that stands in for a missing one, such as a vendor's, so that tests can run
// definitions that use it. Every action returns the same result, except for the given ones (make them with
// [Answer] or [NewAction]); inputs are ignored. Every trigger passes the delivery on as it came. It does no
// work and is never part of Heddle's own components.
func Stub(key string, answer Result, actions ...Action) Component {
	return Component{
		Key: key, Label: key, Category: "Stubs",
		Description: "Stands in for the component of that name in tests and answers with fixed data.",
		Actions:     actions, stub: &answer,
	}
}

// Answer makes an action that ignores its inputs and always returns the same result. If that names a branch,
// the action is one that branches.
func Answer(key string, answer Result) Action {
	return Action{
		Key: key, Label: key, Description: "Answers with fixed data.", Branches: answer.Branch != "",
		Perform: func(context.Context, Step, map[string]any) (Result, error) { return answer, nil },
	}
}

func stubTrigger(key string, answer Result) Trigger {
	return Trigger{
		Key: key, Label: key, Description: "Passes the delivery on.",
		Receive: func(_ context.Context, payload, _ map[string]any) (Result, error) {
			return Result{Data: payload, Branch: answer.Branch}, nil
		},
	}
}
