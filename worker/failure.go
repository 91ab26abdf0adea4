package worker

import (
	"context"
	"fmt"
	"time"

	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/projections"
	"heddle/store"
)

// waitHere is the longest time that a worker keeps a run for which there is nothing to do; for longer
// it is handed back, so that others can be done meanwhile.
const waitHere = 5 * time.Second

// The most that the format allows; what a file says beyond it counts as this. Source: the format's
// documentation of step and flow retries.
const (
	maxStepRetries = 5
	maxStepDelay   = 60 * time.Second
	maxFlowRetries = 10
	maxFlowDelay   = 60 * time.Minute
	maxBackoff     = 24 * time.Hour
)

// handling is what is to be done when a step fails: its errorConfig.
type handling struct {
	retries     int
	delay       time.Duration
	exponential bool
	ignores     bool // in the end the flow goes on
}

func handlingOf(step *definition.Part) handling {
	config := step.Map("errorConfig")
	switch config["errorHandlerType"] {
	case "ignore":
		return handling{ignores: true}
	case "retry":
		ignores, _ := config["ignoreFinalError"].(bool)
		exponential, _ := config["usesExponentialBackoff"].(bool)
		return handling{retries: min(wholeNumber(config["maxAttempts"]), maxStepRetries), exponential: exponential, ignores: ignores,
			delay: delayOf(config["delaySeconds"], time.Second, maxStepDelay)}
	}
	return handling{}
}

// maxWhole is more than any limit of the format, and few enough to be minutes.
const maxWhole = 1_000_000

// wholeNumber gives a number of the definition, 0 for what is none or negative.
func wholeNumber(v any) int {
	switch n := v.(type) {
	case int64:
		return int(min(max(n, 0), maxWhole))
	case float64:
		return int(min(max(n, 0), maxWhole))
	}
	return 0
}

// delayOf gives a number of the definition as a time, the most for what is more.
func delayOf(v any, unit, most time.Duration) time.Duration {
	return min(time.Duration(wholeNumber(v))*unit, most)
}

// backoff is how long to wait after so many failures, counted from 1.
func backoff(delay time.Duration, exponential bool, failures int, most time.Duration) time.Duration {
	if !exponential {
		return delay
	}
	for range min(failures-1, 64) {
		delay = min(2*delay, most)
	}
	return delay
}

// failureValue is what later steps see of a failure that was ignored, as "<step>.error".
func failureValue(message string) any { return map[string]any{"message": message} }

// failed is how many attempts of the step at a path have failed so far.
func (x *attempt) failed(path string) int { return x.handle.State().Retried(path).Attempt }

// tryAgain records a failed attempt of a step and waits until the next one is due, here or, when that
// takes long, by handing the run back.
func (s *stepContext) tryAgain(ctx context.Context, h handling, step domain.StepFinished, failures int, failure error) error {
	x := s.x
	s.Log("warn", fmt.Sprintf("attempt %d failed and is made again: %v", failures, failure))
	wait := backoff(h.delay, h.exponential, failures, maxBackoff)
	retried := domain.StepRetried{Claim: x.claim.Claim, Path: step.Path, Name: step.Name, Attempt: failures,
		Error: value.Shorten(failure.Error(), maxLogLine), Due: now().Add(wait), Log: s.log.inline()}
	if wait > waitHere {
		return x.later(ctx, retried, retried.Due)
	}
	if err := x.flush(retried); err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restart tells whether a failed run begins again, and when: its flow's retryConfig. Nobody can wait
// for that in a synchronous call.
func (x *attempt) restart(failure string) (domain.RunRestarted, bool) {
	if x.flow == nil || x.run.Queued.Synchronous {
		return domain.RunRestarted{}, false
	}
	config := x.flow.Map("retryConfig")
	if x.run.Attempt >= min(wholeNumber(config["maxAttempts"]), maxFlowRetries) {
		return domain.RunRestarted{}, false
	}
	exponential, _ := config["usesExponentialBackoff"].(bool)
	delay := delayOf(config["delayMinutes"], time.Minute, maxFlowDelay)
	failures := x.run.Attempt + 1
	return domain.RunRestarted{Claim: x.claim.Claim, Attempt: failures, Error: failure,
		Due: now().Add(backoff(delay, exponential, failures, maxBackoff))}, true
}

// supersede keeps older runs of the flow that came for the same request from beginning again: its
// retryConfig's uniqueRequestIdField. They are looked for as of a position. The newer run is in the log by
// then, so what fails here is told and is no reason to refuse it.
func (w *Worker) supersede(ctx context.Context, by domain.Run, asOf store.Position) {
	if by.Queued.Request == "" {
		return
	}
	older, err := w.Runs.Requested(ctx, by.Queued.Instance, by.Queued.Flow, by.Queued.Request, asOf)
	for _, e := range older {
		if e.ID != by.ID && err == nil {
			err = w.changeWhileRunning(ctx, e, func(r domain.Run) (domain.Changes[domain.Run], error) { return r.Supersede(by.ID) })
		}
	}
	if err != nil {
		w.Logger.Warn("keeping older runs for the same request from being tried again failed", "run", by.ID, "error", err)
	}
}

// changeWhileRunning makes a change to a run beside the work on it. If that ends the run, those who wait for it hear of it.
func (w *Worker) changeWhileRunning(ctx context.Context, e projections.Execution, decide func(domain.Run) (domain.Changes[domain.Run], error)) error {
	var open bool
	r, _, err := store.Change(w.as(ctx, e.Organization, e.ID), w.Log, domain.Runs, e.ID, func(r domain.Run) (domain.Changes[domain.Run], error) {
		open = r.Finished == nil
		return decide(r)
	})
	if err != nil || !open || r.Finished == nil {
		return err
	}
	w.Observer.finish(r, r.Finished.Result)
	return w.waiters.announce(ctx, r)
}
