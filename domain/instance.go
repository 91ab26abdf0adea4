package domain

import (
	"maps"
	"strings"
	"time"

	"heddle/domain/refusal"
)

// Instance is an integration deployed, or about to be deployed, to a customer.
type Instance struct {
	ID           string
	Organization string
	Name         string
	Description  string
	Customer     string // empty for the system instance
	Integration  string
	Version      string // the version chosen; empty for the system instance, which runs the draft
	System       bool   // the hidden instance that test runs of the draft execute on
	Enabled      bool
	Labels       []string
	Config       map[string]ConfigValue // by the config variable's id
	Deployed     string                 // the version deployed last
	DeployedAt   time.Time              // zero before the first deploy
	RemovedAt    time.Time              // zero while the instance exists
	Keys         map[string][]FlowKey   // API keys of its endpoints, by flow id
	NeedsDeploy  bool                   // changed since the last deploy
	CreatedAt    time.Time
}

// ConfigValue is an instance's value of one config variable.
type ConfigValue struct {
	Variable string `json:"variable"`         // id of the config variable
	Key      string `json:"key"`              // its key when the value was set
	Value    string `json:"value,omitempty"`  // of a plain variable
	Sealed   []byte `json:"sealed,omitempty"` // of a connection: its fields, sealed for [ConfigContext]
}

// ConfigContext returns the associated data of a sealed config value.
func ConfigContext(instance, variable string) string {
	return "instance/" + instance + "/config/" + variable
}

// CustomerKeyContext returns the associated data of a customer's wrapped data key.
func CustomerKeyContext(id string) string { return "customer/" + id }

// OrganizationKeyContext returns the associated data of an organization's wrapped data key.
func OrganizationKeyContext(id string) string { return "organization/" + id }

// OrganizationAPIKeyContext returns the associated data of an organization's sealed API keys. It names no
// definition, since definitions are copied within the organization.
func OrganizationAPIKeyContext(organization string) string {
	return OrganizationKeyContext(organization) + "/api-key"
}

// SystemInstanceID is the id of an integration's system instance.
func SystemInstanceID(integration string) string { return DeriveID("system instance", integration) }

// Instances is the category of [Instance].
var Instances = NewCategory("instance",
	Kind[InstanceCreated]("InstanceCreated"),
	Kind[InstanceConfigured]("InstanceConfigured"),
	Kind[InstanceDeployed]("InstanceDeployed"),
	Kind[InstanceUpdated]("InstanceUpdated"),
	Kind[InstanceEnabled]("InstanceEnabled"),
	Kind[InstanceDisabled]("InstanceDisabled"),
	Kind[FlowKeysSet]("FlowKeysSet"),
	Kind[InstanceRemoved]("InstanceRemoved"),
).With(Traits{InView: true, Audited: true})

// InstanceCreated is the first event of an instance.
type InstanceCreated struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Customer    string   `json:"customer,omitempty"`
	Integration string   `json:"integration"`
	Version     string   `json:"version,omitempty"`
	System      bool     `json:"system,omitempty"`
	Labels      []string `json:"labels,omitempty"`
}

// Evolve implements [Event].
func (e InstanceCreated) Evolve(_ Instance, m Meta) Instance {
	return Instance{ID: m.Aggregate, Organization: m.Organization, Name: e.Name, Description: e.Description,
		Customer: e.Customer, Integration: e.Integration, Version: e.Version, System: e.System, Enabled: true,
		Labels: e.Labels, NeedsDeploy: !e.System, CreatedAt: m.Time}
}

// InstanceConfigured sets the values of some config variables. It leaves the others, or resets them to their
// defaults.
type InstanceConfigured struct {
	Values  []ConfigValue `json:"values"`
	Replace bool          `json:"replace,omitempty"` // the others are reset to their defaults
}

// Evolve implements [Event].
func (e InstanceConfigured) Evolve(i Instance, _ Meta) Instance {
	config := maps.Clone(i.Config)
	if config == nil || e.Replace {
		config = map[string]ConfigValue{}
	}
	for _, v := range e.Values {
		config[v.Variable] = v
	}
	i.Config = config
	i.NeedsDeploy = !i.System
	return i
}

// InstanceDeployed makes the instance live with a version.
type InstanceDeployed struct {
	Version string `json:"version"`
}

// Evolve implements [Event].
func (e InstanceDeployed) Evolve(i Instance, m Meta) Instance {
	i.Deployed, i.DeployedAt, i.NeedsDeploy = e.Version, m.Time, false
	return i
}

// InstanceUpdated sets the fields that are not nil.
type InstanceUpdated struct {
	Name        *string   `json:"name,omitempty"`
	Description *string   `json:"description,omitempty"`
	Version     *string   `json:"version,omitempty"` // to be deployed next
	Labels      *[]string `json:"labels,omitempty"`
}

