package graph

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// importDefinition makes a YAML definition the whole draft of an integration, a new one or a given. What
// no step can do here is imported all the same, with a warning.
func (r *Resolver) importDefinition(ctx context.Context, text, onto string) (i Integration, warnings []refusal.Problem, err error) {
	parsed, warnings, err := r.parse(text)
	if err != nil {
		return i, nil, err
	}
	if onto == "" {
		parsed, left, err := r.sealKeys(ctx, parsed, nil)
		if err != nil {
			return i, nil, err
		}
		warnings = append(warnings, left...)
		i, err = r.createFrom(ctx, definition.Identify(parsed, nil, newID), nil, domain.IntegrationCreated{})
		return i, warnings, err
	}
	ref, err := r.draftAt(ctx, "integrationId", onto)
	if err != nil {
		return i, nil, err
	}
	left, err := r.replaceDraft(ctx, ref, parsed)
	return Integration{integration: ref.integration}, append(warnings, left...), err
}

// parse reads a YAML definition and finds all that is to be said of it before it is written anywhere.
func (r *Resolver) parse(text string) (parsed *definition.Part, warnings []refusal.Problem, err error) {
	parsed, _, err = definition.Parse([]byte(text), r.Limits.Definition)
	if err != nil {
		return nil, nil, err
	}
	if warnings, err = definition.Check(parsed); err != nil { // it repeats what parsing warned of
		return nil, nil, err
	}
	return parsed, append(warnings, definition.Unsupported(parsed, r.Components.Inputs)...), nil
}

// createFrom makes a new integration of what others may have written, too. Its draft and its system instance come first: a crash in
// between leaves nothing that anybody can see.
func (r *Resolver) createFrom(ctx context.Context, definition *definition.Part, authors []string, e domain.IntegrationCreated) (Integration, error) {
	id := newID()
	if _, _, err := store.Change(ctx, r.Log, domain.Drafts, domain.MainDraftID(id, 0), func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Open(domain.DraftOpened{Integration: id, Main: true, Definition: definition, Authors: authors})
	}); err != nil {
		return Integration{}, err
	}
	if _, _, err := store.Change(ctx, r.Log, domain.Instances, domain.SystemInstanceID(id), func(i domain.Instance) (domain.Changes[domain.Instance], error) {
		return i.Create(domain.InstanceCreated{Name: "Test", Integration: id, System: true}, nil)
	}); err != nil {
		return Integration{}, err
	}
	created, err := change(ctx, r, domain.Integrations, id, func(i domain.Integration) (domain.Changes[domain.Integration], error) {
		return i.Create(e)
	})
	return Integration{integration: created}, err
}

// replaceDraft makes a parsed definition a draft, and tells what of it can't be taken over.
func (r *Resolver) replaceDraft(ctx context.Context, ref draftRef, parsed *definition.Part) (left []refusal.Problem, err error) {
	_, err = r.changeDraft(ctx, ref, func(d domain.Draft, base domain.DraftOpened) (_ domain.Changes[domain.Draft], err error) {
		before := editedFrom(d, base)
		def, unread, err := r.sealKeys(ctx, parsed, before)
		if left = unread; err != nil {
			return nil, err
		}
		return d.Import(base, definition.Identify(def, before, newID))
	})
	return left, err
}

// publication is what somebody wants published, and how.
type publication struct {
	note, attributes string
	bypass           string // the reason to go past the review policy, if any
}

func (p publication) check() error {
	var object map[string]json.RawMessage
	if p.attributes != "" && (json.Unmarshal([]byte(p.attributes), &object) != nil || object == nil) {
		return refusal.ForField(refusal.Invalid, "attributes", "must be a JSON object as a string")
	}
	return nil
}

// publish makes a draft the integration's next version: the draft is closed for it first, so that later
// edits are refused, then the integration gets it.
func (r *Resolver) publish(ctx context.Context, id string, p publication) (Integration, error) {
	if err := p.check(); err != nil {
		return Integration{}, err
	}
	ref, err := r.draftAt(ctx, "id", id)
	if err != nil {
		return Integration{}, err
	}
	draft, hash, err := r.publishable(ctx, ref)
	if err != nil {
		return Integration{}, err
	}
	closed := domain.DraftClosed{Version: newID(), Definition: hash, Note: p.note, Attributes: p.attributes}
	return r.closeFor(ctx, draft, closed, r.publishing(ctx, ref.integration, p.bypass))
}

