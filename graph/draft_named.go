package graph

import (
	"context"
	"iter"
	"reflect"
	"slices"

	"heddle/app/access"
	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// draftByID finds a draft to show; of an integration the main one, as long as it is there.
func (r *Resolver) draftByID(ctx context.Context, id string) (*Draft, error) {
	organization := access.Of(ctx).Organization
	if i, ok := r.View.Integrations.Get(organization, id); ok {
		id, _ = i.MainDraft()
	}
	d, err := r.findDraft(ctx, organization, id)
	if err != nil || d == nil {
		return nil, orNotFound(err, "draft")
	}
	return d, nil
}

// draftFilter selects drafts; a nil field fits all.
type draftFilter struct {
	integration      *string
	isMain           *bool
	state            *ReviewState
	toReview, isMine *bool
}

// openDrafts yields the drafts that a filter fits and a user asks for.
func (r *Resolver) openDrafts(caller access.Principal, f draftFilter) iter.Seq2[store.Position, Draft] {
	return func(yield func(store.Position, Draft) bool) {
		for at, d := range r.View.OpenDrafts(caller.Organization) {
			model, ok := r.draftModel(d)
			if ok && f.fits(model, caller.User) && !yield(at, model) {
				return
			}
		}
	}
}

// draftsState sends a page of the drafts that a filter fits.
func (r *Resolver) draftsState(ctx context.Context, f draftFilter, w window) (<-chan *Page[Draft], error) {
	get := func() (Page[Draft], error) { return paginate(r.openDrafts(access.Of(ctx), f), w) }
	if _, err := get(); err != nil {
		return nil, err
	}
	return state(ctx, r, "draft", func() (Page[Draft], bool) {
		page, err := get()
		return page, err == nil
	}, func(a, b Page[Draft]) bool {
		return reflect.DeepEqual(a.PageInfo, b.PageInfo) && slices.EqualFunc(a.Nodes, b.Nodes, func(a, b Draft) bool {
			return reflect.DeepEqual(a.Draft, b.Draft) && reflect.DeepEqual(a.integration, b.integration)
		})
	})
}

func (f draftFilter) fits(d Draft, user string) bool {
	return (deref(f.integration) == "" || *f.integration == d.integration.ID) && (f.isMain == nil ||
		*f.isMain == d.Main) &&
		(f.state == nil || *f.state == d.ReviewState()) && (f.toReview == nil ||
		*f.toReview == d.Awaits(user, d.policy())) &&
		(f.isMine == nil || *f.isMine == d.Authored(user))
}

func (r *Resolver) createDraft(ctx context.Context, input CreateDraftInput) (*DraftPayload, error) {
	i, err := r.editable(ctx, "id", input.ID)
	if err != nil {
		return nil, err
	}
	var from *domain.Version
	if id := deref(input.From); id != "" {
		v, ok := i.integration.Version(id)
		if !ok {
			return nil, refusal.ForField(refusal.NotFound, "from", "Record not found: version")
		}
		from = &v
	}
	ref, err := r.Authoring.Begin(ctx, i.integration, input.Name, from)
	if err != nil {
		return nil, err
	}
	return r.shown(ctx, ref)
}

func (r *Resolver) updateDraft(ctx context.Context, input UpdateDraftInput) (*DraftPayload, error) {
	ref, err := r.Authoring.Draft(ctx, "id", input.ID)
	if err != nil {
		return nil, err
	}
	if _, err := change(ctx, r, domain.Drafts, ref.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Rename(input.Name)
	}); err != nil {
		return nil, err
	}
	return r.shown(ctx, ref)
}

// shown returns the answer to an action on a draft that can't meet another's edit.
func (r *Resolver) shown(ctx context.Context, ref authoring.DraftRef) (*DraftPayload, error) {
	revision, err := r.revisionOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	draft, err := r.findDraft(ctx, ref.Integration.Organization, ref.ID)
	return &DraftPayload{Integration: &Integration{integration: ref.Integration}, Draft: draft, Revision: revision,
		Missed: []DraftEdit{}, Conflicts: []MergeConflict{}}, err
}

// rebaseDraft has a draft stand on the newest version.
func (r *Resolver) rebaseDraft(ctx context.Context, input RebaseDraftInput) (*DraftPayload, error) {
	take := map[string]definition.Side{}
	for _, c := range input.Take {
		take[c.Key] = definition.Side(c.Side)
	}
	var contradictions []MergeConflict
	payload, err := r.changeSeen(ctx, input.ID, input.ExpectedRevision,
		func(authoring.DraftRef, draftPlace) (draftChange, error) {
			return func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error) {
				changes, conflicts, err := d.Rebase(base, take)
				var telling error
				if contradictions, telling = mergeConflicts(d, conflicts); telling != nil {
					return nil, telling
				}
				return changes, err
			}, nil
		})
	if payload == nil && len(contradictions) > 0 {
		payload = &DraftPayload{Missed: []DraftEdit{}, Conflicts: contradictions}
	}
	return payload, err
}

func mergeConflicts(d domain.Draft, conflicts []definition.MergeConflict) ([]MergeConflict, error) {
	var list []MergeConflict
	for _, c := range conflicts {
		mine, err := changesText(c.Mine)
		if err != nil {
			return nil, err
		}
		theirs, err := changesText(c.Theirs)
		if err != nil {
			return nil, err
		}
		shown := MergeConflict{ID: domain.DeriveID("conflict", d.ID, c.Key), Key: c.Key,
			Place: definition.Place(d.Definition, c.Key), Mine: *mine, Theirs: *theirs}
		if d.Definition.Find(c.Part) == nil { // the draft has removed it
			shown.Place = definition.Place(d.Origin, c.Key)
		}
		if len(c.Path) > 0 {
			was, there := d.Origin.Find(c.Part).Field(c.Path)
			if shown.Base, err = valueText(was, there); err != nil {
				return nil, err
			}
		}
		list = append(list, shown)
	}
	return list, nil
}

// changeReview changes a draft in another way than by an edit.
func (r *Resolver) changeReview(ctx context.Context, ref authoring.DraftRef,
	decide func(domain.Draft) (domain.Changes[domain.Draft], error)) (Draft, error) {
	d, err := change(ctx, r, domain.Drafts, ref.ID, decide)
	return Draft{Draft: d, r: r, integration: ref.Integration}, err
}
