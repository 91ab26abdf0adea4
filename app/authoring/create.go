package authoring

import (
	"context"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// Creation holds the source of a new integration: a file, a copy, or else one flow that a webhook starts.
type Creation struct {
	Details    definition.Details
	Name       string
	Template   string // id of an integration or a version to copy, or nothing
	Definition string // YAML, or nothing
}

// Create makes an integration. What no step can do here is made all the same, with a warning.
func (s *Service) Create(ctx context.Context, c Creation) (domain.Integration, []refusal.Problem, error) {
	switch {
	case c.Template != "" && c.Definition != "":
		return domain.Integration{}, nil, refusal.ForField(refusal.Invalid, "template",
			"give a template or a definition to begin with, not both")
	case c.Template != "":
		i, err := s.createFromTemplate(ctx, c)
		return i, nil, err
	case c.Definition == "":
		i, err := s.createWith(ctx, definition.Blank(c.Name), nil, c.Details, domain.IntegrationCreated{})
		return i, nil, err
	}
	def, warnings, err := s.Parse(c.Definition)
	if err != nil {
		return domain.Integration{}, nil, err
	}
	def, left, err := s.sealKeys(ctx, def, nil)
	if err != nil {
		return domain.Integration{}, nil, err
	}
	i, err := s.createWith(ctx, def, nil, c.Details, domain.IntegrationCreated{})
	return i, append(warnings, left...), err
}

// createFromTemplate makes an integration of a version that is offered as a template, or of what is said to be copied.
func (s *Service) createFromTemplate(ctx context.Context, c Creation) (domain.Integration, error) {
	parent, err := s.find(ctx, c.Template)
	if err != nil {
		return domain.Integration{}, refusal.ForField(refusal.NotFound, "template", "Record not found: integration")
	}
	if v, ok := parent.Integration.Offered(); ok && parent.Version == nil {
		parent.Version = &v
	}
	return s.copy(ctx, parent, c.Details)
}

// Fork makes a named copy of an integration's draft, or of a version.
func (s *Service) Fork(ctx context.Context, id string, details definition.Details) (domain.Integration, error) {
	parent, err := s.find(ctx, id)
	if err != nil {
		return domain.Integration{}, refusal.ForField(refusal.NotFound, "parent", "Record not found: integration")
	}
	return s.copy(ctx, parent, details)
}

func (s *Service) copy(ctx context.Context, parent Source, details definition.Details) (domain.Integration, error) {
	def, authors, err := s.work(ctx, parent)
	if err != nil {
		return domain.Integration{}, err
	}
	e := domain.IntegrationCreated{Parent: parent.Integration.ID, Icon: parent.Integration.Icon}
	if parent.Version != nil {
		e.Parent = parent.Version.ID
	}
	return s.createWith(ctx, def, authors, details, e)
}

// work returns the definition of a draft or version to copy, and of a draft whose work it is: nobody has reviewed that,
// and its authors don't review it as somebody else's.
func (s *Service) work(ctx context.Context, of Source) (def *definition.Part, authors []string, err error) {
	def, draft, err := s.Definitions.Content(ctx, s.Log, of.Integration, of.Version)
	return def, draft.Authors, err
}

// createWith makes an integration of a definition, whose parts get ids of their own.
func (s *Service) createWith(ctx context.Context, def *definition.Part, authors []string, details definition.Details,
	e domain.IntegrationCreated) (domain.Integration, error) {
	changes, err := details.Changes()
	if err != nil {
		return domain.Integration{}, err
	}
	def = definition.Identify(def, nil, newID)
	if changes, err = definition.Edit(def, changes, s.Limits.Definition); err != nil {
		return domain.Integration{}, err
	}
	return s.createFrom(ctx, definition.Apply(def, changes), authors, e)
}

// createFrom makes a new integration of what others may have written, too. Its draft and its system instance come
// first: a crash in between leaves nothing that anybody can see.
func (s *Service) createFrom(ctx context.Context, def *definition.Part, authors []string,
	e domain.IntegrationCreated) (domain.Integration, error) {
	id := newID()
	if _, _, err := store.Change(ctx, s.Log, domain.Drafts, domain.MainDraftID(id, 0),
		func(d domain.Draft) (domain.Changes[domain.Draft], error) {
			return d.Open(domain.DraftOpened{Integration: id, Main: true, Definition: def, Authors: authors})
		}); err != nil {
		return domain.Integration{}, err
	}
	if _, _, err := store.Change(ctx, s.Log, domain.Instances, domain.SystemInstanceID(id),
		func(i domain.Instance) (domain.Changes[domain.Instance], error) {
			return i.Create(domain.InstanceCreated{Name: "Test", Integration: id, System: true}, nil)
		}); err != nil {
		return domain.Integration{}, err
	}
	return change(ctx, s, domain.Integrations, id,
		func(i domain.Integration) (domain.Changes[domain.Integration], error) {
			return i.Create(e)
		})
}
