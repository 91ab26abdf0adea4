package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"heddle/component"
	"heddle/domain"
)

// flushAfter is how old finished steps get before others can see them, where nothing asks for it earlier.
const flushAfter = 200 * time.Millisecond

// maxPending is how many finished steps gather before they are appended.
const maxPending = 32

// steps does a list of steps, one after another, skipping what is done already.
func (x *execution) steps(ctx context.Context, list []*domain.Node, prefix string) error {
	for _, step := range list {
		path := prefix + domain.Identifier(step.Name())
		finished, done := x.done[path]
		if !done {
			var err error
			if finished, err = x.perform(ctx, step, path); err != nil {
				return err
			}
		} else if err := x.recall(ctx, step, finished); err != nil {
			return err
		}
		switch {
		case finished.Error != "":
			return &stepError{step.Name(), fmt.Errorf("%s", finished.Error)}
		case finished.Stop:
			return errStop
		}
		if err := x.branch(ctx, step, finished.Branch, prefix); err != nil {
			return err
		}
	}
	return nil
}

// branch does the steps of the branch that a step chose.
func (x *execution) branch(ctx context.Context, step *domain.Node, chosen, prefix string) error {
	if chosen == "" {
		return nil
	}
	for _, b := range step.Branches() {
		if b.Name() == chosen {
			return x.steps(ctx, b.Steps(), prefix)
		}
	}
	return nil // the file lists no such branch, so there is nothing to do in it
}

// recall makes the result of a step that an earlier claim finished visible to the following ones.
func (x *execution) recall(ctx context.Context, step *domain.Node, finished domain.StepFinished) error {
	value, err := x.load(ctx, finished.Output)
	if err != nil {
		return fmt.Errorf("reading the result of %s: %w", finished.Path, err)
	}
	x.scope.set(domain.Identifier(step.Name()), value)
	writes := finished.State
	if finished.StateBlob != nil {
		data, err := x.Blobs.Load(ctx, *finished.StateBlob)
		if err == nil {
			err = json.Unmarshal(data, &writes)
		}
		if err != nil {
			return fmt.Errorf("reading the values that %s set: %w", finished.Path, err)
		}
	}
	x.adopt(writes)
	return nil
}

// perform does one step and notes what it left. The error is not the step's but the worker's: the
// step is to be done again.
func (x *execution) perform(ctx context.Context, step *domain.Node, path string) (domain.StepFinished, error) {
	if len(x.pending) >= maxPending || (len(x.pending) > 0 && time.Since(x.flushed) > flushAfter) {
		if err := x.flush(nil); err != nil {
			return domain.StepFinished{}, err
		}
	}
	s := &running{x: x, path: path, log: &runLog{}}
	finished := domain.StepFinished{Path: path, Step: step.ID, Name: step.Name(), Started: now()}
	result, failure, err := x.attempt(ctx, step, s)
	if err != nil {
		return domain.StepFinished{}, err
	}
	if ctx.Err() != nil && failure != nil {
		return domain.StepFinished{}, ctx.Err() // cut short by the end of the run's time or the worker's
	}
	finished.Ended, finished.State = now(), s.state
	if failure == nil {
		failure = fits(result)
	}
	var data json.RawMessage
	if failure == nil {
		data, failure = component.EncodeValue(result.Data)
	}
	if failure == nil {
		if finished.Output, err = x.Blobs.Keep(ctx, runBlob(x.run.ID, path), data); err != nil {
			return domain.StepFinished{}, err
		}
	}
	if failure != nil {
		finished.Error = cut(failure.Error(), maxLogLine)
		s.Log("error", failure.Error())
	} else {
		x.scope.set(domain.Identifier(step.Name()), result.Data)
		finished.ContentType, finished.StatusCode, finished.Headers = result.ContentType, result.StatusCode, result.Headers
		finished.Branch, finished.Stop = result.Branch, s.stop
	}
	if err := s.log.into(ctx, x, &finished); err != nil {
		return domain.StepFinished{}, err
	}
	if err := x.keepState(ctx, &finished); err != nil {
		return domain.StepFinished{}, err
	}
	x.pending = append(x.pending, finished)
	if s.durable {
		if err := x.flush(nil); err != nil {
			return domain.StepFinished{}, err
		}
	}
	return finished, nil
}

// maxAnswer is how much a step may say of the answer besides its data: it stands in the event itself.
const maxAnswer = 32 << 10 // bytes

// fits refuses what a step's event could not hold.
func fits(r component.Result) error {
	size := len(r.ContentType) + len(r.Branch)
	for name, value := range r.Headers {
		size += len(name) + len(value)
	}
	if size > maxAnswer {
		return domain.Refuse(domain.Invalid, "the headers, content type and branch of a step's result may have %d bytes; these have %d", maxAnswer, size)
	}
	return nil
}

// keepState puts the execution's own values that a step has set into a blob when they are many.
func (x *execution) keepState(ctx context.Context, finished *domain.StepFinished) error {
	if len(finished.State) == 0 {
		return nil
	}
	data, err := json.Marshal(finished.State)
	if err != nil || len(data) <= domain.MaxInline {
		return err
	}
	content, err := x.Blobs.Keep(ctx, runBlob(x.run.ID, "state/"+finished.Path), data)
	finished.State, finished.StateBlob = nil, &content
	return err
}

// attempt finds the step's action or trigger, resolves its inputs and calls it. failure is the
// step's own error; err the worker's.
func (x *execution) attempt(ctx context.Context, step *domain.Node, s *running) (result component.Result, failure, err error) {
	ref := step.Action()
	inputs, failure := resolveInputs(step, x.scope)
	if step.IsTrigger() {
		trigger, unknown := x.Components.LookupTrigger(ref.Component, ref.Key)
		if unknown != nil || failure != nil {
			return result, firstOf(unknown, failure), nil
		}
		payload, err := x.payload(ctx)
		if err != nil {
			return result, nil, err
		}
		result, failure = trigger.Receive(ctx, payload, inputs)
		return result, failure, nil
	}
	action, unknown := x.Components.Lookup(ref.Component, ref.Key)
	if unknown != nil || failure != nil {
		return result, firstOf(unknown, failure), nil
	}
	if action.Effect { // all before it must be durable: after a crash it is known that only this one may repeat
		if err := x.flush(nil); err != nil {
			return result, nil, err
		}
	}
	s.stop, s.durable = action.Stop, action.Effect
	result, failure = action.Perform(ctx, s, inputs)
	return result, failure, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// resolveInputs turns the inputs of a step into plain values.
func resolveInputs(step *domain.Node, scope *Scope) (map[string]any, error) {
	values := make(map[string]any, len(step.Inputs()))
	for name, input := range step.Inputs() {
		value, err := Resolve(input, scope)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// severity brings the level that a component gave into the form that clients know.
func severity(level string) string {
	switch l := strings.ToUpper(level); l {
	case "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "METRIC":
		return l
	}
	return "INFO"
}
