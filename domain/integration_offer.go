package domain

import (
	"slices"

	"heddle/domain/refusal"
)

// Template says whose own integrations may begin with a version.
type Template string

// The audiences of a template; NoTemplate is for nobody.
const (
	NoTemplate           Template = ""
	OrganizationTemplate Template = "ORGANIZATION"
	CustomerTemplate     Template = "CUSTOMERS" // and for the organization
)

// TemplateSet sets the audience of a version as a template. In older logs no version is named: then it is the
// newest, for the organization.
type TemplateSet struct {
	Version  string   `json:"version,omitempty"` // id
	Template bool     `json:"template"`
	For      Template `json:"for,omitempty"`
}

// Evolve implements [Event].
func (e TemplateSet) Evolve(i Integration, _ Meta) Integration {
	newest, _ := i.Newest()
	if e.Version == "" {
		e.Version = newest.ID
	}
	if e.Template && e.For == NoTemplate {
		e.For = OrganizationTemplate
	}
	return i.withVersion(e.Version, func(v *Version) { v.Template = e.For })
}

// Marketplace is how a version is offered to customers who choose for themselves.
type Marketplace struct {
	Configuration string `json:"configuration"`
	Overview      string `json:"overview,omitempty"`
	Multiple      bool   `json:"multiple,omitempty"` // a customer may have several instances of it
}

// The configurations of a version in the marketplace. Source: existing clients.
const (
	Deployable     = "AVAILABLE_AND_DEPLOYABLE"
	OnDisplay      = "AVAILABLE_NOT_DEPLOYABLE"
	NotInMarket    = "NOT_AVAILABLE_IN_MARKETPLACE"
	configurations = Deployable + ", " + OnDisplay + " or " + NotInMarket
)

// MarketplaceSet puts a version into the marketplace, or takes it out.
type MarketplaceSet struct {
	Version string `json:"version"` // id
	Marketplace
}

// Evolve implements [Event].
func (e MarketplaceSet) Evolve(i Integration, _ Meta) Integration {
	return i.withVersion(e.Version, func(v *Version) { v.Marketplace = &e.Marketplace })
}

// SetTemplate offers a version as a template, or no longer.
func (i Integration) SetTemplate(version string, to Template) (Changes[Integration], error) {
	v, err := i.published(version)
	if err != nil || v.Template == to {
		return nil, err
	}
	return Changes[Integration]{TemplateSet{Version: version, Template: to != NoTemplate, For: to}}, nil
}

// MarketplaceChange sets the fields of a version's marketplace entry that are not nil.
type MarketplaceChange struct {
	Configuration, Overview *string
	Multiple                *bool
}

// SetMarketplace puts a version into the marketplace, or takes it out.
func (i Integration) SetMarketplace(version string, c MarketplaceChange) (Changes[Integration], error) {
	v, err := i.published(version)
	if err != nil {
		return nil, err
	}
	before := v.Market()
	after := before
	set(&after.Configuration, c.Configuration)
	set(&after.Overview, c.Overview)
	set(&after.Multiple, c.Multiple)
	if !slices.Contains([]string{Deployable, OnDisplay, NotInMarket}, after.Configuration) {
		return nil, refusal.ForField(refusal.Invalid, "marketplaceConfiguration", "must be %s", configurations)
	}
	if after == before {
		return nil, nil
	}
	return Changes[Integration]{MarketplaceSet{Version: version, Marketplace: after}}, nil
}

// Market returns the version's marketplace entry.
func (v Version) Market() Marketplace {
	if v.Marketplace == nil {
		return Marketplace{Configuration: NotInMarket}
	}
	return *v.Marketplace
}

// Offered returns the newest available version that is a template, if any.
func (i Integration) Offered() (Version, bool) {
	return i.newest(func(v Version) bool { return v.Template != NoTemplate })
}

// InMarket returns the newest available version in the marketplace, if any.
func (i Integration) InMarket() (Version, bool) {
	return i.newest(func(v Version) bool { return v.Market().Configuration != NotInMarket })
}

func (i Integration) newest(fits func(Version) bool) (Version, bool) {
	for _, v := range slices.Backward(i.Versions) {
		if !v.Unavailable && fits(v) {
			return v, true
		}
	}
	return Version{}, false
}
