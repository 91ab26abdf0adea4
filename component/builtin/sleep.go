package builtin

import (
	"context"
	"time"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// maxSleep is the longest pause. An execution's own time limit may be shorter.
const maxSleep = time.Hour

func init() {
	register(component.Component{
		Key: "sleep", Label: "Sleep", Category: "Logic",
		Description: "Waits before the next step.",
		Actions: []component.Action{
			component.NewAction("sleep", "Sleep",
				"Waits for a number of milliseconds, at most an hour. The time counts towards that of the execution.",
				sleep),
		},
	})
}

type sleepInputs struct {
	Milliseconds float64 `key:"ms" label:"Milliseconds" default:"1000" doc:"How long to wait."`
}

func sleep(ctx context.Context, _ component.Step, in sleepInputs) (component.Result, error) {
	if in.Milliseconds < 0 || in.Milliseconds > float64(maxSleep.Milliseconds()) {
		return component.Result{}, refusal.ForField(refusal.Invalid, "ms",
			"Milliseconds must be between 0 and %d, not %s", maxSleep.Milliseconds(), value.Text(in.Milliseconds))
	}
	timer := time.NewTimer(time.Duration(in.Milliseconds * float64(time.Millisecond)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return component.Result{}, context.Cause(ctx)
	case <-timer.C:
		return component.Result{}, nil
	}
}
