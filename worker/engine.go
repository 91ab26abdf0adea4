package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/worker/expression"
	"heddle/worker/queue"
)

// againAfter is how soon a run is offered again after the log or a blob could not be reached.
const againAfter = time.Second

// firstClaimAfter is the age of a run, in leases, from which its first claim is recorded before anything is done: a
// run that takes its process down each time leaves no other trace.
const firstClaimAfter = 4

// fewSteps is the most steps that many flows have.
const fewSteps = 4

// attempt is one claim's work on a run.
type attempt struct {
	w *Worker
	accepted
	run   domain.Run
	claim domain.RunClaimed
	// recorded reports whether the claim is in the log: it is written with the first outcome.
	recorded bool
	ctxRun   context.Context // of changes made for the run
	span     trace.Span
	flow     *definition.Part
	done     map[string]domain.StepFinished // what earlier claims have finished, by path
	pending  []domain.StepFinished          // finished, not yet in the log
	gathered int                            // bytes of them, about
	// error that ends the attempt, such as of a failed flush; the worker's, not the step's
	lost       error
	overruns   int // scripts that could not be stopped
	flushed    time.Time
	count      int // steps done in this attempt of the flow
	size       int // bytes of the result that was given last
	scope      *expression.Scope
	runContext map[string]any
	config     map[string]any
	flows      []*definition.Part // of the definition
	secrets    *masker
	keys       map[string]any             // API keys by flow, once they are opened
	warned     bool                       // the run's log warns of a result that holds a secret
	own        map[string]json.RawMessage // persisted values of the execution's own scope
	// delivered is the digest of the delivery that is being accepted: another one may come under the same key,
	// and must not overwrite its blobs.
	delivered string
}

// execute handles a task of the queue.
func (w *Worker) execute(ctx context.Context, task string) error {
	enlargeStack()
	run, claims, err := parseTask(task)
	if err != nil {
		return err
	}
	if w.dispatcher.backlog.took() {
		signal(w.dispatcher.drained)
	}
	return w.carryOut(ctx, run, claims)
}

// carryOut claims a run that has had so many claims, does the remaining steps and ends it.
func (w *Worker) carryOut(ctx context.Context, run string, claims int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !w.claims.occupy(run, cancel) {
		return nil // this process is at it already
	}
	defer w.claims.release(run, claims+1)
	x, err := w.claim(ctx, run, claims)
	if refusal.CodeOf(err) == refusal.Conflict || refusal.CodeOf(err) == refusal.NotFound {
		return nil // ended, removed, or somebody else's
	}
	if err == nil {
		err = x.work(trace.ContextWithSpan(ctx, x.span))
		x.span.End()
	}
	later, waits := errors.AsType[*postponed](err)
	switch {
	case err == nil, refusal.CodeOf(err) == refusal.Conflict, errors.Is(context.Cause(ctx), errCanceled):
		return nil
	case waits:
		w.dispatcher.postpone(run, later)
		return nil
	case ctx.Err() != nil:
		return &queue.Wait{Reason: ctx.Err()}
	}
	w.Logger.Warn("a run could not go on; trying again", "run", run, "error", err)
	return &queue.Wait{After: againAfter, Reason: err}
}

// postponed reports a run to resume at due, under the next claim.
type postponed struct {
	due    time.Time
	claims int // made so far
}

func (n *postponed) Error() string { return "not before " + n.due.Format(time.RFC3339) }

var (
	errStop       = errors.New("the flow was stopped by a step")
	errBreak      = errors.New("the loop was left by a step")
	errRunTimeout = errors.New("run timeout")
	errCanceled   = errors.New("the execution was canceled")
)

func parseTask(task string) (run string, claims int, err error) {
	run, number, _ := strings.Cut(task, "/")
	if claims, err = strconv.Atoi(number); err != nil {
		return "", 0, fmt.Errorf("%q is no task of the runs queue", task)
	}
	return run, claims, nil
}

// open returns a run that this process accepted as it was then, and any other as it is. The first record fails if
// that is outdated.
func (w *Worker) open(ctx context.Context, run string, claims int) (a accepted, err error) {
	if a, known := w.dispatcher.take(run, claims); known {
		return a, nil
	}
	a.handle, err = store.Open(ctx, w.Log, domain.Runs, run)
	return a, err
}

