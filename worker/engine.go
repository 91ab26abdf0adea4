package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"heddle/component"
	"heddle/domain"
	"heddle/store"
)

// retryDelay is when a run is offered again after the log or a blob could not be reached.
const retryDelay = time.Second

// maxClaims is how often a run is begun: one that takes its process down each time must not do so for ever.
const maxClaims = 100

// execution is one worker's attempt at a run, under one claim.
type execution struct {
	*Worker
	handle  *store.Handle[domain.Run]
	run     domain.Run
	claim   int
	ctxRun  context.Context // of changes made for the run
	flow    *domain.Node
	done    map[string]domain.StepFinished // what earlier claims have finished, by path
	pending []domain.StepFinished          // finished, not yet in the log
	flushed time.Time
	scope   *Scope
	facts   map[string]any
	config  map[string]any
	own     map[string]json.RawMessage // persisted values of the execution's own scope
}

// execute does the task with an id: it claims the run, does what is not done yet and ends it.
func (w *Worker) execute(ctx context.Context, task string) error {
	run, claims, err := parseTask(task)
	if err != nil {
		return err
	}
	if !w.occupy(run) {
		return nil // this process is at it already
	}
	defer w.release(run, claims+1)
	x, err := w.claim(ctx, run, claims)
	if domain.CodeOf(err) == domain.Conflict || domain.CodeOf(err) == domain.NotFound {
		return nil // ended, removed, or somebody else's
	}
	if err == nil {
		err = x.work(ctx)
	}
	switch {
	case err == nil, domain.CodeOf(err) == domain.Conflict:
		return nil
	case ctx.Err() != nil:
		return &wait{0, ctx.Err()}
	}
	w.Logger.Warn("a run could not go on; trying again", "run", run, "error", err)
	return &wait{retryDelay, err}
}

func parseTask(task string) (run string, claims int, err error) {
	run, number, _ := strings.Cut(task, "/")
	if claims, err = strconv.Atoi(number); err != nil {
		return "", 0, fmt.Errorf("%q is no task of the runs queue", task)
	}
	return run, claims, nil
}

func (w *Worker) occupy(run string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[run] {
		return false
	}
	w.running[run] = true
	return true
}

func (w *Worker) release(run string, claim int) {
	key := claimKey(run, claim)
	w.mu.Lock()
	held := w.claims[key]
	delete(w.running, run)
	delete(w.claims, key)
	w.mu.Unlock()
	if held {
		_ = w.Live.Delete(context.Background(), key) // else it expires
	}
}

// claim makes this worker the only one whose records the run takes.
func (w *Worker) claim(ctx context.Context, run string, claims int) (*execution, error) {
	handle, err := store.Open(ctx, w.Log, domain.Runs, run)
	if err != nil {
		return nil, err
	}
	x := &execution{Worker: w, handle: handle, claim: claims + 1, done: map[string]domain.StepFinished{}, flushed: time.Now()}
	x.ctxRun = w.as(context.WithoutCancel(ctx), handle.State().Organization, run)
	x.run, _, err = handle.Change(x.ctxRun, func(r domain.Run) (domain.Changes[domain.Run], error) { return r.Claim(claims, w.name) })
	if err != nil {
		return nil, err
	}
	key := claimKey(run, x.claim)
	w.mu.Lock()
	w.claims[key] = true
	w.mu.Unlock()
	if err := w.Live.Set(ctx, key, []byte(w.name), w.Lease); err != nil {
		w.Logger.Warn("showing a claim's sign of life failed", "run", run, "error", err)
	}
	for _, s := range x.run.Steps() {
		x.done[s.Path] = s
	}
	return x, nil
}

// work does the steps that are not done and ends the run. An error means that it has not ended and
// is to be tried again.
func (x *execution) work(ctx context.Context) error {
	deadline := x.run.ClaimedAt.Add(x.RunTimeout) // of this claim: time without a worker does not count
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errRunTimeout)
	defer cancel()
	var err error
	if x.claim > maxClaims {
		err = &stepError{x.run.Queued.FlowName, fmt.Errorf("the execution was begun %d times and cut off each time", maxClaims)}
	} else {
		err = x.prepare(ctx)
	}
	if err == nil {
		err = x.steps(ctx, x.flow.Steps(), "")
	}
	end := domain.RunFinished{Result: domain.Completed}
	var failed *stepError
	switch {
	case err == nil, errors.Is(err, errStop):
	case errors.As(err, &failed):
		end = domain.RunFinished{Result: domain.Failed, Error: cut(failed.Error(), maxLogLine)}
	case errors.Is(context.Cause(ctx), errRunTimeout):
		end = domain.RunFinished{Result: domain.Failed, Error: fmt.Sprintf("the execution took longer than %s (HEDDLE_RUN_TIMEOUT)", x.RunTimeout)}
	default:
		return errors.Join(err, x.flush(nil)) // what is done is worth keeping
	}
	err = x.flush(&end)
	if domain.CodeOf(err) == domain.Invalid { // never for what the limits allow; else it would be tried for ever
		x.pending = nil
		end = domain.RunFinished{Result: domain.Failed, Error: cut("the steps' results could not be recorded: "+err.Error(), maxLogLine)}
		err = x.flush(&end)
	}
	if err != nil {
		return err
	}
	if x.OnFinish != nil {
		x.OnFinish(end.Result, time.Since(x.run.QueuedAt))
	}
	return x.Live.Publish(ctx, endTopic(x.run.ID), nil)
}

var (
	errStop       = errors.New("the flow was stopped by a step")
	errRunTimeout = errors.New("run timeout")
)

// stepError is a step's failure that fails the run.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return fmt.Sprintf("step %q: %v", e.step, e.err) }

// prepare reads what the run needs besides its own stream.
func (x *execution) prepare(ctx context.Context) error {
	definition, err := x.Definitions.Get(ctx, x.run.Organization, x.run.Queued.Definition)
	if err != nil {
		return err
	}
	x.flow = definition.Find(x.run.Queued.Flow)
	if x.flow == nil {
		return &stepError{x.run.Queued.FlowName, fmt.Errorf("the definition has no such flow")}
	}
	instance, ok := x.View.Instances.Get(x.run.Organization, x.run.Queued.Instance)
	if !ok {
		return &stepError{x.run.Queued.FlowName, fmt.Errorf("the instance is gone")}
	}
	if x.config, err = x.Worker.configValues(definition, instance); err != nil {
		return err
	}
	x.facts = x.gatherFacts(definition, instance)
	x.scope = newScope(x.config)
	return nil
}

// flush makes what is done, and perhaps the end, part of the log.
func (x *execution) flush(end *domain.RunFinished) error {
	if len(x.pending) == 0 && end == nil {
		return nil
	}
	steps := x.pending
	_, _, err := x.handle.Change(x.ctxRun, func(r domain.Run) (domain.Changes[domain.Run], error) {
		return r.Record(x.claim, steps, end)
	})
	if err != nil {
		return err
	}
	x.pending, x.flushed = nil, time.Now()
	return nil
}

// runBlob is the key of a blob that goes with a run.
func runBlob(run, name string) string { return "run/" + run + "/" + domain.DeriveID(name) }

func (x *execution) load(ctx context.Context, c domain.Content) (any, error) {
	data, err := x.Blobs.Load(ctx, c)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return component.DecodeValue(json.RawMessage(data))
}
