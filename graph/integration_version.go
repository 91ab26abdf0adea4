package graph

import (
	"context"
	"fmt"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// version finds a published version by its id.
func (r *Resolver) version(ctx context.Context, id string) (Integration, error) {
	i, err := r.integration(ctx, id)
	if err == nil && i.version == nil {
		err = refusal.ForField(refusal.Invalid, "id", "is an integration; give the id of one of its published versions")
	}
	return i, err
}

// changeVersion changes what is said of a published version.
func (r *Resolver) changeVersion(ctx context.Context, id string, decide func(domain.Integration) (domain.Changes[domain.Integration], error)) (Integration, error) {
	i, err := r.version(ctx, id)
	if err != nil {
		return i, err
	}
	changed, err := change(ctx, r, domain.Integrations, i.integration.ID, decide)
	return at(changed, id), err
}

// updateVersion changes what is said of a version, and to whom it is offered as a template.
func (r *Resolver) updateVersion(ctx context.Context, input UpdateIntegrationVersionInput) (Integration, error) {
	return r.changeVersion(ctx, input.ID, func(i domain.Integration) (domain.Changes[domain.Integration], error) {
		changes, err := i.UpdateVersion(domain.VersionUpdated{Version: input.ID, Note: input.Comment, Labels: labelsOf(input.Labels)})
		if err != nil || input.TemplateFor == nil {
			return changes, err
		}
		to := domain.Template(*input.TemplateFor)
		if *input.TemplateFor == TemplateForNobody {
			to = domain.NoTemplate
		}
		offers, err := i.SetTemplate(input.ID, to)
		return append(changes, offers...), err
	})
}

// rollBack publishes an older version's content again, as a version of its own: like any other it goes
// through a draft, one of its own, so that nobody's edits are in the way.
func (r *Resolver) rollBack(ctx context.Context, id string, p publication) (Integration, error) {
	i, err := r.version(ctx, id)
	if err != nil {
		return i, err
	}
	newest, _ := i.integration.Newest()
	if newest.Definition == i.version.Definition {
		return i, refusal.ForField(refusal.Conflict, "id", "version %d says the same; there is nothing to go back to", newest.Number)
	}
	back := fmt.Sprintf("Back to version %d", i.version.Number)
	if p.note == "" {
		p.note = back
	}
	rules := r.publishing(ctx, i.integration, p.bypass)
	if err := rules.May(domain.Draft{}); err != nil { // not to leave a draft behind that can't be published
		return i, err
	}
	ref, err := r.beginDraft(ctx, i.integration, back, i.version)
	if err != nil {
		return i, err
	}
	return r.publish(ctx, ref.id, p)
}

// deleteIntegration ends an integration with its instances, in this order: once it is gone nobody can
// add one. Its events stay.
func (r *Resolver) deleteIntegration(ctx context.Context, input DeleteIntegrationInput) (Integration, error) {
	i, err := r.editable(ctx, "id", input.ID)
	if err != nil {
		return i, err
	}
	if summary, err := r.summary(ctx, i); err != nil {
		return i, err
	} else if input.Name != nil && *input.Name != summary.Name() {
		return i, refusal.ForField(refusal.Invalid, "name", "the integration is called %q; give that name to delete it", summary.Name())
	}
	ctx = context.WithoutCancel(ctx) // what is begun is finished, though the caller leaves
	if i.integration, err = change(ctx, r, domain.Integrations, input.ID, domain.Integration.Remove); err != nil {
		return i, err
	}
	return i, r.removeInstances(ctx, i.integration)
}

// removeInstances removes the instances of an integration that is gone.
func (r *Resolver) removeInstances(ctx context.Context, i domain.Integration) error {
	for _, instance := range r.View.Instances.Each(i.Organization) {
		if instance.Integration != i.ID || !instance.RemovedAt.IsZero() {
			continue
		}
		if _, err := change(ctx, r, domain.Instances, instance.ID, domain.Instance.RemoveWithIntegration); err != nil {
			return fmt.Errorf("removing instance %s: %w", instance.ID, err)
		}
	}
	return nil
}

// finishRemoving removes what a crash left of integrations that are gone.
func (r *Resolver) finishRemoving(ctx context.Context, organization string) {
	ctx = store.As(ctx, store.Author{Organization: organization, Actor: "system"})
	for _, instance := range r.View.Instances.Each(organization) {
		i, ok := r.View.Integrations.Get(organization, instance.Integration)
		if !ok || i.RemovedAt.IsZero() || !instance.RemovedAt.IsZero() {
			continue
		}
		if err := r.removeInstances(ctx, i); err != nil {
			r.Logger.Error("the instances of an integration that was removed could not be removed", "integration", i.ID, "error", err)
		}
	}
}
