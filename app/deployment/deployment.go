// Package deployment is an instance's life: an integration's version is set up for a customer, with a configuration and
// secrets of its own, and deployed.
package deployment

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/app/secrets"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// Service does it.
type Service struct {
	Log         store.Log
	View        *projections.View
	Definitions *projections.Definitions
	Secrets     secrets.Keeper
}

func (s *Service) change(ctx context.Context, id string,
	decide func(domain.Instance) (domain.Changes[domain.Instance], error)) (domain.Instance, error) {
	return projections.Change(ctx, s.Log, s.View, domain.Instances, id, decide)
}

// Setup holds the fields of a new instance.
type Setup struct {
	Name, Description string
	Labels            []string
	Integration       string // id of a version, or of an integration for its newest available one
	Customer          string
	Config            []ConfigInput
}

// Create sets an integration's version up for a customer.
func (s *Service) Create(ctx context.Context, in Setup) (domain.Instance, error) {
	organization := access.Of(ctx).Organization
	i, version, err := s.version(organization, in.Integration)
	if refusal.CodeOf(err) == refusal.NotFound {
		return domain.Instance{}, refusal.ForField(refusal.NotFound, "integration", "Record not found: integration")
	}
	if err != nil {
		return domain.Instance{}, err
	}
	customer, ok := s.View.Customers.Get(organization, in.Customer)
	if !ok {
		return domain.Instance{}, refusal.ForField(refusal.NotFound, "customer", "Record not found: customer")
	}
	content, err := s.Definitions.Get(ctx, organization, version.Definition)
	if err != nil {
		return domain.Instance{}, err
	}
	id := uuid.Must(uuid.NewV7()).String()
	config, err := s.configValues(content, domain.Instance{ID: id, Organization: organization, Customer: customer.ID},
		in.Config)
	if err != nil {
		return domain.Instance{}, err
	}
	created := domain.InstanceCreated{Name: in.Name, Description: in.Description, Customer: customer.ID,
		Integration: i.ID, Version: version.ID, Labels: in.Labels}
	return s.change(ctx, id, func(i domain.Instance) (domain.Changes[domain.Instance], error) {
		return i.Create(created, config)
	})
}

// version finds the version to deploy by its id or its integration's.
func (s *Service) version(organization, id string) (domain.Integration, domain.Version, error) {
	if i, ok := s.View.Integrations.Get(organization, id); ok && i.RemovedAt.IsZero() {
		v, err := i.VersionToDeploy("")
		return i, v, err
	}
	if i, ok := s.View.IntegrationOf(organization, id); ok && i.RemovedAt.IsZero() {
		v, err := i.VersionToDeploy(id)
		return i, v, err
	}
	return domain.Integration{}, domain.Version{}, refusal.New(refusal.NotFound, "Record not found: integration")
}

// Update holds the changes of an instance; a nil field stays.
type Update struct {
	Name, Description *string
	Labels            *[]string
	Version           *string // id of a version of its integration, or of that for its newest available one
	Enabled           *bool
	Config            *[]ConfigInput // in the place of all values
	Keys              []KeysInput
}

// Update changes what is given, all or nothing.
func (s *Service) Update(ctx context.Context, id string, in Update) (domain.Instance, error) {
	instance, err := s.find(ctx, id)
	if err != nil {
		return instance, err
	}
	e := domain.InstanceUpdated{Name: in.Name, Description: in.Description, Labels: in.Labels}
	set := instance // as it will be: config variables are the new version's
	if in.Version != nil {
		i, version, err := s.version(instance.Organization, *in.Version)
		if i.ID != instance.Integration {
			return instance, refusal.ForField(refusal.Invalid, "integration",
				"is no version of the instance's integration")
		}
		if err != nil {
			return instance, err
		}
		e.Version, set.Version = &version.ID, version.ID
	}
	var config *domain.InstanceConfigured
	if in.Config != nil {
		list, err := s.configured(ctx, set, *in.Config)
		if err != nil {
			return instance, err
		}
		config = &domain.InstanceConfigured{Values: list, Replace: true}
	}
	keys, err := s.flowKeys(ctx, set, in.Keys)
	if err != nil {
		return instance, err
	}
	return s.change(ctx, instance.ID, func(i domain.Instance) (domain.Changes[domain.Instance], error) {
		return i.Update(e, in.Enabled, config, keys)
	})
}

// Configure sets some config variables and leaves the others.
func (s *Service) Configure(ctx context.Context, id string, inputs []ConfigInput) (domain.Instance, error) {
	instance, err := s.find(ctx, id)
	if err != nil {
		return instance, err
	}
	list, err := s.configured(ctx, instance, inputs)
	if err != nil {
		return instance, err
	}
	return s.change(ctx, instance.ID, func(i domain.Instance) (domain.Changes[domain.Instance], error) {
		return i.Update(domain.InstanceUpdated{}, nil, &domain.InstanceConfigured{Values: list}, nil)
	})
}

// Unconfigured lists what config variables without a value need.
type Unconfigured []string

func (u Unconfigured) Error() string { return strings.Join(u, "; ") }

// Deploy makes the chosen version live, if its config variables have values or it is forced.
func (s *Service) Deploy(ctx context.Context, id string, force bool) (domain.Instance, error) {
	instance, err := s.find(ctx, id)
	if err != nil {
		return instance, err
	}
	if !instance.System {
		i, ok := s.View.Integrations.Get(instance.Organization, instance.Integration)
		if !ok {
			return instance, refusal.Missing("integration")
		}
		version := ""
		if _, there := i.Version(instance.Version); there {
			version = instance.Version
		}
		if _, err := i.VersionToDeploy(version); err != nil {
			return instance, err
		}
	}
	if !instance.System && !force {
		content, err := s.content(ctx, instance)
		if err != nil {
			return instance, err
		}
		var lacks Unconfigured
		for _, v := range content.ConfigVars() {
			if why := lacking(v, instance); why != "" {
				lacks = append(lacks, fmt.Sprintf("%q %s", v.Key(), why))
			}
		}
		if len(lacks) > 0 {
			return instance, lacks
		}
	}
	return s.change(ctx, id, domain.Instance.Deploy)
}

// Remove ends an instance.
func (s *Service) Remove(ctx context.Context, id string) (domain.Instance, error) {
	if instance, err := s.find(ctx, id); err != nil {
		return instance, err
	}
	return s.change(ctx, id, domain.Instance.Remove)
}

// find finds an instance of the caller's organization that has not been removed.
func (s *Service) find(ctx context.Context, id string) (domain.Instance, error) {
	i, ok := s.View.Instances.Get(access.Of(ctx).Organization, id)
	if !ok || !i.RemovedAt.IsZero() {
		return i, refusal.Missing("instance")
	}
	return i, nil
}

// content returns the definition that an instance is set to.
func (s *Service) content(ctx context.Context, instance domain.Instance) (*definition.Part, error) {
	i, ok := s.View.Integrations.Get(instance.Organization, instance.Integration)
	if !ok {
		return nil, refusal.Missing("integration")
	}
	var of *domain.Version
	if v, there := i.Version(instance.Version); there {
		of = &v
	}
	def, _, err := s.Definitions.Content(ctx, s.Log, i, of)
	return def, err
}
