package authoring

import (
	"context"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Import makes a YAML definition the whole draft of an integration, a new one or that of onto. What no step can do here
// is imported all the same, with a warning.
func (s *Service) Import(ctx context.Context, text, onto string) (domain.Integration, []refusal.Problem, error) {
	parsed, warnings, err := s.Parse(text)
	if err != nil {
		return domain.Integration{}, nil, err
	}
	if onto == "" {
		parsed, left, err := s.sealKeys(ctx, parsed, nil)
		if err != nil {
			return domain.Integration{}, nil, err
		}
		i, err := s.createFrom(ctx, definition.Identify(parsed, nil, newID), nil, domain.IntegrationCreated{})
		return i, append(warnings, left...), err
	}
	ref, err := s.Draft(ctx, "integrationId", onto)
	if err != nil {
		return domain.Integration{}, nil, err
	}
	left, err := s.replace(ctx, ref, parsed)
	return ref.Integration, append(warnings, left...), err
}

// Parse reads a YAML definition and finds all that is to be said of it before it is written anywhere.
func (s *Service) Parse(text string) (parsed *definition.Part, warnings []refusal.Problem, err error) {
	parsed, _, err = definition.Parse([]byte(text), s.Limits.Definition)
	if err != nil {
		return nil, nil, err
	}
	if warnings, err = definition.Check(parsed); err != nil { // it repeats what parsing warned of
		return nil, nil, err
	}
	return parsed, append(warnings, definition.Unsupported(parsed, s.Components.Inputs)...), nil
}

// replace makes a parsed definition a draft, and returns what of it can't be taken over.
func (s *Service) replace(ctx context.Context, ref DraftRef,
	parsed *definition.Part) (left []refusal.Problem, err error) {
	_, err = s.Change(ctx, ref, func(d domain.Draft,
		base domain.DraftOpened) (_ domain.Changes[domain.Draft], err error) {
		before := EditedFrom(d, base)
		def, unread, err := s.sealKeys(ctx, parsed, before)
		if left = unread; err != nil {
			return nil, err
		}
		return d.Import(base, definition.Identify(def, before, newID))
	})
	return left, err
}
