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

// waitHere is the longest time for which a worker keeps a run that only waits. For longer waits it hands the run
// back, so that others can be done meanwhile.
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

// handling says how to treat a step's failure: its errorConfig.
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
		return handling{exponential: exponential, ignores: ignores,
			retries: min(wholeNumber(config["maxAttempts"]), maxStepRetries),
			delay:   delayOf(config["delaySeconds"], time.Second, maxStepDelay)}
	}
	return handling{}
}

// maxWhole exceeds every limit of the format, and is few enough to be minutes.
const maxWhole = 1_000_000

// wholeNumber returns a number of the definition, 0 if there is none or it is negative.
func wholeNumber(v any) int {
	switch n := v.(type) {
	case int64:
		return int(min(max(n, 0), maxWhole))
	case float64:
		return int(min(max(n, 0), maxWhole))
	}
	return 0
}

// delayOf returns a number of the definition as a duration of at most most.
func delayOf(v any, unit, most time.Duration) time.Duration {
	return min(time.Duration(wholeNumber(v))*unit, most)
}

// backoff returns how long to wait after so many failures, counted from 1.
func backoff(delay time.Duration, exponential bool, failures int, most time.Duration) time.Duration {
	if !exponential {
		return delay
	}
	for range min(failures-1, 64) {
		delay = min(2*delay, most)
	}
	return delay
}

// failureValue returns what later steps see of an ignored failure, as "<step>.error".
func failureValue(message string) any { return map[string]any{"message": message} }

// failed returns how many calls of the step at a path have failed so far.
func (x *attempt) failed(path string) int { return x.handle.State().Retried(path).Attempt }

// tryAgain records a failed call of a step and waits until the next one is due: here or, if that takes long, by
// handing the run back.
func (s *stepContext) tryAgain(ctx context.Context, h handling, step domain.StepFinished, failures int, failure error,
) error {
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

// restart reports whether a failed run begins again, and when, by its flow's retryConfig. A synchronous run does
// not: its caller can't wait for that.
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

// supersede keeps older runs of the flow with the same value of its uniqueRequestIdField from beginning again, as
// of a position. The newer run is in the log by then, so a failure here is logged and is no reason to refuse it.
func (w *Worker) supersede(ctx context.Context, by domain.Run, asOf store.Position) {
	if by.Queued.Request == "" {
		return
	}
	older, err := w.Runs.Requested(ctx, by.Queued.Instance, by.Queued.Flow, by.Queued.Request, asOf)
	for _, e := range older {
		if e.ID != by.ID && err == nil {
			err = w.changeWhileRunning(ctx, e, func(r domain.Run) (domain.Changes[domain.Run], error) {
				return r.Supersede(by.ID)
			})
		}
	}
	if err != nil {
		w.Logger.Warn("keeping older runs for the same request from being tried again failed", "run",
			by.ID, "error", err)
	}
}

// changeWhileRunning changes a run without holding its claim and announces its end, if that ended it.
func (w *Worker) changeWhileRunning(ctx context.Context, e projections.Execution,
	decide func(domain.Run) (domain.Changes[domain.Run], error),
) error {
	var open bool
	r, _, err := store.Change(w.as(ctx, e.Organization, e.ID), w.Log, domain.Runs, e.ID,
		func(r domain.Run) (domain.Changes[domain.Run], error) {
			open = r.Finished == nil
			return decide(r)
		})
	if err != nil || !open || r.Finished == nil {
		return err
	}
	w.Observer.finish(r, r.Finished.Result)
	return w.waiters.announce(ctx, r)
}
