package graph

import (
	"context"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// editable finds an integration by its own id. A version, which never changes, is refused.
func (r *Resolver) editable(ctx context.Context, field, id string) (Integration, error) {
	i, err := r.integration(ctx, id)
	if err != nil {
		return i, err
	}
	if i.version != nil {
		return i, refusal.ForField(refusal.Invalid, field, "is a published version, which never changes; give the integration's own id")
	}
	return i, nil
}

// draftRef is a draft of an integration: a named one, or the main one, which may not be there yet.
type draftRef struct {
	integration domain.Integration
	id          string
	named       bool
	before      int  // how many versions were made from main drafts before this one
	finished    bool // a publish of it was just completed
}

func mainDraft(i domain.Integration) draftRef {
	id, before := i.MainDraft()
	return draftRef{integration: i, id: id, before: before}
}

// draftAt finds a draft by its id, or an integration's main one by the integration's. A publish that has
// closed it is finished first, whoever began it.
func (r *Resolver) draftAt(ctx context.Context, field, id string) (draftRef, error) {
	organization := access.Of(ctx).Organization
	if d, ok, err := r.View.Draft(ctx, organization, id); err != nil {
		return draftRef{}, err
	} else if ok && d.RemovedAt.IsZero() {
		i, err := r.integration(ctx, d.Integration)
		if err != nil {
			return draftRef{}, err
		}
		ref := draftRef{integration: i.integration, id: id, named: true}
		if main := mainDraft(i.integration); main.id == id {
			ref = main
		}
		return r.settled(ctx, ref)
	}
	i, err := r.editable(ctx, field, id)
	if err != nil {
		return draftRef{}, err
	}
	return r.settled(ctx, mainDraft(i.integration))
}

// settled finishes a publish that has closed a draft. What follows the main one is the next main one.
func (r *Resolver) settled(ctx context.Context, ref draftRef) (draftRef, error) {
	d, _, err := store.Load(ctx, r.Log, domain.Drafts, ref.id)
	if err != nil || d.Closed == nil {
		return ref, err
	}
	if _, there := ref.integration.Version(d.Closed.Version); !there {
		done, err := r.complete(ctx, d)
		if err != nil {
			return ref, err
		}
		ref.integration, ref.finished = done.integration, true
	}
	if !ref.named {
		finished := ref.finished
		ref = mainDraft(ref.integration)
		ref.finished = finished
	}
	return ref, nil
}

// base is what a draft is opened with, and rebased onto: the newest version, if there is one.
func (r *Resolver) base(ctx context.Context, i domain.Integration) (domain.DraftOpened, error) {
	base := domain.DraftOpened{Integration: i.ID, Main: true}
	newest, ok := i.Newest()
	if !ok {
		return base, nil
	}
	base.Base = newest.ID
	var err error
	base.Definition, err = r.Definitions.Get(ctx, i.Organization, newest.Definition)
	return base, err
}

// changeDraft changes a draft, whatever its state is.
func (r *Resolver) changeDraft(ctx context.Context, ref draftRef, decide draftChange, opts ...store.Option) (domain.Draft, error) {
	base, err := r.base(ctx, ref.integration)
	if err != nil {
		return domain.Draft{}, err
	}
	return change(ctx, r, domain.Drafts, ref.id, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return decide(d, base)
	}, opts...)
}
