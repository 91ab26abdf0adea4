package graph

import (
	"context"

	"heddle/domain"
	"heddle/domain/refusal"
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
func (r *Resolver) changeVersion(ctx context.Context, id string,
	decide func(domain.Integration) (domain.Changes[domain.Integration], error)) (Integration, error) {
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
		changes, err := i.UpdateVersion(domain.VersionUpdated{Version: input.ID, Note: input.Comment,
			Labels: labelsOf(input.Labels)})
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

// deleteIntegration ends an integration with its instances, if it has the name that the caller says.
func (r *Resolver) deleteIntegration(ctx context.Context, input DeleteIntegrationInput) (Integration, error) {
	removed, err := r.Authoring.Delete(ctx, input.ID, func(i domain.Integration) error {
		summary, err := r.summary(ctx, Integration{integration: i})
		if err == nil && input.Name != nil && *input.Name != summary.Name() {
			err = refusal.ForField(refusal.Invalid, "name", "the integration is called %q; give that name to delete it",
				summary.Name())
		}
		return err
	})
	return Integration{integration: removed}, err
}
