package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"heddle/domain"
)

// createInstance sets an integration's version up for a customer.
func (r *Resolver) createInstance(ctx context.Context, input CreateInstanceInput) (domain.Instance, error) {
	i, err := r.integration(ctx, input.Integration)
	if err != nil {
		return domain.Instance{}, domain.RefuseField(domain.NotFound, "integration", "Record not found: integration")
	}
	if i.version == nil {
		newest, ok := i.integration.Newest()
		if !ok {
			return domain.Instance{}, domain.RefuseField(domain.Invalid, "integration", "has no published version; publish it first")
		}
		i.version = &newest
	}
	customer, ok := r.View.Customers.Get(principalOf(ctx).Organization, input.Customer)
	if !ok {
		return domain.Instance{}, domain.RefuseField(domain.NotFound, "customer", "Record not found: customer")
	}
	content, err := r.content(ctx, i)
	if err != nil {
		return domain.Instance{}, err
	}
	id := newID()
	config, err := r.configValues(content, customer, id, input.ConfigVariables)
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
func (r *Resolver) configValues(content *domain.Node, customer domain.Customer, instance string, inputs []*InputInstanceConfigVariable) ([]domain.ConfigValue, error) {
	var config []domain.ConfigValue
	for _, input := range inputs {
		if input == nil {
			continue
		}
		at := slices.IndexFunc(content.ConfigVars(), func(v *domain.Node) bool { return v.Key() == input.Key })
		if at < 0 {
			return nil, domain.RefuseField(domain.Invalid, "configVariables", "%q is no config variable of this version; it has %s",
				input.Key, configKeys(content))
		}
		variable := content.ConfigVars()[at]
		value := domain.ConfigValue{Variable: variable.ID, Key: variable.Key(), Value: given(input.Value)}
		if isConnection(variable) {
			var err error
			if value, err = r.seal(value, customer, instance, given(input.Values)); err != nil {
				return nil, err
			}
		}
		config = append(config, value)
	}
	return config, nil
}

// seal turns a connection's fields, a JSON list of {name, type, value}, into ciphertext.
func (r *Resolver) seal(v domain.ConfigValue, customer domain.Customer, instance, list string) (domain.ConfigValue, error) {
	var inputs []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	}
	if err := json.Unmarshal([]byte(list), &inputs); err != nil {
		return v, domain.RefuseField(domain.Invalid, "configVariables", "%q is a connection: values must be a JSON list of {name, type, value}", v.Key)
	}
	fields := map[string]any{}
	for _, f := range inputs {
		fields[f.Name] = f.Value
	}
	plain, err := json.Marshal(fields)
	if err != nil {
		return v, err
	}
	v.Value = ""
	v.Sealed, err = r.Vault.Seal(customer.Key, domain.CustomerKeyPlace(customer.ID), domain.ConfigPlace(instance, v.Variable), plain)
	return v, err
}

func configKeys(content *domain.Node) string {
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
