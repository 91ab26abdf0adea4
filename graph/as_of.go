package graph

import (
	"context"
	"strconv"
	"time"

	"heddle/app/access"
	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// pointInTime is a point in the past: a time, or a position in the log.
type pointInTime struct {
	at       time.Time
	position store.Position
}

// parseAsOf reads the arguments that ask for the past; nil means now.
func parseAsOf(asOf *time.Time, asOfPosition *string) (*pointInTime, error) {
	switch position := deref(asOfPosition); {
	case asOf != nil && position != "":
		return nil, refusal.ForField(refusal.Invalid, "asOf", "give either asOf or asOfPosition")
	case asOf != nil:
		return &pointInTime{at: *asOf}, nil
	case position != "":
		n, err := strconv.ParseUint(position, 10, 63)
		if err != nil {
			return nil, refusal.ForField(refusal.Invalid, "asOfPosition", "%q is no position of an event", position)
		}
		return &pointInTime{position: store.Position(n)}, nil
	}
	return nil, nil
}

// before reports whether a record had not happened yet.
func (m pointInTime) before(rec store.Recorded, meta domain.Meta) bool {
	if !m.at.IsZero() {
		return meta.Time.After(m.at)
	}
	return rec.Position > m.position
}

// loadAt folds an aggregate up to a moment. One that was not there yet has the zero state.
func loadAt[S any](ctx context.Context, r *Resolver, c *domain.Category[S], id string,
	m pointInTime) (state S, last store.Revision, err error) {
	last = store.NoStream
	for rec, err := range store.Own(r.Log.Read(ctx, c.Stream(id), 0)) {
		if err != nil {
			return state, last, err
		}
		meta, err := store.MetaOf(rec)
		if err != nil {
			return state, last, err
		}
		if m.before(rec, meta) {
			break
		}
		event, err := c.Decode(rec.Kind, rec.Data)
		if err != nil {
			return state, last, err
		}
		state, last = event.Evolve(state, meta), rec.Revision
	}
	return state, last, nil
}

// integrationAt finds an integration or a version as it was. What is deleted by now is found, too.
func (r *Resolver) integrationAt(ctx context.Context, id string, m *pointInTime) (i Integration, err error) {
	if m == nil {
		return r.integration(ctx, id)
	}
	organization := access.Of(ctx).Organization
	now, ok := r.View.Integrations.Get(organization, id)
	if !ok {
		if now, ok = r.View.IntegrationOf(organization, id); !ok {
			return i, refusal.Missing("integration")
		}
	}
	was, _, err := loadAt(ctx, r, domain.Integrations, now.ID, *m)
	if err != nil || was.ID == "" || !was.RemovedAt.IsZero() {
		return i, orNotFound(err, "integration")
	}
	if i = at(was, id); id != was.ID {
		if i.version == nil {
			return i, refusal.Missing("version")
		}
		return i, nil
	}
	draft, _, err := loadAt(ctx, r, domain.Drafts, authoring.MainDraft(was).ID, *m)
	i.past = &draft
	return i, err
}

func orNotFound(err error, what string) error {
	if err == nil {
		err = refusal.Missing(what)
	}
	return err
}

// draftAsOf finds a draft as it was.
func (r *Resolver) draftAsOf(ctx context.Context, id string, m *pointInTime) (*Draft, error) {
	if m == nil {
		return r.draftByID(ctx, id)
	}
	organization := access.Of(ctx).Organization
	if _, ok := r.View.Integrations.Get(organization, id); ok {
		i, err := r.integrationAt(ctx, id, m)
		if err != nil {
			return nil, err
		}
		id = authoring.MainDraft(i.integration).ID
	}
	now, ok, err := r.View.Draft(ctx, organization, id)
	if err != nil || !ok {
		return nil, orNotFound(err, "draft")
	}
	was, last, err := loadAt(ctx, r, domain.Drafts, id, *m)
	if err != nil || was.ID == "" || !was.RemovedAt.IsZero() {
		return nil, orNotFound(err, "draft")
	}
	i, _, err := loadAt(ctx, r, domain.Integrations, now.Integration, *m)
	return &Draft{Draft: was, r: r, integration: i, past: &pastDraft{was, last}}, err
}

// pastDraft is a draft as it was, whole, and the last revision then.
type pastDraft struct {
	domain.Draft
	last store.Revision
}

// instanceAt finds an instance as it was; what is removed by now is found, too.
func (r *Resolver) instanceAt(ctx context.Context, id string, m *pointInTime) (*Instance, error) {
	if m == nil {
		i, ok := r.instanceHere(ctx, id)
		if _, whole := r.View.Integrations.Get(i.Organization, i.Integration); !whole {
			ok = false // what an import that was cut off left
		}
		return found(i, ok, "instance")
	}
	if _, ok := r.View.Instances.Get(access.Of(ctx).Organization, id); !ok {
		return nil, refusal.Missing("instance")
	}
	was, _, err := loadAt(ctx, r, domain.Instances, id, *m)
	if err != nil {
		return nil, err
	}
	return found(was, was.ID != "" && was.RemovedAt.IsZero(), "instance")
}
