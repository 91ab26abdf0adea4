package graph

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"heddle/domain/definition"
)

const (
	detailFields   = `integration { id name description category labels documentation versionNumber parent { id } flows { nodes { name testUrl trigger { action { key component { key } } } } } } ` + errorFields
	createDocument = `mutation ($input: CreateIntegrationInput!) { createIntegration(input: $input) { ` +
		detailFields + ` } }`
	describeDocument = `mutation ($input: UpdateIntegrationInput!) { updateIntegration(input: $input) { ` +
		detailFields + ` } }`
	forkDocument = `mutation ($input: ForkIntegrationInput!) { forkIntegration(input: $input) { ` + detailFields +
		` } }`
)

func TestCreateBlank(t *testing.T) {
	h := newHarness(t)
	before := len(h.events())
	a := h.do(createDocument, vars{"input": vars{"name": "Fresh", "description": "d",
		"labels": []any{"B", "a", "b ", nil}}})
	made := "createIntegration.integration."
	if a.text(made+"name") != "Fresh" || a.text(made+"description") != "d" || a.texts(made+"flows.nodes",
		"name") != "Flow 1" || a.at(made+"parent") != nil ||
		a.text(made+"flows.nodes.0.trigger.action.component.key") != "webhook-triggers" ||
		a.at(made+"labels.0") != "b" || a.at(made+"labels.1") != "a" || a.at(made+"labels.2") != nil {
		t.Errorf("answered %s", a.body)
	}
	if got := h.since(before); got != "DraftOpened InstanceCreated IntegrationCreated" {
		t.Errorf("wrote %s", got)
	}
	h.published(h.org, a.text(made+"id")) // it can run as it is
}

func TestCreateFrom(t *testing.T) {
	h := newHarness(t)
	parent := h.imported(h.org, shop)
	version := h.published(h.org, parent)
	h.do(describeDocument, vars{"input": vars{"id": parent, "category": "Changed"}})
	for name, c := range map[string]struct {
		input    vars
		parent   any
		category string
	}{
		"a draft":   {vars{"name": "N", "template": parent}, parent, "Changed"},
		"a version": {vars{"name": "N", "template": version, "documentation": "# Doc"}, version, "Commerce"},
		"a file":    {vars{"name": "N", "definition": shop, "category": "Own"}, nil, "Own"},
	} {
		a := h.do(createDocument, vars{"input": c.input})
		made := "createIntegration.integration."
		if a.text(made+"name") != "N" || a.at(made+"parent.id") != c.parent || a.text(made+"category") != c.category ||
			a.texts(made+"flows.nodes", "name") != "Orders Returns" {
			t.Errorf("from %s: answered %s", name, a.body)
		}
		if doc, _ := c.input["documentation"].(string); a.text(made+"documentation") != doc {
			t.Errorf("from %s: documented %q", name, a.text(made+"documentation"))
		}
	}
}

func TestFork(t *testing.T) {
	h := newHarness(t)
	parent := h.imported(h.org, shop)
	version := h.published(h.org, parent)
	a := h.do(forkDocument, vars{"input": vars{"parent": version, "name": "Mine"}})
	made := "forkIntegration.integration."
	if a.text(made+"name") != "Mine" || a.text(made+"description") != "Sends orders on." ||
		a.text(made+"parent.id") != version || a.at(made+"versionNumber") != 0.0 {
		t.Errorf("answered %s", a.body)
	}
	flows := `query ($id: ID!) { integration(id: $id) { flows { nodes { id } } } }`
	if mine, theirs := h.do(flows, vars{"id": a.text(made + "id")}), h.do(flows,
		vars{"id": parent}); mine.texts("integration.flows.nodes", "id") == theirs.texts("integration.flows.nodes",
		"id") {
		t.Error("the copy's flows are the parent's")
	}
	h.do(describeDocument, vars{"input": vars{"id": a.text(made + "id"), "name": "Changed"}})
	if name := h.do(`query ($id: ID!) { integration(id: $id) { name } }`,
		vars{"id": parent}).text("integration.name"); name != "Shop" {
		t.Errorf("changing the copy renamed the parent %s", name)
	}
}

