package graph

import (
	"strings"
	"testing"

	"heddle/domain"
)

// things are the ids of one of everything that an organization has.
type things struct{ customer, integration, version, flow, instance, system, execution, token string }

func (h *harness) furnish(o org) things {
	h.t.Helper()
	v := things{customer: h.customer(o, "Acme"), integration: h.imported(o, shop)}
	v.version = h.published(o, v.integration)
	v.instance = h.instance(o, "I", v.version, v.customer)
	v.execution = h.executed(o, v.instance, 1)
	a := h.doAs(o, `{ integration(id: "`+v.integration+`") { systemInstance { id } flows { nodes { id } } } apiTokens { nodes { id } } }`, nil)
	v.system, v.flow, v.token = a.text("integration.systemInstance.id"), a.text("integration.flows.nodes.0.id"),
		a.text("apiTokens.nodes.0.id")
	return v
}

// Ids of another organization are ids of nothing.
func TestOtherOrganizationsIDs(t *testing.T) {
	h := newHarness(t)
	other := h.organization("Rivals")
	theirs := h.furnish(other)
	ours := h.furnish(h.org)
	for document, want := range map[string]string{
		`{ customer(id: "` + theirs.customer + `") { id } }`:                                        "NOT_FOUND",
		`{ integration(id: "` + theirs.integration + `") { id } }`:                                  "NOT_FOUND",
		`{ integration(id: "` + theirs.version + `") { id } }`:                                      "NOT_FOUND",
		`{ instance(id: "` + theirs.instance + `") { id } }`:                                        "NOT_FOUND",
		`{ instance(id: "` + theirs.system + `") { id } }`:                                          "NOT_FOUND",
		`{ logs(executionResult: "` + theirs.execution + `") { nodes { message } } }`:               "NOT_FOUND",
		`{ logs(executionResult: "none") { nodes { message } } }`:                                   "NOT_FOUND",
		`{ customer(id: "") { id } }`:                                                               "NOT_FOUND",
		`{ integration(id: "") { id } }`:                                                            "NOT_FOUND",
		`{ instance(id: "` + ours.customer + `") { id } }`:                                          "NOT_FOUND",
		`{ executionResult(id: "` + theirs.execution + `") { id } }`:                                "",
		`{ executionResult(id: "none") { id } }`:                                                    "",
		`{ executionResult(id: "") { id } }`:                                                        "",
		`{ executionResult(id: "` + strings.Repeat("x", 1000) + `") { id } }`:                       "",
		`{ executionResult(id: "` + ours.instance + `") { id } }`:                                   "",
		`{ executionResults(instance: "` + theirs.instance + `") { nodes { id } } }`:                "empty",
		`{ executionResults(integration: "` + theirs.integration + `") { nodes { id } } }`:          "empty",
		`{ executionResults(flowConfig_Flow: "` + theirs.flow + `") { nodes { id } } }`:             "empty",
		`{ instances(customer: "` + theirs.customer + `") { nodes { id } } }`:                       "empty",
		`{ instances(integration: "` + theirs.version + `", isSystem: false) { nodes { id } } }`:    "empty",
		`{ instances(integration: "` + theirs.integration + `", isSystem: true) { nodes { id } } }`: "empty",
	} {
		a := h.ask(h.tokens[domain.Admin], document, nil)
		field := strings.FieldsFunc(document, func(r rune) bool { return r == '{' || r == '(' || r == ' ' })[0]
		switch want {
		case "NOT_FOUND":
			if a.status != 200 || string(a.Data) != "null" || a.code() != want ||
				!strings.HasPrefix(a.Errors[0].Message, "Record not found") {
				t.Errorf("%.90s: answered %s", document, a.body)
			}
		case "empty":
			if nodes, ok := a.at(field + ".nodes").([]any); !ok || len(nodes) != 0 {
				t.Errorf("%.90s: answered %s", document, a.body)
			}
		default:
			if a.status != 200 || len(a.Errors) > 0 || string(a.Data) != `{"executionResult":null}` {
				t.Errorf("%.90s: answered %s", document, a.body)
			}
		}
	}
}

