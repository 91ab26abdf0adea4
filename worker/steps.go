package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/worker/expression"
)

// flushAfter is the age at which finished steps become visible to others, if nothing asks for it earlier.
const flushAfter = 200 * time.Millisecond

// Limits of the finished steps that wait to be appended together: well inside the limit of an append.
const (
	maxPending      = 32
	maxPendingBytes = 256 << 10
)

// weight estimates the bytes of a finished step in the log.
func weight(s *domain.StepFinished) int {
	n := 1024 + len(s.Output.Inline)
	for _, line := range s.Log {
		n += 64 + len(line.Message)
	}
	for name, value := range s.Headers {
		n += 8 + len(name) + len(value)
	}
	for key, value := range s.State {
		n += 8 + len(key) + len(value)
	}
	return n
}

// steps does a list of steps, one after another, and returns the result of the last one.
func (x *attempt) steps(ctx context.Context, list []*definition.Part, prefix string) (last any, err error) {
	for _, step := range list {
		if last, err = x.step(ctx, step, prefix); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// step does a step, unless it is done already, and the branch that it chooses. It returns the step's own result.
func (x *attempt) step(ctx context.Context, step *definition.Part, prefix string) (value any, err error) {
	identifier := definition.Identifier(step.Name())
	path := prefix + identifier
	finished, done := x.done[path]
	if done {
		value, err = x.replay(ctx, step, finished)
	} else {
		finished, value, err = x.perform(ctx, step, identifier, path)
	}
	switch {
	case err != nil:
		return nil, err
	case finished.Error != "" && !finished.Ignored:
		return nil, &stepError{step.Name(), errors.New(finished.Error)}
	case finished.Stop:
		return nil, errStop
	case finished.Break:
		return nil, errBreak
	}
	err = x.branch(ctx, step, finished.Branch, prefix)
	x.size = finished.Output.Size
	return value, err
}

// branch does the steps of the chosen branch.
func (x *attempt) branch(ctx context.Context, step *definition.Part, chosen, prefix string) error {
	if chosen == "" {
		return nil
	}
	for _, b := range step.Branches() {
		if b.Name() == chosen {
			_, err := x.steps(ctx, b.Steps(), prefix)
			return err
		}
	}
	return nil // the file lists no such branch, so there is nothing to do in it
}

// perform does one step, as often as its error handling wants, and records the result. The error is not the step's
// but the worker's, or ends the flow: the step is not done.
func (x *attempt) perform(ctx context.Context, step *definition.Part, identifier, path string,
) (finished domain.StepFinished, val any, err error) {
	if err := x.room(step); err != nil {
		return finished, nil, err
	}
	handling := handlingOf(step)
	for {
		if len(x.pending) >= maxPending || (len(x.pending) > 0 && time.Since(x.flushed) > flushAfter) {
			if err := x.flush(nil); err != nil {
				return finished, nil, err
			}
		}
		s := &stepContext{x: x, path: path, log: x.newLog()}
		finished = domain.StepFinished{Path: path, Step: step.ID, Name: step.Name(), Started: now()}
		result, failure, err := s.call(ctx, step)
		if err = cmp.Or(err, x.lost); err != nil {
			return finished, nil, err
		}
		if ctx.Err() != nil && failure != nil {
			return finished, nil, ctx.Err() // cut short by the end of the run's time or the worker's
		}
		var data json.RawMessage
		if failure == nil {
			data, failure = x.encode(result)
		}
		x.w.Observer.step(step.Action().Component, failure, time.Since(finished.Started))
		if failure != nil {
			x.w.Observer.limit(refusal.LimitOf(failure))
			failure = x.secrets.hide(failure)
			if failed := x.failed(path); failed < handling.retries && !s.done {
				if err := s.tryAgain(ctx, handling, finished, failed+1, failure); err != nil {
					return finished, nil, err
				}
				s.undo()
				continue
			}
			finished.Error, finished.Ignored = value.Shorten(failure.Error(), maxLogLine), handling.ignores
			s.Log("error", failure.Error())
			x.scope.SetError(identifier, failureValue(finished.Error))
			return finished, nil, s.finish(ctx, &finished)
		}
		if finished.Output, err = x.keepOf(ctx, "", path, s.hideResult(&result, data)); err != nil {
			return finished, nil, err
		}
		x.scope.Set(identifier, result.Data)
		finished.ContentType, finished.StatusCode = result.ContentType, result.StatusCode
		finished.Headers = result.Headers
		finished.Branch, finished.Stop, finished.Break = result.Branch, s.stop, s.leave
		return finished, result.Data, s.finish(ctx, &finished)
	}
}

// finish records that a step is done, at once if it had an effect outside the run.
func (s *stepContext) finish(ctx context.Context, finished *domain.StepFinished) error {
	x := s.x
	finished.Ended, finished.State = now(), x.secrets.maskAll(s.state)
	if err := s.log.into(ctx, x, finished); err != nil {
		return err
	}
	if err := x.keepState(ctx, finished); err != nil {
		return err
	}
	more := weight(finished)
	if x.gathered += more; x.gathered > maxPendingBytes && len(x.pending) > 0 {
		if err := x.flush(nil); err != nil {
			return err
		}
		x.gathered = more
	}
	x.pending = append(x.pending, *finished)
	if s.durable {
		return x.flush(nil)
	}
	return nil
}

// room refuses a step when the run has done as many as it may.
func (x *attempt) room(step *definition.Part) error {
	if x.count++; x.count > x.w.MaxSteps {
		return &stepError{step.Name(), refusal.Exceed("HEDDLE_MAX_STEPS",
			"an execution may do %s, counting each iteration of a loop", refusal.Count(x.w.MaxSteps, "step"))}
	}
	return nil
}

// encode returns the stored form of a step's result, or an error if it can't be stored.
func (x *attempt) encode(r component.Result) (json.RawMessage, error) {
	if err := fits(r); err != nil {
		return nil, err
	}
	return value.EncodeWithin(r.Data, x.w.MaxOutput)
}

// maxAnswer is how much a step may add to the answer besides its data: it stands in the event itself.
const maxAnswer = 32 << 10 // bytes

// fits refuses a result that the step's event could not hold.
func fits(r component.Result) error {
	size := len(r.ContentType) + len(r.Branch)
	for name, value := range r.Headers {
		size += len(name) + len(value)
	}
	if size > maxAnswer {
		return refusal.New(refusal.Invalid,
			"the headers, content type and branch of a step's result may have %d bytes; these have %d", maxAnswer, size)
	}
	return nil
}

// keepState moves the values that a step has set in the execution's own scope into a blob if they are many.
func (x *attempt) keepState(ctx context.Context, finished *domain.StepFinished) error {
	if len(finished.State) == 0 {
		return nil
	}
	data, err := json.Marshal(finished.State)
	if err != nil {
		return err
	}
	content, err := x.keepOf(ctx, "state/", finished.Path, data)
	if content.Blob != "" {
		finished.State, finished.StateBlob = nil, &content
	}
	return err
}

// call finds the step's action or trigger, resolves its inputs and calls it. failure is the step's own error; err
// the worker's.
func (s *stepContext) call(ctx context.Context, step *definition.Part) (result component.Result, failure, err error) {
	x, ref := s.x, step.Action()
	ctx, span := x.beginStep(x.w.limited(ctx), ref.Component, ref.Key, s.path)
	defer func() { endSpan(span, cmp.Or(failure, err)) }()
	inputs, failure := resolveInputs(step, x.scope)
	if step.IsTrigger() {
		trigger, unknown := x.w.Components.LookupTrigger(ref.Component, ref.Key)
		if unknown != nil || failure != nil {
			return result, cmp.Or(unknown, failure), nil
		}
		return s.receiveStep(ctx, trigger, inputs)
	}
	action, unknown := x.w.Components.Lookup(ref.Component, ref.Key)
	if unknown != nil || failure != nil {
		return result, cmp.Or(unknown, failure), nil
	}
	if action.Effect { // all before it must be durable: after a crash it is known that only this one may repeat
		if err := x.flush(nil); err != nil {
			return result, nil, err
		}
	}
	s.stop, s.leave, s.durable = action.Stop, action.Break, action.Effect
	result, failure = s.guarded(func() (component.Result, error) { return action.Perform(ctx, s, inputs) })
	switch {
	case failure != nil:
	case action.Loop:
		result.Data, failure, err = x.loop(ctx, step, s.path, result.Items)
	case action.Break && !strings.Contains(s.path, "/"):
		failure = errors.New("there is no loop here to leave")
	}
	return result, failure, err
}

// guarded calls a component. A panic fails its step and not the worker.
func (s *stepContext) guarded(call func() (component.Result, error)) (result component.Result, failure error) {
	defer func() {
		if p := recover(); p != nil {
			id := uuid.NewString()
			s.x.w.Logger.Error("a component panicked", "id", id, "run", s.x.run.ID, "step", s.path, "panic", p, "stack",
				string(debug.Stack()))
			failure = fmt.Errorf("the component failed: internal error %s", id)
		}
	}()
	result, failure = call()
	s.done = failure == nil
	return result, failure
}

// resolveInputs turns the inputs of a step into plain values.
func resolveInputs(step *definition.Part, scope *expression.Scope) (map[string]any, error) {
	values := make(map[string]any, len(step.Inputs()))
	for name, input := range step.Inputs() {
		value, err := expression.Resolve(input, scope)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// severity normalizes the level of a component to those that clients know.
func severity(level string) string {
	switch l := strings.ToUpper(level); l {
	case "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "METRIC":
		return l
	}
	return "INFO"
}
