package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// draftPlace is where an editor stood: at a revision of a draft, and which main draft that was, counted
// from 0. Before the main draft is there, its editor stands on the newest version; then it is the number of
// versions.
type draftPlace struct {
	count    int
	revision store.Revision
}

func (p draftPlace) String() string { return fmt.Sprintf("%d.%d", p.count, p.revision) }

func parseDraftPlace(s string) (p draftPlace, err error) {
	if _, err = fmt.Sscanf(s, "%d.%d", &p.count, &p.revision); err != nil || p.String() != s ||
		p.revision < store.NoStream {
		return p, refusal.ForField(refusal.Invalid, "expectedRevision", "%q is no draftRevision that this server gave",
			s)
	}
	return p, nil
}

// placeOf is where an editor of the draft stands at a revision.
func placeOf(ref authoring.DraftRef, revision store.Revision) draftPlace {
	if revision == store.NoStream {
		return draftPlace{len(ref.Integration.Versions), revision}
	}
	return draftPlace{ref.Before, revision}
}

// current refuses an editor who stands on what was a draft or the newest version once.
func (r *Resolver) current(ref authoring.DraftRef, seen draftPlace, d domain.Draft) error {
	newest, published := ref.Integration.Newest()
	stood := seen.count == ref.Before
	if seen.revision == store.NoStream {
		base, _ := ref.Integration.Version(d.Base)
		stood = d.ID == "" && seen.count == len(ref.Integration.Versions) || d.ID != "" && seen.count == base.Number
	}
	if stood || !published {
		return nil
	}
	return refusal.ForField(refusal.Conflict, "expectedRevision",
		"version %d was published meanwhile by %s at %s; edits go to the next draft, read it first",
		newest.Number, userName(r.View, ref.Integration.Organization, newest.PublishedBy),
		newest.PublishedAt.Format(time.RFC3339))
}

// draftRevision returns the revision that an editor of the current draft names with its edits.
func (r *Resolver) draftRevision(ctx context.Context, i Integration) (*string, error) {
	if i.version != nil || i.past != nil {
		return nil, nil
	}
	return r.revisionOf(ctx, authoring.MainDraft(i.integration))
}

func (r *Resolver) revisionOf(ctx context.Context, ref authoring.DraftRef) (*string, error) {
	_, revision, err := store.Load(ctx, r.Log, domain.Drafts, ref.ID)
	s := placeOf(ref, revision).String()
	return &s, err
}

// draftChange is a change of a draft that was thought out on an older state of it.
type draftChange func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error)

// changeSeen changes a draft as long as nobody has changed the same since the revision that the caller has
// seen, and tells what else has changed.
func (r *Resolver) changeSeen(ctx context.Context, id, expected string,
	decide func(authoring.DraftRef, draftPlace) (draftChange, error)) (*DraftPayload, error) {
	seen, err := parseDraftPlace(expected)
	if err != nil {
		return nil, err
	}
	ref, err := r.Authoring.Draft(ctx, "id", id)
	if err != nil {
		return nil, err
	}
	h, err := store.Open(ctx, r.Log, domain.Drafts, ref.ID)
	if err != nil {
		return nil, err
	}
	if err := r.current(ref, seen, h.State()); err != nil {
		return nil, err
	}
	base, err := r.Authoring.Base(ctx, ref.Integration)
	if err != nil {
		return nil, err
	}
	change, err := decide(ref, seen)
	if err != nil {
		return nil, err
	}
	before := h.Revision()
	_, position, err := h.Change(ctx, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		before = h.Revision()
		return change(d, base)
	}, store.IfRevision(seen.revision))
	if err != nil {
		return nil, r.conflictError(ref.Integration.Organization, h.State().Definition, err)
	}
	r.View.Settle(ctx, position)
	missed, err := r.missed(ctx, ref, seen.revision, before)
	if err != nil {
		return nil, err
	}
	draft, err := r.findDraft(ctx, ref.Integration.Organization, ref.ID)
	return &DraftPayload{Integration: &Integration{integration: ref.Integration}, Draft: draft,
		Revision: optional(placeOf(ref, h.Revision()).String()), Missed: missed}, err
}

// conflictError says of an edit that met another who made that one, and where.
func (r *Resolver) conflictError(organization string, def *definition.Part, err error) error {
	changed, is := errors.AsType[*store.ChangedError](err)
	if !is {
		return err
	}
	what := "the whole draft"
	if len(changed.Touched) > 0 && def != nil {
		var places []string
		for _, key := range changed.Touched {
			if place := definition.Place(def, key); len(places) < 5 && !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
		what = strings.Join(places, ", ")
	}
	return refusal.ForField(refusal.Conflict, "expectedRevision",
		"%s changed %s meanwhile, at %s; read the draft again",
		userName(r.View, organization, changed.Actor), what, changed.At.Format(time.RFC3339))
}

func userName(view *projections.View, organization, actor string) string {
	if u, ok := view.Users.Get(organization, actor); ok {
		return u.Name
	}
	return actor
}

// missed lists the edits after a revision up to another one.
func (r *Resolver) missed(ctx context.Context, ref authoring.DraftRef, after,
	upTo store.Revision) ([]DraftEdit, error) {
	list := []DraftEdit{}
	if after >= upTo {
		return list, nil
	}
	for rec, err := range store.Own(r.Log.Read(ctx, domain.Drafts.Stream(ref.ID), after+1)) {
		if err != nil {
			return nil, err
		}
		if rec.Revision > upTo {
			break
		}
		if !draftEvents[rec.Kind].edits {
			continue
		}
		meta, err := store.MetaOf(rec)
		if err != nil {
			return nil, err
		}
		edit := DraftEdit{ID: eventID("edit", rec), Revision: placeOf(ref, rec.Revision).String(), At: meta.Time,
			Changes: string(rec.Data)}
		if u, ok := r.View.Users.Get(ref.Integration.Organization, meta.Actor); ok {
			edit.By = &u
		}
		list = append(list, edit)
	}
	return list, nil
}

// editDraft makes changes that an editor put together.
func (r *Resolver) editDraft(ctx context.Context, input EditDraftInput) (*DraftPayload, error) {
	changes, err := changesOf("changes", input.Changes)
	if err != nil {
		return nil, err
	}
	return r.changeSeen(ctx, input.ID, input.ExpectedRevision,
		func(authoring.DraftRef, draftPlace) (draftChange, error) {
			return func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error) {
				sealed, err := r.Authoring.SealKeysIn(ctx, "changes", changes, authoring.EditedFrom(d, base))
				if err != nil {
					return nil, err
				}
				return d.Edit(base, sealed, r.Limits)
			}, nil
		})
}

