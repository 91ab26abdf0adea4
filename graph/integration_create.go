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
