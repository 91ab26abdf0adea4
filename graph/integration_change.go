package graph

import (
	"context"

	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// createIntegration makes an integration: from a file, as a copy, or else with one flow that a webhook
// starts.
func (r *Resolver) createIntegration(ctx context.Context, input CreateIntegrationInput) (Integration, error) {
	if deref(input.Customer) != "" {
		return Integration{}, errNoCustomer
	}
	created, _, err := r.Authoring.Create(ctx, authoring.Creation{Name: input.Name, Template: deref(input.Template),
		Definition: deref(input.Definition),
		Details: definition.Details{Name: &input.Name, Description: input.Description, Category: input.Category,
			Documentation: input.Documentation, Labels: labelsOf(input.Labels)}})
	return Integration{integration: created}, err
}

// errNoCustomer refuses what would build an integration for one customer alone.
var errNoCustomer = refusal.ForField(refusal.Invalid, "customer",
	"integrations belong to the organization; deploy an instance to the customer")

// forkIntegration makes a named copy of an integration's draft, or of a version.
func (r *Resolver) forkIntegration(ctx context.Context, input ForkIntegrationInput) (Integration, error) {
	forked, err := r.Authoring.Fork(ctx, input.Parent,
		definition.Details{Name: &input.Name, Description: input.Description})
	return Integration{integration: forked}, err
}

// updateIntegration edits what is said of an integration.
func (r *Resolver) updateIntegration(ctx context.Context, input UpdateIntegrationInput) (Integration, error) {
	i, err := r.editable(ctx, "id", input.ID)
	if err != nil {
		return i, err
	}
	switch {
	case deref(input.Customer) != "":
		return i, errNoCustomer
	case len(input.TestConfigVariables) > 0:
		return i, refusal.ForField(refusal.Invalid, "testConfigVariables",
			"set them on the integration's systemInstance")
	}
	icon, keep, err := r.iconFor(ctx, i.integration, input.AvatarURL)
	if err != nil {
		return i, err
	}
	changes, err := definition.Details{Name: input.Name, Description: input.Description, Category: input.Category,
		Documentation: input.Documentation, Labels: labelsOf(input.Labels)}.Changes()
	if err != nil {
		return i, err
	}
	ref, err := r.Authoring.Draft(ctx, "id", input.ID)
	if err != nil {
		return i, err
	}
	_, err = r.Authoring.Change(ctx, ref, func(d domain.Draft,
		base domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.Edit(base, changes, r.Limits)
	})
	if err == nil && !keep {
		_, err = change(ctx, r, domain.Integrations, input.ID,
			func(i domain.Integration) (domain.Changes[domain.Integration], error) {
				return i.SetIcon(icon)
			})
	}
	if err != nil {
		return i, err
	}
	return r.integration(ctx, input.ID)
}

// labelsOf reads a list of labels; a null one stays as it is, an empty one is none.
func labelsOf(list []*string) *[]string {
	if list == nil {
		return nil
	}
	labels := values(list)
	return &labels
}

// parent returns the integration that another was copied from, nil if that is gone.
func (r *Resolver) parent(ctx context.Context, i Integration) (*Integration, error) {
	if i.integration.Parent == "" {
		return nil, nil
	}
	parent, err := r.integration(ctx, i.integration.Parent)
	if refusal.CodeOf(err) == refusal.NotFound {
		return nil, nil
	}
	return &parent, err
}

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

// published returns the answer to a publish.
func published(i domain.Integration, version string, err error) (Integration, error) {
	return at(i, version), err
}

// scheduled returns the answer to scheduling a publish.
func (r *Resolver) scheduled(ref authoring.DraftRef, d domain.Draft, err error) (Draft, error) {
	return Draft{Draft: d, r: r, integration: ref.Integration}, err
}

// editable is [authoring.Service.Editable].
func (r *Resolver) editable(ctx context.Context, field, id string) (Integration, error) {
	i, err := r.Authoring.Editable(ctx, field, id)
	return Integration{integration: i}, err
}
