package authoring

import (
	"context"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// DraftRef is a draft of an integration: a named one, or the main one, which may not be there yet.
type DraftRef struct {
	Integration domain.Integration
	ID          string
	Named       bool
	Before      int // how many versions were made from main drafts before this one

	finished bool // a publish of it was just completed
}

// MainDraft returns the main draft of an integration.
func MainDraft(i domain.Integration) DraftRef {
	id, before := i.MainDraft()
	return DraftRef{Integration: i, ID: id, Before: before}
}

// Draft finds a draft by its id, or an integration's main one by the integration's. A publish that has closed it is
// finished first, whoever began it.
func (s *Service) Draft(ctx context.Context, field, id string) (DraftRef, error) {
	ref, _, err := s.open(ctx, field, id)
	return ref, err
}

// open finds a draft and reads it.
func (s *Service) open(ctx context.Context, field, id string) (DraftRef, *store.Handle[domain.Draft], error) {
	d, named, err := s.View.Draft(ctx, access.Of(ctx).Organization, id)
	if err != nil {
		return DraftRef{}, nil, err
	}
	if named = named && d.RemovedAt.IsZero(); named {
		field, id = "id", d.Integration
	}
	i, err := s.Editable(ctx, field, id)
	if err != nil {
		return DraftRef{}, nil, err
	}
	ref := MainDraft(i)
	if named && ref.ID != d.ID {
		ref = DraftRef{Integration: i, ID: d.ID, Named: true}
	}
	return s.settled(ctx, ref)
}

// settled reads a draft, and finishes a publish that has closed it. What follows the main one is the next main one.
func (s *Service) settled(ctx context.Context, ref DraftRef) (DraftRef, *store.Handle[domain.Draft], error) {
	h, err := store.OpenShared(ctx, s.Log, domain.Drafts, ref.ID)
	if err != nil || h.State().Closed == nil {
		return ref, h, err
	}
	if _, there := ref.Integration.Version(h.State().Closed.Version); !there {
		if ref.Integration, _, err = s.complete(ctx, h.State()); err != nil {
			return ref, h, err
		}
		ref.finished = true
	}
	if ref.Named {
		return ref, h, nil
	}
	next := MainDraft(ref.Integration)
	next.finished = ref.finished
	h, err = store.OpenShared(ctx, s.Log, domain.Drafts, next.ID)
	return next, h, err
}

// Base returns what a draft is opened with, and rebased onto: the newest version, if there is one.
func (s *Service) Base(ctx context.Context, i domain.Integration) (domain.DraftOpened, error) {
	base := domain.DraftOpened{Integration: i.ID, Main: true}
	newest, ok := i.Newest()
	if !ok {
		return base, nil
	}
	base.Base = newest.ID
	var err error
	base.Definition, err = s.Definitions.Get(ctx, i.Organization, newest.Definition)
	return base, err
}

// EditedFrom returns the definition that an edit of a draft, or its first, begins with.
func EditedFrom(d domain.Draft, base domain.DraftOpened) *definition.Part {
	if d.Definition == nil {
		return base.Definition
	}
	return d.Definition
}

// Change changes a draft, whatever its state is.
func (s *Service) Change(ctx context.Context, ref DraftRef,
	decide func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error),
	opts ...store.Option) (domain.Draft, error) {
	base, err := s.Base(ctx, ref.Integration)
	if err != nil {
		return domain.Draft{}, err
	}
	return change(ctx, s, domain.Drafts, ref.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return decide(d, base)
	}, opts...)
}

// Begin opens a named draft on the newest version, with an older one's content if one is given.
func (s *Service) Begin(ctx context.Context, i domain.Integration, name string,
	from *domain.Version) (DraftRef, error) {
	base, err := s.Base(ctx, i)
	if err != nil {
		return DraftRef{}, err
	}
	if base.Base == "" {
		return DraftRef{}, refusal.ForField(refusal.Conflict, "id",
			"nothing is published yet; edit the main draft and publish it first")
	}
	base.Main, base.Name = false, name
	var content *definition.Part
	if from != nil {
		if content, err = s.Definitions.Get(ctx, i.Organization, from.Definition); err != nil {
			return DraftRef{}, err
		}
	}
	ref := DraftRef{Integration: i, ID: newID(), Named: true}
	_, err = change(ctx, s, domain.Drafts, ref.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Begin(base, content)
	})
	return ref, err
}
