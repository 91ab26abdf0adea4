package graph

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// importDefinition makes a YAML definition the whole draft of an integration, a new one or a given.
func (r *Resolver) importDefinition(ctx context.Context, text, onto string) (i Integration, warnings []domain.Problem, err error) {
	parsed, _, err := domain.Parse([]byte(text), r.Limits)
	if err != nil {
		return i, nil, err
	}
	if warnings, err = domain.Check(parsed); err != nil { // it repeats what parsing warned of
		return i, nil, err
	}
	warnings = append(warnings, domain.UnknownActions(parsed, r.known)...)
	if onto == "" {
		i, err = r.createFrom(ctx, domain.Identify(parsed, nil, newID), domain.IntegrationCreated{})
		return i, warnings, err
	}
	if i, err = r.editable(ctx, "integrationId", onto); err != nil {
		return i, nil, err
	}
	return i, warnings, r.replaceDraft(ctx, i, parsed)
}

// known refuses what no step can do here. Such a step is imported all the same, and fails when it is
// reached.
func (r *Resolver) known(ref domain.ActionRef, trigger bool) (err error) {
	if trigger {
		_, err = r.Components.LookupTrigger(ref.Component, ref.Key)
	} else {
		_, err = r.Components.Lookup(ref.Component, ref.Key)
	}
	return err
}

// createFrom makes a new integration. Its draft and its system instance come first: a crash in
// between leaves nothing that anybody can see.
func (r *Resolver) createFrom(ctx context.Context, definition *domain.Node, e domain.IntegrationCreated) (Integration, error) {
	id := newID()
	if _, _, err := store.Change(ctx, r.Log, domain.Drafts, domain.MainDraftID(id, 0), func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Open(domain.DraftOpened{Integration: id, Main: true, Definition: definition})
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

// replaceDraft makes a parsed definition the main draft.
func (r *Resolver) replaceDraft(ctx context.Context, i Integration, parsed *domain.Node) error {
	_, err := r.changeDraft(ctx, i.integration, func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		before := d.Definition
		if before == nil {
			before = base.Definition
		}
		return d.Import(base, domain.Identify(parsed, before, newID))
	})
	return err
}

// publish makes the main draft the integration's next version: the draft is closed for it first, so
// that later edits are refused, then the integration gets it.
func (r *Resolver) publish(ctx context.Context, id, note, attributes string) (Integration, error) {
	return r.publishJust(ctx, id, note, attributes, "")
}

// publishJust publishes the main draft only if it has the given hash; any will do if that is empty.
func (r *Resolver) publishJust(ctx context.Context, id, note, attributes, only string) (Integration, error) {
	i, err := r.editable(ctx, "id", id)
	if err != nil {
		return i, err
	}
	var object map[string]json.RawMessage
	if attributes != "" && (json.Unmarshal([]byte(attributes), &object) != nil || object == nil) {
		return i, domain.RefuseField(domain.Invalid, "attributes", "must be a JSON object as a string")
	}
	draft, ok, err := r.draft(ctx, i.integration)
	if err != nil {
		return i, err
	}
	if ok && draft.Closed != nil { // another publish is under way, or was cut off: it is completed, whoever began it
		done, err := r.complete(ctx, draft)
		if err != nil {
			return i, err
		}
		return i, domain.RefuseField(domain.Conflict, "id", "version %d was published meanwhile and nothing has changed since", done.VersionNumber())
	}
	if !ok {
		return i, domain.RefuseField(domain.Conflict, "id", "nothing has changed since version %d; edit or import first", len(i.integration.Versions))
	}
	if _, err := domain.Check(draft.Definition); err != nil {
		return i, err
	}
	hash, err := r.Definitions.Save(ctx, i.integration.Organization, draft.Definition)
	if err != nil {
		return i, err
	}
	if newest, ok := i.integration.Newest(); ok && newest.Definition == hash {
		return i, domain.RefuseField(domain.Conflict, "id", "nothing has changed since version %d; edit or import first", newest.Number)
	}
	if only != "" && hash != only {
		return i, domain.Refuse(domain.Conflict, "the draft was edited meanwhile; look at it again before publishing")
	}
	closed := domain.DraftClosed{Version: newID(), Definition: hash, Note: note, Attributes: attributes}
	if _, _, err := store.Change(ctx, r.Log, domain.Drafts, draft.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Close(closed)
	}); err != nil {
		return i, err
	}
	return r.finishPublish(ctx, i.integration.ID, draft.ID, closed)
}

// finishPublish gives the integration the version that a draft was closed for, or, if that is
// refused, opens the draft again.
func (r *Resolver) finishPublish(ctx context.Context, integration, draft string, closed domain.DraftClosed) (Integration, error) {
	ctx = context.WithoutCancel(ctx) // the pair is begun: a caller who leaves does not end it
	published, err := change(ctx, r, domain.Integrations, integration, func(i domain.Integration) (domain.Changes[domain.Integration], error) {
		return i.Publish(draft, closed)
	})
	if err == nil {
		return at(published, closed.Version), nil
	}
	if code := domain.CodeOf(err); code != "" && code != domain.Unavailable {
		if _, _, reopening := store.Change(ctx, r.Log, domain.Drafts, draft, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
			return d.Reopen(closed.Version, err.Error())
		}); reopening != nil {
			r.Logger.Error("a draft stays closed for a version that was refused", "draft", draft, "error", reopening)
		}
	}
	return Integration{}, err
}

// complete finishes the publish that a draft was closed for, in the name of who closed it.
func (r *Resolver) complete(ctx context.Context, d domain.Draft) (Integration, error) {
	ctx = store.As(ctx, store.Author{Organization: d.Organization, Actor: d.UpdatedBy})
	return r.finishPublish(ctx, d.Integration, d.ID, *d.Closed)
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
