package graph

import (
	"context"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// createIntegration makes an integration: from a file, as a copy, or else with one flow that a webhook
// starts.
func (r *Resolver) createIntegration(ctx context.Context, input CreateIntegrationInput) (Integration, error) {
	details := definition.Details{Name: &input.Name, Description: input.Description, Category: input.Category, Documentation: input.Documentation, Labels: labelsOf(input.Labels)}
	def, authors, e := definition.Blank(input.Name), []string(nil), domain.IntegrationCreated{}
	template, text := given(input.Template), given(input.Definition)
	switch {
	case given(input.Customer) != "":
		return Integration{}, errNoCustomer
	case template != "" && text != "":
		return Integration{}, refusal.ForField(refusal.Invalid, "template", "give a template or a definition to begin with, not both")
	case template != "":
		parent, err := r.integration(ctx, template)
		if err != nil {
			return parent, refusal.ForField(refusal.NotFound, "template", "Record not found: integration")
		}
		if v, ok := parent.integration.Offered(); ok && parent.version == nil {
			parent.version = &v
		}
		e.Parent = parent.ID()
		e.Icon = parent.integration.Icon
		if def, authors, err = r.work(ctx, parent); err != nil {
			return parent, err
		}
	case text != "":
		var err error
		if def, _, err = definition.Parse([]byte(text), r.Limits.Definition); err != nil {
			return Integration{}, err
		}
		if _, err = definition.Check(def); err != nil {
			return Integration{}, err
		}
		if def, _, err = r.sealKeys(ctx, def, nil); err != nil {
			return Integration{}, err
		}
	}
	return r.createWith(ctx, def, authors, details, e)
}

// work gives the definition of a draft or version to copy, and of a draft whose work it is: nobody has
// reviewed that, and its authors don't review it as somebody else's.
func (r *Resolver) work(ctx context.Context, i Integration) (definition *definition.Part, authors []string, err error) {
	if definition, err = r.content(ctx, i); err != nil || i.version != nil {
		return definition, nil, err
	}
	d, err := r.draftOf(ctx, i)
	return definition, d.Authors, err
}

// errNoCustomer refuses what would build an integration for one customer alone.
var errNoCustomer = refusal.ForField(refusal.Invalid, "customer", "integrations belong to the organization; deploy an instance to the customer")

// forkIntegration makes a named copy of an integration's draft, or of a version.
func (r *Resolver) forkIntegration(ctx context.Context, input ForkIntegrationInput) (Integration, error) {
	parent, err := r.integration(ctx, input.Parent)
	if err != nil {
		return parent, refusal.ForField(refusal.NotFound, "parent", "Record not found: integration")
	}
	def, authors, err := r.work(ctx, parent)
	if err != nil {
		return parent, err
	}
	return r.createWith(ctx, def, authors, definition.Details{Name: &input.Name, Description: input.Description}, domain.IntegrationCreated{Parent: input.Parent, Icon: parent.integration.Icon})
}

// createWith makes an integration of a definition, whose parts get ids of their own.
func (r *Resolver) createWith(ctx context.Context, def *definition.Part, authors []string, details definition.Details, e domain.IntegrationCreated) (Integration, error) {
	changes, err := details.Changes()
	if err != nil {
		return Integration{}, err
	}
	def = definition.Identify(def, nil, newID)
	if changes, err = definition.Edit(def, changes, r.Limits.Definition); err != nil {
		return Integration{}, err
	}
	return r.createFrom(ctx, definition.Apply(def, changes), authors, e)
}

// updateIntegration edits what is said of an integration.
func (r *Resolver) updateIntegration(ctx context.Context, input UpdateIntegrationInput) (Integration, error) {
	i, err := r.editable(ctx, "id", input.ID)
	if err != nil {
		return i, err
	}
	switch {
	case given(input.Customer) != "":
		return i, errNoCustomer
	case len(input.TestConfigVariables) > 0:
		return i, refusal.ForField(refusal.Invalid, "testConfigVariables", "set them on the integration's systemInstance")
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
	ref, err := r.settled(ctx, mainDraft(i.integration))
	if err != nil {
		return i, err
	}
	_, err = r.changeDraft(ctx, ref, func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.Edit(base, changes, r.Limits)
	})
	if err == nil && !keep {
		_, err = change(ctx, r, domain.Integrations, input.ID, func(i domain.Integration) (domain.Changes[domain.Integration], error) {
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

// parent is what an integration was copied from, null if that is gone.
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
