package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"heddle/app/access"
	"heddle/app/secrets"
	"heddle/domain"
	"heddle/domain/refusal"
)

// updateInstance changes what is given, all or nothing.
func (r *Resolver) updateInstance(ctx context.Context, input UpdateInstanceInput) (domain.Instance, error) {
	instance, ok := r.instanceHere(ctx, input.ID)
	if !ok {
		return instance, missing("instance")
	}
	e := domain.InstanceUpdated{Name: input.Name, Description: input.Description}
	if input.Labels != nil {
		labels := values(input.Labels)
		e.Labels = &labels
	}
	set := instance // as it will be: config variables are the new version's
	if input.Integration != nil {
		version, err := r.versionFor(ctx, instance, *input.Integration)
		if err != nil {
			return instance, err
		}
		e.Version, set.Version = &version, version
	}
	var config *domain.InstanceConfigured
	if input.ConfigVariables != nil {
		list, err := r.configured(ctx, set, input.ConfigVariables)
		if err != nil {
			return instance, err
		}
		config = &domain.InstanceConfigured{Values: list, Replace: true}
	}
	keys, err := r.flowKeys(ctx, set, input.FlowConfigs)
	if err != nil {
		return instance, err
	}
	return change(ctx, r, domain.Instances, instance.ID, func(s domain.Instance) (domain.Changes[domain.Instance], error) {
		return s.Update(e, input.Enabled, config, keys)
	})
}

// instanceHere finds an instance of the caller's organization that has not been removed.
func (r *Resolver) instanceHere(ctx context.Context, id string) (domain.Instance, bool) {
	i, ok := r.View.Instances.Get(access.Of(ctx).Organization, id)
	return i, ok && i.RemovedAt.IsZero()
}

// versionFor finds a published version of the instance's own integration.
func (r *Resolver) versionFor(ctx context.Context, instance domain.Instance, id string) (string, error) {
	i, err := r.integration(ctx, id)
	if err != nil || i.integration.ID != instance.Integration {
		return "", refusal.ForField(refusal.Invalid, "integration", "is no version of the instance's integration")
	}
	version, err := i.deployable()
	return version.ID, err
}

// updateInstanceConfigVariables sets some config variables and leaves the others.
func (r *Resolver) updateInstanceConfigVariables(ctx context.Context, input UpdateInstanceConfigVariablesInput) (domain.Instance, error) {
	instance, ok := r.instanceHere(ctx, input.ID)
	if !ok {
		return instance, missing("instance")
	}
	list, err := r.configured(ctx, instance, input.ConfigVariables)
	if err != nil {
		return instance, err
	}
	return change(ctx, r, domain.Instances, instance.ID, func(s domain.Instance) (domain.Changes[domain.Instance], error) {
		return s.Update(domain.InstanceUpdated{}, nil, &domain.InstanceConfigured{Values: list}, nil)
	})
}

// configured reads values for an instance's config variables.
func (r *Resolver) configured(ctx context.Context, instance domain.Instance, inputs []*InputInstanceConfigVariable) ([]domain.ConfigValue, error) {
	i, err := r.integrationOf(instance, instance.Version)
	if err != nil {
		return nil, err
	}
	content, err := r.content(ctx, i)
	if err != nil {
		return nil, err
	}
	return r.configValues(content, instance, inputs)
}

// The limits of a flow's API keys.
const (
	maxFlowKeys  = 20
	minKeyLength = 8
	maxKeyLength = 1024
)

// flowKeys seals API keys of flows' endpoints.
func (r *Resolver) flowKeys(ctx context.Context, instance domain.Instance, inputs []*InputInstanceFlowConfig) ([]domain.FlowKeysSet, error) {
	var all []domain.FlowKeysSet
	for _, input := range inputs {
		if input == nil {
			continue
		}
		configs, err := r.flowConfigs(ctx, instance)
		if err != nil {
			return nil, err
		}
		flow := partOf(input.FlowID)
		if !slices.ContainsFunc(configs, func(c InstanceFlowConfig) bool { return c.Flow.flow.ID == flow }) {
			return nil, refusal.ForField(refusal.NotFound, "flowConfigs", "Record not found: flow %s", input.FlowID)
		}
		set := domain.FlowKeysSet{Flow: flow, Keys: []domain.FlowKey{}}
		for _, key := range values(input.APIKeys) {
			if len(key) < minKeyLength || len(key) > maxKeyLength || len(set.Keys) == maxFlowKeys {
				return nil, refusal.ForField(refusal.Invalid, "flowConfigs", "a flow may have %d API keys of %d to %d characters", maxFlowKeys, minKeyLength, maxKeyLength)
			}
			sealed, err := r.sealFor(instance, domain.FlowKeyPlace(instance.ID, flow), []byte(key))
			if err != nil {
				return nil, err
			}
			set.Keys = append(set.Keys, domain.FlowKey{Sealed: sealed})
		}
		all = append(all, set)
	}
	return all, nil
}