// publishable gives a draft that can become a version, and the hash of its content, which is durable.
func (r *Resolver) publishable(ctx context.Context, ref draftRef) (draft domain.Draft, hash string, err error) {
	newest, published := ref.integration.Newest()
	draft, _, err = store.Load(ctx, r.Log, domain.Drafts, ref.id)
	switch {
	case err != nil:
		return draft, "", err
	case draft.Closed != nil: // meanwhile, or it is a named one that was published once
		done, err := r.complete(ctx, draft)
		if err != nil {
			return draft, "", err
		}
		return draft, "", refusal.ForField(refusal.Conflict, "id", "version %d was published meanwhile and nothing has changed since", done.VersionNumber())
	case draft.ID == "" && ref.finished:
		return draft, "", refusal.ForField(refusal.Conflict, "id", "version %d was published meanwhile and nothing has changed since", newest.Number)
	case draft.ID == "":
		return draft, "", refusal.ForField(refusal.Conflict, "id", "nothing has changed since version %d; edit or import first", newest.Number)
	}
	if _, err := definition.Check(draft.Definition); err != nil {
		return draft, "", err
	}
	if hash, err = r.Definitions.Save(ctx, ref.integration.Organization, draft.Definition); err != nil {
		return draft, "", err
	}
	if published && newest.Definition == hash {
		return draft, "", refusal.ForField(refusal.Conflict, "id", "nothing has changed since version %d; edit or import first", newest.Number)
	}
	return draft, hash, ref.integration.UpToDate(draft.Base)
}

// publishing is under which rules the caller publishes.
func (r *Resolver) publishing(ctx context.Context, i domain.Integration, bypass string) domain.Publishing {
	caller := access.Of(ctx)
	return domain.Publishing{Policy: r.policy(i), Role: caller.Role, Bypass: bypass}
}

// policy is what drafts of an integration need.
func (r *Resolver) policy(i domain.Integration) domain.ReviewPolicy {
	o, _ := r.View.Organizations.Get(i.Organization, i.Organization)
	return domain.PolicyOf(o, i)
}

// closeFor closes a draft for a version, and gives that to the integration.
func (r *Resolver) closeFor(ctx context.Context, draft domain.Draft, closed domain.DraftClosed, rules domain.Publishing) (Integration, error) {
	if _, _, err := store.Change(ctx, r.Log, domain.Drafts, draft.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Close(closed, rules)
	}); err != nil {
		return Integration{}, err
	}
	return r.finishPublish(ctx, draft, closed)
}

// finishPublish gives the integration the version that a draft was closed for, or, if that is
// refused, opens the draft again.
func (r *Resolver) finishPublish(ctx context.Context, draft domain.Draft, closed domain.DraftClosed) (Integration, error) {
	ctx = context.WithoutCancel(ctx) // the pair is begun: a caller who leaves does not end it
	published, err := change(ctx, r, domain.Integrations, draft.Integration, func(i domain.Integration) (domain.Changes[domain.Integration], error) {
		return i.Publish(draft.ID, draft.Base, closed)
	})
	if err == nil {
		return at(published, closed.Version), nil
	}
	if code := refusal.CodeOf(err); code != "" && code != refusal.Unavailable {
		if _, _, reopening := store.Change(ctx, r.Log, domain.Drafts, draft.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
			return d.Reopen(closed.Version, err.Error())
		}); reopening != nil {
			r.Logger.Error("a draft stays closed for a version that was refused", "draft", draft.ID, "error", reopening)
		}
	}
	return Integration{}, err
}

// complete finishes the publish that a draft was closed for, in the name of who closed it.
func (r *Resolver) complete(ctx context.Context, d domain.Draft) (Integration, error) {
	ctx = store.As(ctx, store.Author{Organization: d.Organization, Actor: d.UpdatedBy})
	return r.finishPublish(ctx, d, *d.Closed)
}

// Finish completes what a crash left between a draft's closing and its version, and between an
// integration's removal and that of its instances. It is called once the view has caught up, before
// anybody can ask.
func (r *Resolver) Finish(ctx context.Context) error {
	for o := range r.View.Organizations.All() {
		r.finishRemoving(ctx, o.ID)
		for _, d := range r.View.Drafts.Each(o.ID) {
			if d.Closed == nil {
				continue
			}
			if i, ok := r.View.Integrations.Get(o.ID, d.Integration); !ok || !i.RemovedAt.IsZero() {
				continue
			} else if _, there := i.Version(d.Closed.Version); there {
				continue
			}
			if _, err := r.complete(ctx, d); err != nil {
				r.Logger.Error("a publish that was cut off could not be finished; publish again", "integration", d.Integration, "error", err)
				continue
			}
			r.Logger.Info("finished a publish that was cut off", "integration", d.Integration, "version", d.Closed.Version)
		}
	}
	return nil
}
