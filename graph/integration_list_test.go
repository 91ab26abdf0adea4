package graph

import (
	"testing"

	"heddle/domain"
)

func TestIntegrationsAreFound(t *testing.T) {
	h := newHarness(t)
	for _, input := range []vars{
		{"name": "A", "description": "Sends orders", "category": "Commerce", "labels": []any{"x", "y"}},
		{"name": "B", "description": "Reads mail", "category": "commerce", "labels": []any{"y"}},
		{"name": "C", "description": "Reads orders"},
	} {
		h.do(createDocument, vars{"input": input})
	}
	other := h.ask(h.tokens[domain.Collaborator], createDocument,
		vars{"input": vars{"name": "D"}}).text("createIntegration.integration.id")
	version := h.published(h.org, other)
	h.do(versionDocument, vars{"input": vars{"id": version, "templateFor": "CUSTOMERS"}})
	h.do(marketDocument, vars{"id": version, "c": "AVAILABLE_NOT_DEPLOYABLE"})
	for asked, want := range map[string]string{
		`description_Icontains: "ORDERS"`: "A C",
		`category: "COMMERCE"`:            "A B",
		`category: ""`:                    "A B C D",
		`labels: ["Y"]`:                   "A B",
		`labels: ["y ", "x"]`:             "A",
		`labels: []`:                      "A B C D",
		`labels: ["z"]`:                   "",
		`isTemplate: true`:                "D",
		`isTemplate: false`:               "A B C",
		`templateFor: CUSTOMERS`:          "D",
		`templateFor: ORGANIZATION`:       "",
		`templateFor: NOBODY`:             "A B C",
		`marketplaceConfiguration: AVAILABLE_NOT_DEPLOYABLE`:     "D",
		`marketplaceConfiguration: AVAILABLE_AND_DEPLOYABLE`:     "",
		`marketplaceConfiguration: NOT_AVAILABLE_IN_MARKETPLACE`: "A B C",
		`name_Icontains: ""`: "A B C D",
		`createdBy: "` + h.users[domain.Collaborator] + `"`:        "D",
		`createdBy: "` + h.users[domain.Viewer] + `"`:              "",
		`name_Icontains: "b", category: "commerce", labels: ["y"]`: "B",
		`description_Icontains: "reads", category: "commerce"`:     "B",
		`category: "Commerce", first: 1, after: null`:              "A",
	} {
		if got := h.do(`{ integrations(`+asked+`) { nodes { name } } }`, nil).texts("integrations.nodes",
			"name"); got != want {
			t.Errorf("%s: found %q, want %q", asked, got, want)
		}
	}
}