// Evolve implements [Event].
func (e InstanceUpdated) Evolve(i Instance, _ Meta) Instance {
	set(&i.Name, e.Name)
	set(&i.Description, e.Description)
	set(&i.Labels, e.Labels)
	if e.Version != nil && *e.Version != i.Version {
		i.Version, i.NeedsDeploy = *e.Version, true
	}
	return i
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// InstanceEnabled lets triggers start runs again.
type InstanceEnabled struct{}

// Evolve implements [Event].
func (InstanceEnabled) Evolve(i Instance, _ Meta) Instance {
	i.Enabled = true
	return i
}

// InstanceDisabled stops triggers from starting runs. Accepted runs continue.
type InstanceDisabled struct{}

// Evolve implements [Event].
func (InstanceDisabled) Evolve(i Instance, _ Meta) Instance {
	i.Enabled = false
	return i
}

// FlowKey is an API key of a flow's endpoint, sealed for [FlowKeyContext].
type FlowKey struct {
	Sealed []byte `json:"sealed"`
}

// FlowKeyContext returns the associated data of a flow's sealed API keys.
func FlowKeyContext(instance, flow string) string { return "instance/" + instance + "/flow/" + flow }

// FlowKeysSet replaces the API keys of a flow's endpoint.
type FlowKeysSet struct {
	Flow string    `json:"flow"` // id
	Keys []FlowKey `json:"keys"`
}

// Evolve implements [Event].
func (e FlowKeysSet) Evolve(i Instance, _ Meta) Instance {
	keys := maps.Clone(i.Keys)
	if keys == nil {
		keys = map[string][]FlowKey{}
	}
	keys[e.Flow] = e.Keys
	i.Keys = keys
	return i
}

// InstanceRemoved ends the instance: its URLs are free, its remove flows run a last time.
type InstanceRemoved struct{}

// Evolve implements [Event].
func (InstanceRemoved) Evolve(i Instance, m Meta) Instance {
	i.RemovedAt = m.Time
	return i
}

// Create makes the instance; config holds its first values, none for defaults.
func (i Instance) Create(e InstanceCreated, config []ConfigValue) (Changes[Instance], error) {
	if i.ID != "" {
		return nil, nil
	}
	if strings.TrimSpace(e.Name) == "" {
		return nil, refusal.ForField(refusal.Invalid, "name", "must not be empty")
	}
	e.Labels = Labels(e.Labels)
	changes := Changes[Instance]{e}
	if len(config) > 0 {
		changes = append(changes, InstanceConfigured{Values: config})
	}
	return changes, nil
}

// Update changes the instance: its description, the version to deploy next, its config variables and
// the API keys of its flows, all or nothing.
func (i Instance) Update(e InstanceUpdated, enabled *bool, config *InstanceConfigured,
	keys []FlowKeysSet) (Changes[Instance], error) {
	if err := i.there(); err != nil {
		return nil, err
	}
	if e.Name != nil && strings.TrimSpace(*e.Name) == "" {
		return nil, refusal.ForField(refusal.Invalid, "name", "must not be empty")
	}
	if i.System && e.Version != nil {
		return nil, refusal.ForField(refusal.Invalid, "integration", "the system instance always runs the draft")
	}
	if e.Labels != nil {
		labels := Labels(*e.Labels)
		e.Labels = &labels
	}
	var changes Changes[Instance]
	if e != (InstanceUpdated{}) {
		changes = append(changes, e)
	}
	switch {
	case enabled == nil || *enabled == i.Enabled:
	case *enabled:
		changes = append(changes, InstanceEnabled{})
	default:
		changes = append(changes, InstanceDisabled{})
	}
	if config != nil {
		changes = append(changes, *config)
	}
	for _, k := range keys {
		changes = append(changes, k)
	}
	return changes, nil
}

// Remove ends the instance. Removing twice changes nothing.
func (i Instance) Remove() (Changes[Instance], error) {
	switch {
	case i.ID != "" && !i.RemovedAt.IsZero():
		return nil, nil
	case i.System:
		return nil, refusal.ForField(refusal.Invalid, "id", "the system instance goes with its integration only")
	}
	if err := i.there(); err != nil {
		return nil, err
	}
	return Changes[Instance]{InstanceRemoved{}}, nil
}

func (i Instance) there() error {
	if i.ID == "" || !i.RemovedAt.IsZero() {
		return refusal.ForField(refusal.NotFound, "id", "Record not found: instance")
	}
	return nil
}

// RemoveWithIntegration ends the instance, a system instance too, because its integration was removed.
func (i Instance) RemoveWithIntegration() (Changes[Instance], error) {
	i.System = false
	return i.Remove()
}

// Deploy makes the instance's chosen version live. Deploying the live version again is recorded, too: people do
// it to run deploy flows once more.
func (i Instance) Deploy() (Changes[Instance], error) {
	if err := i.there(); err != nil {
		return nil, err
	}
	if i.System {
		return nil, refusal.ForField(refusal.Invalid, "id",
			"the system instance always runs the draft and is never deployed")
	}
	return Changes[Instance]{InstanceDeployed{Version: i.Version}}, nil
}

// Runs reports whether triggers of this instance start runs, and if not, why.
func (i Instance) Runs() (why string, ok bool) {
	switch {
	case i.ID == "":
		return "there is no such instance", false
	case !i.RemovedAt.IsZero():
		return "the instance has been removed", false
	case !i.Enabled:
		return "the instance is disabled", false
	case i.System:
		return "", true
	case i.DeployedAt.IsZero():
		return "the instance has not been deployed", false
	}
	return "", true
}
