package graph

import (
	"strings"
	"testing"

	"heddle/domain"
)

const (
	versionFields        = `integration { id versionNumber versionComment versionLabels versionIsAvailable name isTemplate } ` + errorFields
	versionDocument      = `mutation ($input: UpdateIntegrationVersionInput!) { updateIntegrationVersion(input: $input) { ` + versionFields + ` } }`
	availabilityDocument = `mutation ($id: ID!, $available: Boolean!) { updateIntegrationVersionAvailability(input: {id: $id, available: $available}) { ` + versionFields + ` } }`
	rollBackDocument     = `mutation ($id: ID!, $comment: String) { rollBackIntegration(input: {id: $id, comment: $comment}) { ` + versionFields + ` } }`
	endDocument          = `mutation ($id: ID!, $name: String) { deleteIntegration(input: {id: $id, name: $name}) { integration { id } ` + errorFields + ` } }`
)

func TestVersionIsDescribedAfterwards(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	before := len(h.events())
	a := h.do(versionDocument, vars{"input": vars{"id": version, "comment": "Better said.",
		"labels": []any{"LTS", "a", "lts"}}})
	made := "updateIntegrationVersion.integration."
	if a.text(made+"id") != version || a.text(made+"versionComment") != "Better said." ||
		a.at(made+"versionLabels.0") != "a" || a.at(made+"versionLabels.1") != "lts" ||
		a.at(made+"versionLabels.2") != nil || h.since(before) != "VersionUpdated" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	for name, of := range map[string]string{"the draft": id, "nothing": "x",
		"another's": h.published(h.org, h.imported(h.org, shop))[:8]} {
		before := len(h.events())
		if a := h.do(versionDocument, vars{"input": vars{"id": of,
			"comment": "c"}}); !strings.HasPrefix(a.refused("updateIntegrationVersion"), "id: ") || h.since(before) != "" {
			t.Errorf("of %s: answered %s", name, a.body)
		}
	}
}

func TestUnavailableVersion(t *testing.T) {
	h := newHarness(t)
	id, customer := h.imported(h.org, shop), h.customer(h.org, "Acme")
	first := h.published(h.org, id)
	h.do(describeDocument, vars{"input": vars{"id": id, "name": "Two"}})
	second := h.published(h.org, id)
	live := h.instance(h.org, "Live", second, customer)
	deploy := `mutation ($id: ID!) { deployInstance(input: {id: $id, force: true}) { instance { id } ` + errorFields +
		` } }`
	h.do(deploy, vars{"id": live})
	if a := h.do(availabilityDocument, vars{"id": second,
		"available": false}); a.at("updateIntegrationVersionAvailability.integration.versionIsAvailable") != false {
		t.Errorf("answered %s", a.body)
	}
	const refused = "integration: version 2 is not available; make it available, or choose another"
	create := vars{"name": "I", "integration": second, "customer": customer}
	if got := h.do(instanceDocument, create).refused("createInstance"); got != refused {
		t.Errorf("an instance of it: %q", got)
	}
	if got := h.do(deploy, vars{"id": live}).refused("deployInstance"); got != refused {
		t.Errorf("deploying it, forced: %q", got)
	}
	if a := h.do(instanceDocument, vars{"name": "I", "integration": id,
		"customer": customer}); a.text("createInstance.instance.integration.id") != first {
		t.Errorf("the newest available one: %s", a.body)
	}
	if a := h.do(`mutation ($id: ID!, $to: ID!) { updateInstance(input: {id: $id, integration: $to}) { instance { id } `+errorFields+` } }`, vars{"id": live, "to": second}); a.refused("updateInstance") != refused {
		t.Errorf("choosing it: %s", a.body)
	}
	a := h.do(`query ($id: ID!) { integration(id: $id) { versionSequence(versionIsAvailable: true) { nodes { id } } } }`, vars{"id": id})
	if a.texts("integration.versionSequence.nodes", "id") != first {
		t.Errorf("answered %s", a.body)
	}
	h.do(availabilityDocument, vars{"id": second, "available": true})
	h.instance(h.org, "Again", second, customer)
	if got := h.do(availabilityDocument, vars{"id": id,
		"available": true}).refused("updateIntegrationVersionAvailability"); got != "id: is an integration; give the id of one of its published versions" {
		t.Errorf("of the draft: %q", got)
	}
}

