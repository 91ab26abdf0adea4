package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/worker/script"
)

// stepContext is the current step, as its action sees it.
type stepContext struct {
	x     *attempt
	path  string
	log   *runLog
	stop  bool // ends the flow
	leave bool // ends the innermost loop
	done  bool // the component has succeeded: a later failure is no reason to call it again
	// durable reports whether the step has done something outside the run: its end is recorded at once
	durable bool
	state   map[string]json.RawMessage // of the execution's own scope, as this step changed it
	before  map[string]json.RawMessage // that scope before the step's first change
}

var _ component.Step = (*stepContext)(nil)

// writer identifies this call of the step as the writer of persisted values: the same when repeated after a crash,
// another one when tried again after a failure.
func (s *stepContext) writer() string {
	place := s.x.place(s.path)
	if s.x.handle == nil {
		return place
	}
	if failed := s.x.failed(s.path); failed > 0 {
		return fmt.Sprintf("%s~%d", place, failed)
	}
	return place
}

// IdempotencyKey implements [component.Step].
func (s *stepContext) IdempotencyKey() string {
	return domain.DeriveID("step", s.x.run.ID, s.x.place(s.path))
}

// Log implements [component.Step].
func (s *stepContext) Log(level, message string) { s.log.add(level, message) }

// Script implements [component.Step].
func (s *stepContext) Script(ctx context.Context, call component.ScriptCall) (any, error) {
	if call.Log == nil {
		call.Log = s.Log
	}
	x := s.x
	if x.w.scripts.Lost.Load() >= int64(max(1, x.w.Concurrency)) {
		return nil, refusal.New(refusal.Unavailable,
			"%d scripts could not be stopped and take this process's time; it is to be started again",
			x.w.scripts.Lost.Load())
	}
	result, err := x.w.scripts.Run(ctx, call, x.w.Options.Script)
	if errors.Is(err, script.ErrGivenUp) {
		s.giveUp()
	}
	return result, err
}

// maxOverruns is how many scripts of one run may be given up: each costs the process a part of its time for good.
const maxOverruns = 2

// giveUp counts a script that could not be stopped, and ends a run that has too many.
func (s *stepContext) giveUp() {
	x := s.x
	x.overruns++
	x.w.Logger.Error("a script could not be stopped", "run", x.run.ID, "instance", x.run.Queued.Instance, "step",
		s.path, "lost", x.w.scripts.Lost.Load())
	if x.overruns >= maxOverruns {
		x.lost = &stepError{s.path, refusal.Exceed("HEDDLE_SCRIPT_TIME",
			"%d scripts of the execution could not be stopped", x.overruns)}
	}
}

// HTTP implements [component.Step].
func (s *stepContext) HTTP() *http.Client {
	client := *s.x.w.Client
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = invokedByTransport{client.Transport, s}
	return &client
}

// Facts implements [component.Step].
func (s *stepContext) Facts() map[string]any { return s.x.scriptContext() }

// Results implements [component.Step].
func (s *stepContext) Results() map[string]any { return s.x.scope.Results() }

// Payload implements [component.Step].
func (s *stepContext) Payload() any {
	return s.x.scope.Result(definition.Identifier(s.x.flow.Trigger().Name()))
}

// BeginEffect implements [component.Step]. All before the step is made durable, and so is its own end: after a
// crash only this step may repeat its outside effect.
func (s *stepContext) BeginEffect() error {
	if s.durable {
		return nil
	}
	if err := s.x.flush(nil); err != nil {
		return err
	}
	s.durable = true
	return nil
}

// ID implements [component.Step].
func (s *stepContext) ID() string {
	identifier := s.path[strings.LastIndex(s.path, "/")+1:]
	return stepID(s.x.flow.Steps(), identifier)
}

// stepID finds the step with an identifier, which is unique within a flow.
func stepID(list []*definition.Part, identifier string) string {
	for _, step := range list {
		if definition.Identifier(step.Name()) == identifier {
			return step.ID
		}
		inner := [][]*definition.Part{step.Steps()}
		for _, b := range step.Branches() {
			inner = append(inner, b.Steps())
		}
		for _, steps := range inner {
			if id := stepID(steps, identifier); id != "" {
				return id
			}
		}
	}
	return ""
}