func changesOf(field string, inputs []DraftChangeInput) (changes []definition.Change, err error) {
	for n, c := range inputs {
		change, err := changeOf(c)
		if refused, is := errors.AsType[*refusal.Error](err); is {
			return nil, refusal.ForField(refused.Code, field, "change %d: %s", n+1, refused.Error())
		} else if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// changeOf reads a change as clients put it.
func changeOf(c DraftChangeInput) (definition.Change, error) {
	change := definition.Change{Op: definition.Op(strings.ToLower(string(c.Op))), Node: partOf(deref(c.Node)),
		Path:   c.Path,
		Parent: partOf(deref(c.Parent)), List: deref(c.List), After: partOf(deref(c.After))}
	switch {
	case change.Op == definition.SetOp && len(c.Path) > 0:
		return change, readJSON("value", deref(c.Value), &change.Value)
	case change.Op == definition.AddOp:
		var said map[string]any
		if err := readJSON("part", deref(c.Part), &said); err != nil {
			return change, err
		}
		first := change.Node
		change.Node = ""
		part, err := definition.NewPart(change.List, said, func() string {
			id := first
			if first = ""; id == "" {
				id = newID()
			}
			return id
		})
		change.Part = part
		return change, err
	}
	return change, nil
}

func readJSON(field, text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil || d.More() {
		return refusal.ForField(refusal.Invalid, field, "must be one JSON document as a string")
	}
	if v, is := into.(*any); is {
		*v = definition.FieldValue(*v)
	}
	return nil
}

// undoDraft takes the last edits back.
func (r *Resolver) undoDraft(ctx context.Context, input UndoDraftInput) (*DraftPayload, error) {
	edits := 1
	if input.Edits != nil {
		edits = *input.Edits
	}
	return r.changeSeen(ctx, input.ID, input.ExpectedRevision,
		func(ref authoring.DraftRef, seen draftPlace) (draftChange, error) {
			changes, err := r.undoing(ctx, ref, seen.revision, edits)
			return func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
				return d.Undo(edits, changes, r.Limits)
			}, err
		})
}

// undoing returns the changes that lead from a revision of the draft to before its last edits, those
// that were taken back already, or were made before a rebase, not counted.
func (r *Resolver) undoing(ctx context.Context, ref authoring.DraftRef, upTo store.Revision,
	edits int) ([]definition.Change, error) {
	var d domain.Draft
	var before []*definition.Part
	for rec, err := range store.Own(r.Log.Read(ctx, domain.Drafts.Stream(ref.ID), 0)) {
		if err != nil {
			return nil, err
		}
		if rec.Revision > upTo {
			break
		}
		event, err := domain.Drafts.Decode(rec.Kind, rec.Data)
		if err != nil {
			return nil, err
		}
		meta, err := store.MetaOf(rec)
		if err != nil {
			return nil, err
		}
		switch e := event.(type) {
		case domain.DraftEdited:
			if before = append(before, d.Definition); e.Undoes > 0 {
				before = before[:max(0, len(before)-1-e.Undoes)]
			}
		case domain.DraftDiscarded:
			before = append(before, d.Definition)
		case domain.DraftRebased: // the edits before it were made on another base
			before = nil
		}
		d = event.Evolve(d, meta)
	}
	if edits < 1 || edits > len(before) {
		return nil, refusal.ForField(refusal.Invalid, "edits", "%s can be undone", refusal.Count(len(before), "edit"))
	}
	return definition.Diff(d.Definition, before[len(before)-edits]), nil
}

// discardDraft makes the main draft its base again, and ends a named one.
func (r *Resolver) discardDraft(ctx context.Context, input DiscardDraftInput) (*DraftPayload, error) {
	return r.changeSeen(ctx, input.ID, input.ExpectedRevision,
		func(ref authoring.DraftRef, _ draftPlace) (draftChange, error) {
			if !ref.Named {
				return domain.Draft.Discard, nil
			}
			return func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) { return d.Remove() },
				nil
		})
}

// draftPayload puts together what an edit answers.
func draftPayload(p *DraftPayload, err error) (*DraftPayload, error) {
	errs, err := refusals(err)
	if p == nil {
		p = &DraftPayload{Missed: []DraftEdit{}}
	}
	if p.Conflicts == nil {
		p.Conflicts = []MergeConflict{}
	}
	p.Errors = errs
	return p, err
}
