package graph

import (
	"testing"

	"heddle/domain"
)

// Whatever is a node is found by its id, in its own organization only.
func TestNode(t *testing.T) {
	h := newHouse(t)
	ours, theirs := h.furnish(h.org), h.furnish(h.organization("Rivals"))
	draft := h.do(`mutation ($id: ID!) { createDraft(input: {id: $id, name: "D"}) { draft { id } errors { messages } } }`, vars{"id": ours.integration}).text("createDraft.draft.id")
	a := h.do(`{ authenticatedUser { id } components(first: 1) { nodes { id } } }`, nil)
	for id, want := range map[string]string{ours.integration: "Integration", ours.version: "Integration", ours.instance: "Instance", ours.system: "Instance",
		ours.customer: "Customer", ours.execution: "InstanceExecutionResult", draft: "Draft", a.text("authenticatedUser.id"): "User",
		a.text("components.nodes.0.id"): "Component"} {
		got := h.do(`query ($id: ID!) { node(id: $id) { __typename id ... on Integration { name } ... on Instance { name } ... on Customer { name } } }`, vars{"id": id})
		if got.text("node.__typename") != want || got.text("node.id") != id {
			t.Errorf("%s: %s", want, got.body)
		}
	}
	for _, id := range []string{"", "none", ours.flow, ours.token, theirs.integration, theirs.version, theirs.instance, theirs.customer, theirs.execution} {
		if got := h.ask(h.tokens[domain.Viewer], `query ($id: ID!) { node(id: $id) { id } }`, vars{"id": id}); string(got.Data) != `{"node":null}` {
			t.Errorf("%q: %s", id, got.body)
		}
	}
}