// claim makes this worker the only one whose records the run accepts. The claim itself is recorded with the first
// outcome, which is refused if somebody else was quicker: until then nothing has been done outside the run's
// stream.
func (w *Worker) claim(ctx context.Context, run string, claims int) (*attempt, error) {
	taken, err := w.open(ctx, run, claims)
	if err != nil {
		return nil, err
	}
	state := taken.handle.State()
	if err := state.Claimable(claims); err != nil {
		return nil, err
	}
	if due := state.Due; now().Before(due) {
		return nil, &postponed{due, claims}
	}
	x := &attempt{w: w, accepted: taken, flushed: time.Now(),
		done: map[string]domain.StepFinished{}, pending: make([]domain.StepFinished, 0, fewSteps),
		claim: domain.RunClaimed{Claim: claims + 1, Worker: w.name, At: now()}}
	ctx, x.span = w.beginRun(ctx, state, x.claim.Claim)
	x.ctxRun = w.as(context.WithoutCancel(ctx), state.Organization, run)
	x.run = x.claim.Evolve(state, domain.Meta{})
	w.claims.hold(claimKey(run, x.claim.Claim))
	// Something may have ended an earlier claim early: should that be this run's doing, it is to count.
	x.claim.Again = claims == 0 && state.QueuedAt.Before(w.began)
	if claims > 0 || x.claim.Again || time.Since(state.QueuedAt) > firstClaimAfter*w.Lease {
		if err := x.flush(nil); err != nil {
			endSpan(x.span, err)
			return nil, err
		}
		x.run = x.handle.State() // the earlier claim may have finished a step since
	}
	return x, nil
}

// work does the remaining steps and ends the run. An error means that it has not ended and is to be tried again.
func (x *attempt) work(ctx context.Context) error {
	deadline := x.run.ClaimedAt.Add(x.w.RunTimeout) // of this claim: time without a worker does not count
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errRunTimeout)
	defer cancel()
	var err error
	if x.run.CutOff >= x.w.MaxClaims {
		err = &stepError{x.run.Queued.FlowName,
			refusal.Exceed("HEDDLE_MAX_CLAIMS", "the execution was begun %s and cut off each time",
				refusal.Count(x.w.MaxClaims, "time"))}
	} else {
		err = x.prepare(ctx)
	}
	if err == nil {
		_, err = x.steps(ctx, x.flow.Steps(), "")
	}
	end := domain.RunFinished{Claim: x.claim.Claim, Result: domain.Completed}
	var failed *stepError
	switch {
	case err == nil, errors.Is(err, errStop), errors.Is(err, errBreak):
	case errors.As(err, &failed):
		end.Result, end.Error = domain.Failed, value.Shorten(failed.Error(), maxLogLine)
		x.w.Observer.limit(refusal.LimitOf(failed.err))
		if restart, again := x.restart(end.Error); again {
			return x.later(ctx, restart, restart.Due)
		}
	case errors.Is(context.Cause(ctx), errRunTimeout):
		limit := refusal.Exceed("HEDDLE_RUN_TIMEOUT", "the execution took longer than %s", x.w.RunTimeout)
		end.Result, end.Error = domain.Failed, limit.Error()
		x.w.Observer.limit(limit.Limit)
	default:
		return x.release(ctx, err)
	}
	return x.end(ctx, end)
}

// longestAgain is the longest time between attempts at a run that something outside it keeps from going on.
const longestAgain = time.Minute

// release hands the run back with what is done. Only a process that ends without a word counts against the run.
func (x *attempt) release(ctx context.Context, why error) error {
	if ctx.Err() != nil {
		return errors.Join(why, x.flush(domain.RunReleased{Claim: x.claim.Claim}))
	}
	x.w.Logger.Warn("a run could not go on; trying again", "run", x.run.ID, "error", why)
	due := now().Add(backoff(againAfter, true, x.run.Failing+1, longestAgain))
	reason := value.Shorten(x.secrets.text(why.Error()), maxLogLine)
	return x.later(ctx, domain.RunReleased{Claim: x.claim.Claim, Error: reason, Due: due}, due)
}