// flowKeyEnds returns the end of each API key of a flow, so that people can tell them apart.
func (r *Resolver) flowKeyEnds(instance domain.Instance, flow string) ([]string, error) {
	keys, err := r.keeper().FlowKeys(instance, flow)
	if errors.Is(err, secrets.ErrNoKey) {
		err = missing("data key")
	}
	var ends []string
	for _, key := range keys {
		ends = append(ends, "…"+key[len(key)-min(4, len(key)/2):])
	}
	return ends, err
}

// sealFor seals a secret of an instance for its place.
func (r *Resolver) sealFor(instance domain.Instance, place string, plain []byte) ([]byte, error) {
	sealed, err := r.keeper().Seal(instance, place, plain)
	if errors.Is(err, secrets.ErrNoKey) {
		err = missing("data key")
	}
	return sealed, err
}

// unconfigured says of each config variable that has no value what it needs.
type unconfigured []string

func (u unconfigured) Error() string { return strings.Join(u, "; ") }

// deployInstance makes the chosen version live, if its config variables have values or it is forced.
func (r *Resolver) deployInstance(ctx context.Context, input DeployInstanceInput) (domain.Instance, error) {
	instance, ok := r.instanceHere(ctx, input.ID)
	if !ok {
		return instance, missing("instance")
	}
	if !instance.System {
		if i, err := r.integrationOf(instance, instance.Version); err != nil {
			return instance, err
		} else if _, err = i.deployable(); err != nil {
			return instance, err
		}
	}
	if !instance.System && (input.Force == nil || !*input.Force) {
		list, err := r.configVariables(ctx, instance)
		if err != nil {
			return instance, err
		}
		var lacks unconfigured
		for _, v := range list {
			if why := v.lacks(); why != "" {
				lacks = append(lacks, fmt.Sprintf("%q %s", v.variable.Key(), why))
			}
		}
		if len(lacks) > 0 {
			return instance, lacks
		}
	}
	return change(ctx, r, domain.Instances, input.ID, domain.Instance.Deploy)
}

// lacks says what a config variable needs before its instance can be deployed, or nothing.
func (v InstanceConfigVariable) lacks() string {
	switch {
	case v.variable.Text("useScopedConfigVar") != "":
		return "is a connection that integrations share, which this server has not; force the deploy to leave it out"
	case v.connection():
		missing := v.emptyFields()
		switch {
		case v.isSet:
		case len(v.variable.Inputs()) == 0:
			return "is a connection without values; set them, or force the deploy"
		case len(missing) > 0:
			return "is a connection without a value for " + strings.Join(missing, ", ") + "; set it, or force the deploy"
		}
	case v.isSet && v.set.Value != "", v.variable.Default() != "":
	case v.variable.Fields["defaultValue"] == nil:
		return "has neither a value nor a default; set it, or force the deploy"
	}
	return ""
}

// emptyFields lists the fields of a connection for which the definition has no value either.
func (v InstanceConfigVariable) emptyFields() []string {
	var names []string
	for name, input := range v.variable.Inputs() {
		m, _ := input.(map[string]any)
		if m["value"] == nil || m["value"] == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// deleteInstance ends an instance.
func (r *Resolver) deleteInstance(ctx context.Context, input DeleteInstanceInput) (domain.Instance, error) {
	instance, ok := r.instanceHere(ctx, input.ID)
	if !ok {
		return instance, missing("instance")
	}
	return change(ctx, r, domain.Instances, input.ID, domain.Instance.Remove)
}

// fields reads a connection's fields, a JSON list of {name, type, value}.
func fields(key, list string) ([]byte, error) {
	var inputs []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	}
	if err := json.Unmarshal([]byte(list), &inputs); err != nil {
		return nil, refusal.ForField(refusal.Invalid, "configVariables", "%q is a connection: values must be a JSON list of {name, type, value}", key)
	}
	all := map[string]any{}
	for _, f := range inputs {
		all[f.Name] = f.Value
	}
	return json.Marshal(all)
}