// No list of one organization shows anything of the other; both have the same of everything.
func TestListsShowOneOrganization(t *testing.T) {
	h := newHarness(t)
	other := h.organization("Rivals")
	const lists = `{ organization { id name users { nodes { id email } } } users { totalCount nodes { id } } apiTokens { totalCount nodes { id user { id } } } customers { totalCount nodes { id instances { nodes { id } } } }
		integrations(allVersions: true) { totalCount nodes { id systemInstance { id } versionCreatedBy { id } versionSequence { nodes { id } } flows { nodes { id testUrl } } } }
		instances { totalCount nodes { id customer { id } integration { id } } } hidden: instances(isSystem: true) { totalCount nodes { id } } executionResults { totalCount nodes { id instance { id } } } authenticatedUser { id org { id } } }`
	sides := map[string]org{"ours": h.org, "theirs": other}
	all := map[string]things{"ours": h.furnish(h.org), "theirs": h.furnish(other)}
	for side, o := range sides {
		a := h.doAs(o, lists, nil)
		for list, want := range map[string]float64{"users": 4, "apiTokens": 4, "customers": 1, "integrations": 2,
			"instances": 1, "hidden": 1, "executionResults": 1} {
			if got := a.at(list + ".totalCount"); got != want {
				t.Errorf("%s: %v %s, want %v", side, got, list, want)
			}
		}
		for whose, v := range all {
			for what, id := range map[string]string{"customer": v.customer, "integration": v.integration,
				"version": v.version, "flow": v.flow, "instance": v.instance,
				"system instance": v.system, "execution": v.execution, "token": v.token,
				"organization": sides[whose].id, "user": sides[whose].users[domain.Viewer]} {
				if shown := strings.Contains(a.body, id); shown != (whose == side) {
					t.Errorf("%s lists show %s %s: %v", side, whose, what, shown)
				}
			}
		}
	}
}

// Mutations reach no other organization either, and tell of it no more than of what never was.
func TestMutationsOfOtherOrganizations(t *testing.T) {
	h := newHarness(t)
	other := h.organization("Rivals")
	theirs, ours := h.furnish(other), h.furnish(h.org)
	before := len(h.events())
	for name, a := range map[string]reply{
		"importIntegration":  h.do(importDocument, vars{"definition": shop, "onto": theirs.integration}),
		"publishIntegration": h.do(publishDocument, vars{"id": theirs.integration}),
		"createInstance": h.do(instanceDocument, vars{"name": "I", "integration": theirs.version,
			"customer": ours.customer}),
		"deployInstance": h.do(deployDocument, vars{"id": theirs.instance}),
		"revokeApiToken": h.do(`mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { id } errors { field messages } } }`, vars{"id": theirs.token}),
		"createApiToken": h.do(`mutation ($user: ID!) { createApiToken(input: {name: "x", user: $user}) { secret errors { field messages } } }`,
			vars{"user": other.users[domain.Admin]}),
	} {
		if !strings.Contains(a.refused(name), "Record not found") {
			t.Errorf("%s: answered %s", name, a.body)
		}
	}
	if a := h.do(instanceDocument, vars{"name": "I", "integration": ours.version,
		"customer": theirs.customer}); !strings.Contains(a.refused("createInstance"), "Record not found") {
		t.Errorf("an instance for their customer: %s", a.body)
	}
	if got := h.since(before); got != "" {
		t.Errorf("wrote %s", got)
	}
}

// A name that one organization has taken is free in another.
func TestNamesAreUniquePerOrganization(t *testing.T) {
	h := newHarness(t)
	for _, o := range []org{h.org, h.organization("Rivals")} {
		h.made(h.doAs(o, customerDocument, vars{"name": "Acme", "externalId": "same"}), "createCustomer", "customer")
		h.made(h.doAs(o, userDocument, vars{"email": "same@example.com", "role": "VIEWER"}), "createOrganizationUser",
			"user")
	}
}
