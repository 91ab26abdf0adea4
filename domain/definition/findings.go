package definition

import (
	"fmt"
	"slices"
	"strings"

	"heddle/domain/refusal"
)

// findings collects errors and warnings of a definition.
type findings struct{ problems, warnings refusal.Problems }

// location is a place in a definition, as problems report it.
type location struct {
	flowStep
	node *Part
	path []string // key path within the node
}

func (s location) below(key string) location {
	s.path = append(slices.Clip(s.path), key)
	return s
}

func (s location) part(n *Part, kind partKind) location {
	return location{flowStep: s.flowStep.of(kind, n.Name()), node: n}
}

// problem returns a problem, led by the key path, or by the key of the config variable it is in.
func (s location) problem(format string, args ...any) refusal.Problem {
	where := strings.Join(s.path, ".")
	if key := s.node.Key(); key != "" && s.flow == "" {
		where = strings.TrimSuffix(fmt.Sprintf("config variable %q: %s", key, where), ": ")
	}
	message := fmt.Sprintf(format, args...)
	if where != "" {
		message = where + ": " + message
	}
	return refusal.Problem{Line: s.node.line(s.path...), Flow: s.flow, Step: s.step, Message: message}
}

func (f *findings) refuse(s location, format string, args ...any) {
	if len(f.problems) < maxProblems {
		f.problems = append(f.problems, s.problem(format, args...))
	}
}

func (f *findings) warn(s location, format string, args ...any) {
	if len(f.warnings) < maxProblems {
		f.warnings = append(f.warnings, s.problem(format, args...))
	}
}
