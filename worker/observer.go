package worker

import (
	"time"

	"heddle/domain"
)

// Observer receives callbacks for metrics; any may be nil.
type Observer struct {
	Finish func(result domain.ResultType, took time.Duration)      // the end of a run, and how long after its queueing
	Step   func(component string, failed bool, took time.Duration) // an attempt of a step
	// something was refused or cut off by the limit with that setting
	Limit func(setting string)
}

func (t Observer) finish(r domain.Run, result domain.ResultType) {
	if t.Finish != nil {
		t.Finish(result, time.Since(r.QueuedAt))
	}
}

func (t Observer) step(component string, failure error, took time.Duration) {
	if t.Step != nil {
		t.Step(component, failure != nil, took)
	}
}

// limit reports that the limit with that setting was hit, "" for none.
func (t Observer) limit(setting string) {
	if t.Limit != nil && setting != "" {
		t.Limit(setting)
	}
}

// Offered returns how many runs waited in the queue at the last sweep, and whether Redis could be asked.
func (w *Worker) Offered() (waiting int, reachable bool) {
	return int(w.dispatcher.backlog.waiting.Load()), w.dispatcher.backlog.reachable.Load()
}

// LostScripts returns how many scripts could not be stopped and still run.
func (w *Worker) LostScripts() int { return int(w.scripts.Lost.Load()) }

// Running returns how many runs this process executes.
func (w *Worker) Running() int { return w.claims.count() }
