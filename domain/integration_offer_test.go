package domain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOffersDecide(t *testing.T) {
	there := events[Integration](IntegrationCreated{}, IntegrationPublished{Version: "v1", Number: 1},
		IntegrationPublished{Version: "v2", Number: 2})
	after := func(e ...Event[Integration]) []Event[Integration] { return append(there[:3:3], e...) }
	template := func(version string, to Template) func(Integration) (Changes[Integration], error) {
		return func(i Integration) (Changes[Integration], error) { return i.SetTemplate(version, to) }
	}
	market := func(version, configuration string) func(Integration) (Changes[Integration], error) {
		return func(i Integration) (Changes[Integration], error) {
			return i.SetMarketplace(version, MarketplaceChange{Configuration: &configuration})
		}
	}
	ours, theirs, none := TemplateSet{Version: "v1", Template: true,
		For: OrganizationTemplate}, TemplateSet{Version: "v1", Template: true,
		For: CustomerTemplate}, TemplateSet{Version: "v1"}
	shown := MarketplaceSet{"v1", Marketplace{Configuration: OnDisplay, Overview: "o", Multiple: true}}
	more := shown
	more.Configuration = Deployable
	text, yes := "o", true
	const missing, noVersion = "NOT_FOUND id: Record not found: integration", "NOT_FOUND id: Record not found: version"
	decides(t, Integrations, map[string]row[Integration]{
		"a template": {given: there, when: template("v1", OrganizationTemplate),
			then: events[Integration](ours)},
		"a template already": {given: after(ours), when: template("v1", OrganizationTemplate)},
		"for customers too": {given: after(ours), when: template("v1", CustomerTemplate),
			then: events[Integration](theirs)},
		"no template any more": {given: after(theirs), when: template("v1", NoTemplate),
			then: events[Integration](none)},
		"no template": {given: there, when: template("v1", NoTemplate)},
		"of an older log": {given: after(TemplateSet{Template: true}),
			when: template("v2", OrganizationTemplate)},
		"not in an older log": {given: after(TemplateSet{Template: true}, TemplateSet{}),
			when: template("v2", NoTemplate)},
		"a template of nothing": {when: template("v1", OrganizationTemplate), refused: missing},
		"a template of none":    {given: there[:1], when: template("v1", OrganizationTemplate), refused: noVersion},
		"a template of a gone": {given: after(IntegrationRemoved{}), when: template("v1", OrganizationTemplate),
			refused: missing},

		"in the market": {given: there, when: market("v1", Deployable),
			then: events[Integration](MarketplaceSet{"v1", Marketplace{Configuration: Deployable}})},
		"with words": {given: there, when: func(i Integration) (Changes[Integration], error) {
			return i.SetMarketplace("v1", MarketplaceChange{&shown.Configuration, &text, &yes})
		}, then: events[Integration](shown)},
		"words alone": {given: there, when: func(i Integration) (Changes[Integration], error) {
			return i.SetMarketplace("v1", MarketplaceChange{Overview: &text})
		}, then: events[Integration](MarketplaceSet{"v1", Marketplace{Configuration: NotInMarket, Overview: "o"}})},
		"the rest stays": {given: after(shown), when: market("v1", Deployable), then: events[Integration](more)},
		"in it already":  {given: after(shown), when: market("v1", OnDisplay)},
		"not in it":      {given: there, when: market("v1", NotInMarket)},
		"something else": {given: there, when: market("v1", "SOMETIMES"),
			refused: "INVALID marketplaceConfiguration: must be AVAILABLE_AND_DEPLOYABLE, AVAILABLE_NOT_DEPLOYABLE or NOT_AVAILABLE_IN_MARKETPLACE"},
		"a market of none":      {given: there, when: market("x", Deployable), refused: noVersion},
		"a market of nothing":   {when: market("v1", Deployable), refused: missing},
		"a market of what went": {given: after(IntegrationRemoved{}), when: market("v1", Deployable), refused: missing},
	})
}

// The newest version that is offered and can be deployed is the one shown.
func TestOffered(t *testing.T) {
	base := events[Integration](IntegrationCreated{}, IntegrationPublished{Version: "v1", Number: 1},
		IntegrationPublished{Version: "v2", Number: 2}, IntegrationPublished{Version: "v3", Number: 3})
	for name, c := range map[string]struct {
		then             []Event[Integration]
		template, market string
	}{
		"nothing": {nil, "", ""},
		"an older one": {events[Integration](TemplateSet{Version: "v1", Template: true, For: CustomerTemplate},
			MarketplaceSet{"v1", Marketplace{Configuration: OnDisplay}}), "v1", "v1"},
		"the newest": {events[Integration](TemplateSet{Version: "v1", Template: true},
			TemplateSet{Version: "v2", Template: true}, MarketplaceSet{"v2", Marketplace{Configuration: Deployable}}),
			"v2", "v2"},
		"an unavailable": {events[Integration](TemplateSet{Version: "v2", Template: true},
			MarketplaceSet{"v2", Marketplace{Configuration: Deployable}}, VersionAvailabilitySet{Version: "v2"}), "",
			""},
		"of an older log": {events[Integration](TemplateSet{Template: true}), "v3", ""},
		"taken out": {events[Integration](MarketplaceSet{"v2", Marketplace{Configuration: Deployable}},
			MarketplaceSet{"v2", Marketplace{Configuration: NotInMarket}}), "", ""},
	} {
		i := folded(t, Integrations, append(base[:4:4], c.then...))
		template, _ := i.Offered()
		market, _ := i.InMarket()
		if diff := cmp.Diff([]string{c.template, c.market}, []string{template.ID, market.ID}); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
	}
}
