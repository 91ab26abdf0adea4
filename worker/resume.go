package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"heddle/domain"
	"heddle/domain/definition"
)

// loadFinished takes over what earlier claims have finished in this try of the flow, and the values of the
// execution's own scope as they left them.
func (x *attempt) loadFinished(ctx context.Context) error {
	for _, s := range x.run.Steps() {
		if s.Attempt != x.run.Attempt {
			continue
		}
		writes := s.State
		if s.StateBlob != nil {
			data, err := x.w.Blobs.Load(ctx, *s.StateBlob)
			if err == nil {
				err = json.Unmarshal(data, &writes)
			}
			if err != nil {
				return fmt.Errorf("reading the values that %s set: %w", s.Path, err)
			}
		}
		if len(writes) > 0 {
			writes = maps.Clone(writes) // the run's own, which others may read
			for key, value := range writes {
				writes[key] = x.reveal(value)
			}
			x.adopt(writes)
		}
		s.State, s.Log, s.Headers = nil, nil, nil // of a long run only what is used is held
		x.done[s.Path] = s
	}
	x.run = x.run.Brief()
	x.handle.Shorten(domain.Run.Brief)
	return nil
}

// replay makes the result of a step that an earlier claim finished visible to later steps, and for a loop also what
// the last iteration of its body left. It returns the result.
func (x *attempt) replay(ctx context.Context, step *definition.Part, finished domain.StepFinished) (any, error) {
	value, err := x.load(ctx, finished.Output)
	if err != nil {
		return nil, fmt.Errorf("reading the result of %s: %w", finished.Path, err)
	}
	if results, ok := value.([]any); ok && len(step.Steps()) > 0 {
		if err := x.replayBody(ctx, step, finished.Path, len(results)); err != nil {
			return nil, err
		}
	}
	if finished.Ignored {
		x.scope.SetError(definition.Identifier(step.Name()), failureValue(finished.Error))
	} else {
		x.scope.Set(definition.Identifier(step.Name()), value)
	}
	return value, nil
}

// replayBody replays the last iteration of a loop with so many results: one that was broken off has left none, and
// comes after them.
func (x *attempt) replayBody(ctx context.Context, loop *definition.Part, path string, results int) error {
	for i := results; i >= max(0, results-1); i-- {
		some, err := x.replaySteps(ctx, loop.Steps(), fmt.Sprintf("%s[%d]/", path, i))
		if some || err != nil {
			return err
		}
	}
	return nil
}

// replaySteps replays the finished steps of a list, and of its branches, and reports whether there are any.
func (x *attempt) replaySteps(ctx context.Context, list []*definition.Part, prefix string) (some bool, err error) {
	for _, step := range list {
		finished, done := x.done[prefix+definition.Identifier(step.Name())]
		if !done {
			continue
		}
		some = true
		if _, err := x.replay(ctx, step, finished); err != nil {
			return some, err
		}
		for _, b := range step.Branches() {
			if _, err := x.replaySteps(ctx, b.Steps(), prefix); err != nil {
				return some, err
			}
		}
	}
	return some, nil
}
