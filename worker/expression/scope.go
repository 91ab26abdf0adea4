// Package expression resolves the inputs of steps: values, references, templates, config variables and
// combinations of them. Source: the format's documentation of inputs.
package expression

import (
	"heddle/component/value"
	"heddle/domain/definition"
)

// Scope holds the values that the inputs of a step can refer to: what the steps before it left, by step identifier,
// and the configuration, by key.
type Scope struct {
	Limits value.Limits // of what templates return

	config map[string]any
	steps  map[string]stepData
}

// stepData holds what one step left behind.
type stepData struct {
	results any
	inLoop  bool // the step is a loop that is under way: item and index are set
	item    any
	index   int
	failure any // what went wrong, if that was ignored
}

// NewScope returns a scope in which no step has run.
func NewScope(config map[string]any) *Scope {
	return &Scope{config: config, steps: map[string]stepData{}, Limits: value.DefaultLimits}
}

// Set stores what a step returned. In the body of a loop it replaces the value of the previous iteration.
func (s *Scope) Set(identifier string, results any) {
	s.steps[identifier] = stepData{results: results}
}

// SetLoop binds the item and index that the body of a loop sees. Set ends that when the loop is over.
func (s *Scope) SetLoop(identifier string, item any, index int) {
	s.steps[identifier] = stepData{inLoop: true, item: item, index: index}
}

// SetError stores the failure of a step that is configured to go on after an error.
func (s *Scope) SetError(identifier string, failure any) {
	s.steps[identifier] = stepData{failure: failure}
}

// Forget removes what a step left, so that an iteration does not see the results of steps that ran only in an
// earlier one.
func (s *Scope) Forget(identifier string) { delete(s.steps, identifier) }

// Result returns what a step returned, nil if it did not run.
func (s *Scope) Result(identifier string) any { return s.steps[identifier].results }

// Results returns for scripts what all steps so far left, in the form of a step of package component.
func (s *Scope) Results() map[string]any {
	all := make(map[string]any, len(s.steps))
	for identifier, step := range s.steps {
		one := map[string]any{"results": step.results}
		if step.inLoop {
			one[definition.KindCurrentItem], one[definition.KindIndex] = step.item, float64(step.index)
		}
		if step.failure != nil {
			one[definition.KindError] = step.failure
		}
		all[identifier] = one
	}
	return all
}

// Lookup returns the value that a reference names. A step that did not run, and everything that is absent, is nil:
// flows ask whether such things exist.
func (s *Scope) Lookup(path definition.Path) any {
	step, ran := s.steps[path.Step]
	if !ran {
		return nil
	}
	switch path.Kind {
	case definition.KindCurrentItem:
		return walk(step.item, path.Rest)
	case definition.KindIndex:
		if !step.inLoop {
			return nil
		}
		return walk(float64(step.index), path.Rest)
	case definition.KindError:
		return walk(step.failure, path.Rest)
	}
	if step.failure != nil && len(path.Rest) > 0 && path.Rest[0] == definition.KindError {
		return walk(step.failure, path.Rest[1:]) // the format's two sources disagree on where the error is
	}
	return walk(step.results, path.Rest)
}
