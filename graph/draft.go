package graph

import (
	"context"

	"heddle/domain"
	"heddle/store"
)

// editable finds an integration by its own id. A version, which never changes, is refused.
func (r *Resolver) editable(ctx context.Context, field, id string) (Integration, error) {
	i, err := r.integration(ctx, id)
	if err != nil {
		return i, err
	}
	if i.version != nil {
		return i, domain.RefuseField(domain.Invalid, field, "is a published version, which never changes; give the integration's own id")
	}
	return i, nil
}

// base is what a main draft is opened with: the newest version, if there is one.
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

// settled finishes a publish that has closed the main draft, whoever began it.
func (r *Resolver) settled(ctx context.Context, i domain.Integration) (domain.Integration, error) {
	d, ok, err := r.draft(ctx, i)
	if err != nil || !ok || d.Closed == nil {
		return i, err
	}
	done, err := r.complete(ctx, d)
	return done.integration, err
}

// changeDraft changes the main draft. One that is closed becomes a version, and the change is the
// next one's.
func (r *Resolver) changeDraft(ctx context.Context, i domain.Integration,
	decide func(domain.Draft, domain.DraftOpened) (domain.Changes[domain.Draft], error), opts ...store.Option,
) (domain.Draft, error) {
	i, err := r.settled(ctx, i)
	if err != nil {
		return domain.Draft{}, err
	}
	base, err := r.base(ctx, i)
	if err != nil {
		return domain.Draft{}, err
	}
	return change(ctx, r, domain.Drafts, domain.MainDraftID(i.ID, len(i.Versions)), func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return decide(d, base)
	}, opts...)
}
