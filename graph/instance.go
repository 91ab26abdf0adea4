package graph

import (
	"context"
	"errors"

	"heddle/app/access"
	"heddle/app/deployment"
	"heddle/app/secrets"
	"heddle/domain"
	"heddle/domain/refusal"
)

// createInstance sets an integration's version up for a customer.
func (r *Resolver) createInstance(ctx context.Context, input CreateInstanceInput) (domain.Instance, error) {
	return r.Deployment.Create(ctx, deployment.Setup{Name: input.Name, Description: deref(input.Description),
		Labels:      values(input.Labels),
		Integration: input.Integration, Customer: input.Customer, Config: configInputs(input.ConfigVariables)})
}

// updateInstance changes what is given, all or nothing.
func (r *Resolver) updateInstance(ctx context.Context, input UpdateInstanceInput) (domain.Instance, error) {
	update := deployment.Update{Name: input.Name, Description: input.Description, Labels: labelsOf(input.Labels),
		Version: input.Integration, Enabled: input.Enabled}
	if input.ConfigVariables != nil {
		config := configInputs(input.ConfigVariables)
		update.Config = &config
	}
	for _, flow := range input.FlowConfigs {
		if flow != nil {
			update.Keys = append(update.Keys, deployment.KeysInput{FlowID: flow.FlowID, Flow: partOf(flow.FlowID),
				Keys: values(flow.APIKeys)})
		}
	}
	return r.Deployment.Update(ctx, input.ID, update)
}

func configInputs(list []*InputInstanceConfigVariable) (all []deployment.ConfigInput) {
	for _, input := range list {
		if input != nil {
			all = append(all, deployment.ConfigInput{Key: input.Key, Value: deref(input.Value),
				Values: deref(input.Values)})
		}
	}
	return all
}

// instanceHere finds an instance of the caller's organization that has not been removed.
func (r *Resolver) instanceHere(ctx context.Context, id string) (domain.Instance, bool) {
	i, ok := r.View.Instances.Get(access.Of(ctx).Organization, id)
	return i, ok && i.RemovedAt.IsZero()
}

// flowKeyEnds returns the end of each API key of a flow, so that people can tell them apart.
func (r *Resolver) flowKeyEnds(instance domain.Instance, flow string) ([]string, error) {
	keys, err := r.Deployment.Secrets.FlowKeys(instance, flow)
	if errors.Is(err, secrets.ErrNoKey) {
		err = refusal.Missing("data key")
	}
	var ends []string
	for _, key := range keys {
		ends = append(ends, "…"+key[len(key)-min(4, len(key)/2):])
	}
	return ends, err
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
