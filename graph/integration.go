package graph

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// integration finds a draft by the integration's id, or a published version by its own.
func (r *Resolver) integration(ctx context.Context, id string) (Integration, error) {
	organization := access.Of(ctx).Organization
	if i, ok := r.View.Integrations.Get(organization, id); ok && i.RemovedAt.IsZero() {
		return Integration{integration: i}, nil
	}
	if i, ok := r.View.IntegrationOf(organization, id); ok && i.RemovedAt.IsZero() {
		return at(i, id), nil
	}
	return Integration{}, refusal.Missing("integration")
}

// at is an integration at one of its versions.
func at(i domain.Integration, version string) Integration {
	v, ok := i.Version(version)
	if !ok {
		return Integration{integration: i}
	}
	return Integration{integration: i, version: &v}
}

// content is the definition of a draft or version.
func (r *Resolver) content(ctx context.Context, i Integration) (*definition.Part, error) {
	return charge(ctx, func() (*definition.Part, int, error) {
		definition, err := r.read(ctx, i)
		return definition, readFields + partFields*parts(definition), err
	})
}

func parts(definition *definition.Part) (n int) {
	if definition != nil {
		for range definition.All() {
			n++
		}
	}
	return n
}

func (r *Resolver) read(ctx context.Context, i Integration) (*definition.Part, error) {
	version := i.version
	if version == nil && i.past != nil {
		newest, ok := i.integration.Newest()
		switch {
		case i.past.ID != "":
			return i.past.Definition, nil
		case !ok:
			return nil, refusal.Missing("draft")
		}
		version = &newest
	}
	def, _, err := r.Definitions.Content(ctx, r.Log, i.integration, version)
	return def, err
}

// summary is enough of a definition for lists: of a draft it is in memory.
func (r *Resolver) summary(ctx context.Context, i Integration) (*definition.Part, error) {
	if i.version == nil && i.past == nil {
		if l, ok := r.View.Listed(i.integration.ID); ok && l.Summary != nil {
			return l.Summary, nil
		}
	}
	return r.content(ctx, i)
}

func (r *Resolver) flows(ctx context.Context, i Integration) ([]IntegrationFlow, error) {
	content, err := r.content(ctx, i)
	if err != nil {
		return nil, err
	}
	var flows []IntegrationFlow
	for _, flow := range content.Flows() {
		flows = append(flows, IntegrationFlow{of: i, flow: flow, r: r})
	}
	return flows, nil
}

// integrationOf is the integration that an instance is set to, at a version of it.
func (r *Resolver) integrationOf(instance domain.Instance, version string) (Integration, error) {
	i, ok := r.View.Integrations.Get(instance.Organization, instance.Integration)
	if !ok {
		return Integration{}, refusal.Missing("integration")
	}
	return at(i, version), nil
}

func (r *Resolver) flowConfigs(ctx context.Context, instance domain.Instance) ([]InstanceFlowConfig, error) {
	i, err := r.integrationOf(instance, instance.Version)
	if err != nil {
		return nil, err
	}
	flows, err := r.flows(ctx, i)
	if err != nil {
		return nil, err
	}
	list := make([]InstanceFlowConfig, len(flows))
	for n, flow := range flows {
		list[n] = InstanceFlowConfig{instance: instance, Flow: flow}
	}
	return list, nil
}

func (r *Resolver) configVariables(ctx context.Context, instance domain.Instance) ([]InstanceConfigVariable, error) {
	i, err := r.integrationOf(instance, instance.Version)
	if err != nil {
		return nil, err
	}
	content, err := r.content(ctx, i)
	if err != nil {
		return nil, err
	}
	var list []InstanceConfigVariable
	for _, v := range content.ConfigVars() {
		set, isSet := instance.Config[v.ID]
		list = append(list, InstanceConfigVariable{instance: instance, variable: v, set: set, isSet: isSet})
	}
	return list, nil
}

// text is a field of the definition as it is told in lists.
func (r *Resolver) text(ctx context.Context, i Integration, key string) (*string, error) {
	summary, err := r.summary(ctx, i)
	if err != nil {
		return nil, err
	}
	return optional(summary.Text(key)), nil
}

func (r *Resolver) labels(ctx context.Context, i Integration) ([]string, error) {
	summary, err := r.summary(ctx, i)
	if err != nil {
		return nil, err
	}
	return labelsIn(summary), nil
}

func labelsIn(summary *definition.Part) []string {
	list, _ := summary.Fields["labels"].([]any)
	labels := []string{}
	for _, l := range list {
		if s, ok := l.(string); ok {
			labels = append(labels, s)
		}
	}
	return labels
}

// export writes the definition as YAML.
func (r *Resolver) export(ctx context.Context, i Integration, version *int, latest *bool) (*string, error) {
	content, err := r.content(ctx, i)
	if err != nil {
		return nil, err
	}
	return exportAs(ctx, content, version, latest)
}

func exportAs(ctx context.Context, content *definition.Part, version *int, latest *bool) (*string, error) {
	options := definition.ExportOptions{LatestComponents: latest != nil && *latest}
	if version != nil {
		options.Version = *version
	}
	yaml, err := written(ctx, content, options)
	return &yaml, err
}

// written is a definition as text.
func written(ctx context.Context, def *definition.Part, o definition.ExportOptions) (string, error) {
	return charge(ctx, func() (string, int, error) {
		text, err := definition.Export(def, o)
		return string(text), len(text) / textBytes, err
	})
}

// problems shows findings with their places.
func problems(list []refusal.Problem) []DefinitionProblem {
	shown := []DefinitionProblem{}
	for _, p := range list {
		d := DefinitionProblem{ID: domain.DeriveID("problem", strconv.Itoa(p.Line), p.Flow, p.Step, p.Message),
			Flow: optional(p.Flow), Step: optional(p.Step), Message: p.Message}
		if p.Line > 0 {
			d.Line = &p.Line
		}
		shown = append(shown, d)
	}
	return shown
}

// statuses is the filter of config variables by lower-case status names; none fits everything.
func statuses(names []string) func(InstanceConfigVariable) bool {
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	return func(v InstanceConfigVariable) bool {
		return len(names) == 0 || slices.Contains(names, strings.ToLower(string(*v.Status())))
	}
}
