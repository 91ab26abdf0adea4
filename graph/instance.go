package graph

import (
	"context"
	"slices"
	"strings"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// createInstance sets an integration's version up for a customer.
func (r *Resolver) createInstance(ctx context.Context, input CreateInstanceInput) (domain.Instance, error) {
	i, err := r.integration(ctx, input.Integration)
	if err != nil {
		return domain.Instance{}, refusal.ForField(refusal.NotFound, "integration", "Record not found: integration")
	}
	version, err := i.deployable()
	if err != nil {
		return domain.Instance{}, err
	}
	i.version = &version
	customer, ok := r.View.Customers.Get(access.Of(ctx).Organization, input.Customer)
	if !ok {
		return domain.Instance{}, refusal.ForField(refusal.NotFound, "customer", "Record not found: customer")
	}
	content, err := r.content(ctx, i)
	if err != nil {
		return domain.Instance{}, err
	}
	id := newID()
	config, err := r.configValues(content, domain.Instance{ID: id, Organization: customer.Organization, Customer: customer.ID}, input.ConfigVariables)
	if err != nil {
		return domain.Instance{}, err
	}
	created := domain.InstanceCreated{Name: input.Name, Description: given(input.Description), Customer: customer.ID,
		Integration: i.integration.ID, Version: i.version.ID, Labels: values(input.Labels)}
	return change(ctx, r, domain.Instances, id, func(s domain.Instance) (domain.Changes[domain.Instance], error) {
		return s.Create(created, config)
	})
}

// configValues reads what a client gives for config variables; a connection's fields are sealed
// before anything else sees them.
func (r *Resolver) configValues(content *definition.Part, instance domain.Instance, inputs []*InputInstanceConfigVariable) ([]domain.ConfigValue, error) {
	var config []domain.ConfigValue
	for _, input := range inputs {
		if input == nil {
			continue
		}
		at := slices.IndexFunc(content.ConfigVars(), func(v *definition.Part) bool { return v.Key() == input.Key })
		if at < 0 {
			return nil, refusal.ForField(refusal.Invalid, "configVariables", "%q is no config variable of this version; it has %s",
				input.Key, configKeys(content))
		}
		variable := content.ConfigVars()[at]
		value := domain.ConfigValue{Variable: variable.ID, Key: variable.Key()}
		if isConnection(variable) {
			plain, err := fields(value.Key, given(input.Values))
			if err != nil {
				return nil, err
			}
			if value.Sealed, err = r.sealFor(instance, domain.ConfigPlace(instance.ID, variable.ID), plain); err != nil {
				return nil, err
			}
		} else if value.Value = given(input.Value); value.Value != "" {
			if err := domain.CheckConfigValue(variable, value.Value); err != nil {
				return nil, err
			}
		}
		config = append(config, value)
	}
	return config, nil
}

func configKeys(content *definition.Part) string {
	var keys []string
	for _, v := range content.ConfigVars() {
		keys = append(keys, v.Key())
	}
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}

// values leaves out the nulls of a list that clients declare with nullable elements.
func values(list []*string) []string {
	var all []string
	for _, s := range list {
		if s != nil {
			all = append(all, *s)
		}
	}
	return all
}
