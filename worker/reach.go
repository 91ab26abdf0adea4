package worker

import (
	"strings"

	"heddle/domain/definition"
)

// Reach implements [component.Step]. All before the step is made durable, and so is its own end: after
// a crash it is known that only this step may repeat what it did outside.
func (s *stepContext) Reach() error {
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