func TestRollBack(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	first := h.published(h.org, id)
	h.do(describeDocument, vars{"input": vars{"id": id, "name": "Two"}})
	second := h.published(h.org, id)
	h.do(describeDocument, vars{"input": vars{"id": id, "name": "Three"}})
	before := len(h.events())
	a := h.do(rollBackDocument, vars{"id": first})
	made := "rollBackIntegration.integration."
	if a.text(made+"name") != "Shop" || a.at(made+"versionNumber") != 3.0 ||
		a.text(made+"versionComment") != "Back to version 1" ||
		h.since(before) != "DraftOpened DraftEdited DraftClosed IntegrationPublished" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	if a := h.do(draftDocument, vars{"id": id}); !strings.Contains(a.text("draft.definition"), "name: Three\n") ||
		a.at("draft.isBehind") != true {
		t.Errorf("the draft's own edits are now %s", a.body)
	}
	i, _ := h.View.Integrations.Get(h.id, id)
	if i.Versions[2].Definition != i.Versions[0].Definition {
		t.Error("it is not the same content")
	}
	before = len(h.events())
	if got := h.do(rollBackDocument, vars{"id": a.text(made +
		"id")}).refused("rollBackIntegration"); got != "id: version 3 says the same; there is nothing to go back to" || h.since(before) != "" {
		t.Errorf("to the newest: %q", got)
	}
	if a := h.do(rollBackDocument, vars{"id": second, "comment": "Why."}); a.text(made+"versionComment") != "Why." ||
		a.text(made+"name") != "Two" {
		t.Errorf("answered %s", a.body)
	}
	if got := h.do(rollBackDocument, vars{"id": id}).refused("rollBackIntegration"); !strings.HasPrefix(got,
		"id: is an integration") {
		t.Errorf("to the draft: %q", got)
	}
}

func TestTemplate(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	h.do(describeDocument, vars{"input": vars{"id": id, "name": "Not published"}})
	before := len(h.events())
	for range 2 {
		h.do(versionDocument, vars{"input": vars{"id": version, "templateFor": "CUSTOMERS", "comment": "n"}})
	}
	if got := h.since(before); got != "VersionUpdated TemplateSet" {
		t.Errorf("wrote %s", got)
	}
	const document = `query ($id: ID!) { integration(id: $id) { isTemplate templateFor } }`
	for _, of := range []string{id, version} {
		if a := h.do(document, vars{"id": of}); a.at("integration.isTemplate") != true ||
			a.text("integration.templateFor") != "CUSTOMERS" {
			t.Errorf("of %s: %s", of, a.body)
		}
	}
	a := h.do(createDocument, vars{"input": vars{"name": "Copy", "description": "", "template": id}})
	if a.text("createIntegration.integration.parent.id") != version {
		t.Errorf("a copy is made of %s", a.body)
	}
	h.do(availabilityDocument, vars{"id": version, "available": false})
	for _, of := range []string{id, version} {
		if a := h.do(document, vars{"id": of}); a.at("integration.isTemplate") != false ||
			a.text("integration.templateFor") != "NOBODY" {
			t.Errorf("of %s, unavailable: %s", of, a.body)
		}
	}
	h.do(availabilityDocument, vars{"id": version, "available": true})
	if h.do(versionDocument, vars{"input": vars{"id": version, "templateFor": "NOBODY"}}); h.do(document,
		vars{"id": id}).at("integration.isTemplate") != false {
		t.Error("it is a template for ever")
	}
	before = len(h.events())
	if got := h.do(versionDocument, vars{"input": vars{"id": id,
		"templateFor": "CUSTOMERS"}}).refused("updateIntegrationVersion"); got != "id: is an integration; give the id of one of its published versions" || h.since(before) != "" {
		t.Errorf("of what is not published: %q", got)
	}
}

const marketDocument = `mutation ($id: ID, $c: String, $o: String, $m: Boolean) { updateIntegrationMarketplaceConfiguration(input: {id: $id, marketplaceConfiguration: $c,
	overview: $o, allowMultipleMarketplaceInstances: $m}) { integration { id marketplaceConfiguration overview allowMultipleMarketplaceInstances } ` + errorFields + ` } }`

func TestMarketplace(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	first := h.published(h.org, id)
	h.do(describeDocument, vars{"input": vars{"id": id, "name": "Two"}})
	second := h.published(h.org, id)
	before := len(h.events())
	for range 2 {
		a := h.do(marketDocument, vars{"id": first, "c": "AVAILABLE_AND_DEPLOYABLE", "o": "All orders.", "m": true})
		made := "updateIntegrationMarketplaceConfiguration.integration."
		if a.text(made+"marketplaceConfiguration") != "AVAILABLE_AND_DEPLOYABLE" ||
			a.text(made+"overview") != "All orders." || a.at(made+"allowMultipleMarketplaceInstances") != true {
			t.Errorf("answered %s", a.body)
		}
	}
	if got := h.since(before); got != "MarketplaceSet" {
		t.Errorf("wrote %s", got)
	}
	const document = `query ($id: ID!) { integration(id: $id) { marketplaceConfiguration overview } }`
	for of, want := range map[string]string{id: "AVAILABLE_AND_DEPLOYABLE All orders.",
		first: "AVAILABLE_AND_DEPLOYABLE All orders.", second: "NOT_AVAILABLE_IN_MARKETPLACE "} {
		if a := h.do(document, vars{"id": of}); a.text("integration.marketplaceConfiguration")+" "+a.text("integration.overview") != want {
			t.Errorf("of %s: %s", of, a.body)
		}
	}
	h.do(marketDocument, vars{"id": second, "c": "AVAILABLE_NOT_DEPLOYABLE"})
	if a := h.do(document, vars{"id": id}); a.text("integration.marketplaceConfiguration") != "AVAILABLE_NOT_DEPLOYABLE" {
		t.Errorf("the newest: %s", a.body)
	}
	other := h.organization("Rivals")
	before = len(h.events())
	for want, v := range map[string]vars{
		"id: is an integration; give the id of one of its published versions": {"id": id,
			"c": "AVAILABLE_AND_DEPLOYABLE"},
		"marketplaceConfiguration: must be AVAILABLE_AND_DEPLOYABLE,": {"id": first, "c": "YES"},
		"id: Record not found: integration":                           {"c": "AVAILABLE_AND_DEPLOYABLE"},
	} {
		if got := h.do(marketDocument, v).refused("updateIntegrationMarketplaceConfiguration"); !strings.HasPrefix(got,
			want) {
			t.Errorf("%v: %q", v, got)
		}
	}
	if got := h.doAs(other, marketDocument, vars{"id": first,
		"c": "AVAILABLE_AND_DEPLOYABLE"}).refused("updateIntegrationMarketplaceConfiguration"); got != "id: Record not found: integration" || h.since(before) != "" {
		t.Errorf("of another organization: %q", got)
	}
}