func TestUpdate(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	before := len(h.events())
	many := []any{}
	for range 300 {
		many = append(many, "L"+uuid.NewString())
	}
	a := h.do(describeDocument, vars{"input": vars{"id": id, "name": "Store", "description": "", "labels": many,
		"documentation": "# How"}})
	made := "updateIntegration.integration."
	if a.text(made+"id") != id || a.text(made+"name") != "Store" || a.at(made+"description") != nil ||
		a.text(made+"category") != "Commerce" || a.text(made+"documentation") != "# How" ||
		a.at(made+"labels.299") != strings.ToLower(many[299].(string)) || h.since(before) != "DraftEdited" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	before = len(h.events())
	if a = h.do(describeDocument, vars{"input": vars{"id": id,
		"name": "Store"}}); a.refused("updateIntegration") != "" || h.since(before) != "" {
		t.Errorf("saying it again: answered %s, wrote %s", a.body, h.since(before))
	}
	if a = h.do(describeDocument, vars{"input": vars{"id": id,
		"labels": []any{}}}); len(a.at(made+"labels").([]any)) != 0 {
		t.Errorf("taking the labels away: answered %s", a.body)
	}
	version := h.published(h.org, id)
	before = len(h.events())
	h.do(describeDocument, vars{"input": vars{"id": id, "name": "Next"}})
	if got := h.since(before); got != "DraftOpened DraftEdited" {
		t.Errorf("after a version: wrote %s", got)
	}
	if name := h.do(`query ($id: ID!) { integration(id: $id) { name } }`,
		vars{"id": version}).text("integration.name"); name != "Store" {
		t.Errorf("the version is called %s", name)
	}
}

func TestAuthoringRefusals(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	other := h.imported(h.organization("Others"), shop)
	for name, c := range map[string]struct {
		document, mutation string
		input              vars
		want               string
	}{
		"no name": {createDocument, "createIntegration", vars{"name": " "}, "name: must not be empty"},
		"for a customer": {createDocument, "createIntegration", vars{"name": "N", "customer": "c"},
			"customer: integrations belong to the organization"},
		"from two": {createDocument, "createIntegration",
			vars{"name": "N", "template": id, "definition": shop}, "template: give a template or a definition"},
		"from none": {createDocument, "createIntegration", vars{"name": "N", "template": "x"},
			"template: Record not found: integration"},
		"from another's": {createDocument, "createIntegration", vars{"name": "N", "template": other},
			"template: Record not found: integration"},
		"from a bad file": {createDocument, "createIntegration", vars{"name": "N", "definition": "a: [b"},
			"definition: line 1: "},
		"from dangling": {createDocument, "createIntegration",
			vars{"name": "N", "definition": strings.Replace(shop, "hook.results", "gone.results", 1)},
			"definition: line 26: "},
		"far too large": {createDocument, "createIntegration",
			vars{"name": "N", "description": strings.Repeat("x", definition.DefaultLimits.Size)},
			"__all__: the definition has "},
		"forking none": {forkDocument, "forkIntegration", vars{"name": "N", "parent": "x"},
			"parent: Record not found: integration"},
		"forking another's": {forkDocument, "forkIntegration", vars{"name": "N", "parent": other},
			"parent: Record not found: integration"},
		"forking without name": {forkDocument, "forkIntegration", vars{"name": "", "parent": id},
			"name: must not be empty"},
		"changing none": {describeDocument, "updateIntegration", vars{"id": "x", "name": "N"},
			"id: Record not found: integration"},
		"changing another's": {describeDocument, "updateIntegration", vars{"id": other, "name": "N"},
			"id: Record not found: integration"},
		"changing a version": {describeDocument, "updateIntegration", vars{"id": version, "name": "N"},
			"id: is a published version, which never changes"},
		"taking the name": {describeDocument, "updateIntegration", vars{"id": id, "name": ""},
			"name: must not be empty"},
		"a picture": {describeDocument, "updateIntegration", vars{"id": id, "avatarUrl": "x"},
			"avatarUrl: is not an objectUrl"},
		"a customer": {describeDocument, "updateIntegration", vars{"id": id, "customer": "x"}, "customer: "},
		"config variables": {describeDocument, "updateIntegration",
			vars{"id": id, "testConfigVariables": []any{vars{"key": "x"}}}, "testConfigVariables: "},
	} {
		before := len(h.events())
		a := h.do(c.document, vars{"input": c.input})
		if !strings.HasPrefix(a.refused(c.mutation), c.want) || a.at(c.mutation+".integration") != nil ||
			h.since(before) != "" {
			t.Errorf("%s: answered %s, wrote %q", name, a.body, h.since(before))
		}
	}
}