// end records the run's end and announces it.
func (x *attempt) end(ctx context.Context, end domain.RunFinished) error {
	err := x.flush(end)
	if refusal.CodeOf(err) == refusal.Invalid { // never for what the limits allow; else it would be tried for ever
		x.pending = nil
		end.Result = domain.Failed
		end.Error = value.Shorten("the steps' results could not be recorded: "+err.Error(), maxLogLine)
		err = x.flush(end)
	}
	if err != nil {
		return err
	}
	return x.announceEnd(ctx, end)
}

// announceEnd wakes those who wait for the run, and the next run in its queue.
func (x *attempt) announceEnd(ctx context.Context, end domain.RunFinished) error {
	x.w.Observer.finish(x.run, end.Result)
	if x.span.SetAttributes(attribute.String("heddle.result", string(end.Result))); end.Result == domain.Failed {
		x.span.SetStatus(codes.Error, "")
	}
	x.wakeNext(ctx)
	return x.w.waiters.announce(context.WithoutCancel(ctx), x.handle.State())
}

// stepError is a step's failure that fails the run.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return fmt.Sprintf("step %q: %v", e.step, e.err) }

// prepare reads what the run needs besides its own stream.
func (x *attempt) prepare(ctx context.Context) error {
	definition, err := x.w.Definitions.Get(ctx, x.run.Organization, x.run.Queued.Definition)
	if err != nil {
		return err
	}
	if x.flow = definition.Flow(x.run.Queued.Flow); x.flow == nil {
		return &stepError{x.run.Queued.FlowName, fmt.Errorf("the definition has no such flow")}
	}
	instance, ok := x.w.View.Instances.Get(x.run.Organization, x.run.Queued.Instance)
	if !ok {
		return &stepError{x.run.Queued.FlowName, fmt.Errorf("the instance is gone")}
	}
	if err := x.enter(definition, instance); err != nil {
		return err
	}
	return x.loadFinished(ctx)
}

// flush appends the pending steps, and the event that follows from them, to the log.
func (x *attempt) flush(then domain.Event[domain.Run]) error {
	if len(x.pending) == 0 && then == nil && x.recorded {
		return nil
	}
	if _, ends := then.(domain.RunFinished); !x.recorded && !ends {
		x.w.claims.showLife(x.ctxRun, claimKey(x.run.ID, x.claim.Claim))
	}
	steps := x.pending
	_, _, err := x.handle.Change(x.ctxRun, func(r domain.Run) (domain.Changes[domain.Run], error) {
		return r.Record(x.claim, steps, then)
	})
	if err != nil {
		if refusal.CodeOf(err) != refusal.Invalid {
			x.lost = err
		}
		return err
	}
	x.handle.Shorten(domain.Run.Brief)
	clear(x.pending)
	x.pending, x.gathered, x.flushed, x.recorded = x.pending[:0], 0, time.Now(), true
	return nil
}

// later records why the run resumes later, and hands it back until then, unless something has ended it meanwhile.
func (x *attempt) later(ctx context.Context, why domain.Event[domain.Run], due time.Time) error {
	if err := x.flush(why); err != nil {
		return err
	}
	if end := x.handle.State().Finished; end != nil {
		return x.announceEnd(ctx, *end)
	}
	return &postponed{due, x.claim.Claim}
}

// keep stores JSON for an event of a run, in a blob that goes with the run unless the event has room for it.
func (w *Worker) keep(ctx context.Context, run, name string, data json.RawMessage) (domain.Content, error) {
	return w.Blobs.Keep(ctx, runBlob(run, name), data)
}

// runBlob returns the key of a blob that goes with a run.
func runBlob(run, name string) string { return "run/" + run + "/" + domain.DeriveID(name) }

// keepOf stores the output of the step at a path.
func (x *attempt) keepOf(ctx context.Context, kind, path string, data json.RawMessage) (domain.Content, error) {
	return x.w.keep(ctx, x.run.ID, kind+x.place(path)+x.delivered, data)
}

// place identifies a step in this try of the flow, apart from earlier tries.
func (x *attempt) place(path string) string {
	if x.run.Attempt == 0 {
		return path
	}
	return path + "@" + strconv.Itoa(x.run.Attempt)
}

func (x *attempt) load(ctx context.Context, c domain.Content) (any, error) {
	data, err := x.w.Blobs.Load(ctx, c)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return value.Decode(x.reveal(data))
}