func TestDelete(t *testing.T) {
	h := newHarness(t)
	id, kept := h.imported(h.org, shop), h.imported(h.org, shop)
	version, customer := h.published(h.org, id), h.customer(h.org, "Acme")
	instance := h.instance(h.org, "I", version, customer)
	for want, v := range map[string]vars{`name: the integration is called "Shop"; give that name to delete it`: {"id": id, "name": "shop"},
		"id: is a published version":        {"id": version},
		"id: Record not found: integration": {"id": h.imported(h.organization("Others"), shop)}} {
		before := len(h.events())
		if a := h.do(endDocument, v); !strings.HasPrefix(a.refused("deleteIntegration"), want) ||
			h.since(before) != "" {
			t.Errorf("%v: answered %s", v, a.body)
		}
	}
	before := len(h.events())
	if a := h.do(endDocument, vars{"id": id, "name": "Shop"}); a.text("deleteIntegration.integration.id") != id ||
		h.since(before) != "IntegrationRemoved InstanceRemoved InstanceRemoved" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	a := h.do(`{ integrations(allVersions: true) { nodes { id } } instances { totalCount } hidden: instances(isSystem: true) { totalCount } }`, nil)
	if a.texts("integrations.nodes", "id") != kept || a.at("instances.totalCount") != 0.0 ||
		a.at("hidden.totalCount") != 1.0 {
		t.Errorf("afterwards: %s", a.body)
	}
	system, _ := h.View.Instances.Get(h.id, domain.SystemInstanceID(id))
	if why, runs := system.Runs(); runs || why != "the instance has been removed" {
		t.Errorf("its test URLs: %v %s", runs, why)
	}
	for _, gone := range []string{id, version, instance} {
		for document, field := range map[string]string{
			`query ($id: ID!) { integration(id: $id) { id } }`: "integration",
			`query ($id: ID!) { instance(id: $id) { id } }`:    "instance",
		} {
			if a := h.ask(h.tokens[domain.Admin], document, vars{"id": gone}); a.code() != "NOT_FOUND" {
				t.Errorf("%s %s: answered %s", field, gone, a.body)
			}
		}
	}
	before = len(h.events())
	for document, mutation := range map[string]string{endDocument: "deleteIntegration",
		publishDocument: "publishIntegration"} {
		if got := h.do(document, vars{"id": id}).refused(mutation); got != "id: Record not found: integration" {
			t.Errorf("%s: %q", mutation, got)
		}
	}
	if got := h.do(instanceDocument, vars{"name": "I", "integration": version,
		"customer": customer}).refused("createInstance"); !strings.HasPrefix(got, "integration: Record not found") || h.since(before) != "" {
		t.Errorf("an instance of it: %q, wrote %s", got, h.since(before))
	}
}

// A process that dies between the two leaves instances of an integration that is gone.
func TestFinishRemoving(t *testing.T) {
	h := newHarness(t)
	id, kept := h.imported(h.org, shop), h.imported(h.org, shop)
	happen(h, h.as(h.org), domain.Integrations, id, domain.IntegrationRemoved{})
	for i, want := range []string{"InstanceRemoved", ""} {
		before := len(h.events())
		if err := h.Authoring.Finish(t.Context()); err != nil || h.since(before) != want {
			t.Errorf("time %d: %v, wrote %q", i, err, h.since(before))
		}
	}
	if a := h.do(`query ($id: ID!) { integration(id: $id) { systemInstance { id } } }`,
		vars{"id": kept}); a.text("integration.systemInstance.id") == "" {
		t.Errorf("the other one: %s", a.body)
	}
}
