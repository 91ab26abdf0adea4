package graph

import (
	"strings"
	"testing"

	"heddle/domain"
)

const (
	conflictFields  = ` conflicts { key place base mine theirs } `
	beginDocument   = `mutation ($id: ID!, $name: String!, $from: ID) { createDraft(input: {id: $id, name: $name, from: $from}) { draft { id name isMain isBehind revision base { versionNumber } } revision ` + errorFields + ` } }`
	rebaseDocument  = `mutation ($id: ID!, $at: String!, $take: [MergeChoiceInput!]) { rebaseDraft(input: {id: $id, expectedRevision: $at, take: $take}) { draft { isBehind base { versionNumber } } revision ` + conflictFields + errorFields + ` } }`
	draftDocument   = `query ($id: ID!) { draft(id: $id) { id name isMain isBehind revision definition changes { name fields { path before after } } changeHash authors { name } version { versionNumber } scheduledPublish { at comment by { name } } reviewState approvals approvalsNeeded } }`
	openDocument    = `query ($integration: ID, $state: ReviewState, $to: Boolean, $mine: Boolean, $main: Boolean) { drafts(integration: $integration, reviewState: $state, toReview: $to, mine: $mine, isMain: $main) { totalCount nodes { id name } } }`
	releaseDocument = `mutation ($id: ID!, $why: String) { publishIntegration(input: {id: $id, bypassReason: $why}) { integration { id name versionNumber } ` + errorFields + ` } }`
)

// drafted begins a named draft and returns its id.
func (h *harness) drafted(id, name string) string {
	h.t.Helper()
	a := h.do(beginDocument, vars{"id": id, "name": name})
	if a.text("createDraft.draft.id") == "" {
		h.t.Fatal(a.body)
	}
	return a.text("createDraft.draft.id")
}

func (h *harness) revision(draft string) string {
	h.t.Helper()
	return h.do(draftDocument, vars{"id": draft}).text("draft.revision")
}

func named(value string) vars {
	return vars{"op": "SET", "path": []any{"name"}, "value": `"` + value + `"`}
}

func describing(value string) vars {
	return vars{"op": "SET", "path": []any{"description"}, "value": `"` + value + `"`}
}

func TestNamedDraftsAreApart(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	if got := h.do(beginDocument, vars{"id": id,
		"name": "Early"}).refused("createDraft"); got != "id: nothing is published yet; edit the main draft and publish it first" {
		t.Errorf("before the first version: %q", got)
	}
	first := h.published(h.org, id)
	one, two := h.drafted(id, "One"), h.drafted(id, " Two ")
	h.edit(domain.Collaborator, one, h.revision(one), named("First"))
	h.edit(domain.Admin, two, h.revision(two), describing("second"))
	h.edit(domain.Admin, id, h.draftAt(id), named("Main"))
	for draft, want := range map[string]string{one: "name: First\n", two: "description: second\n", id: "name: Main\n"} {
		a := h.do(draftDocument, vars{"id": draft})
		if n := strings.Count(a.text("draft.definition"), want); n != 1 || strings.Count(a.text("draft.definition"),
			"Main")+strings.Count(a.text("draft.definition"), "First")+strings.Count(a.text("draft.definition"),
			"second") != 1 {
			t.Errorf("%s of its own: %s", want, a.text("draft.definition"))
		}
	}
	if a := h.do(openDocument, vars{"integration": id}); a.at("drafts.totalCount") != 3.0 || a.texts("drafts.nodes",
		"name") != "One Two " {
		t.Errorf("lists %s", a.body)
	}
	if a := h.do(openDocument, vars{"integration": id, "main": false, "mine": true}); a.texts("drafts.nodes",
		"name") != "Two" {
		t.Errorf("lists as mine %s", a.body)
	}

	// Publishing one leaves the others as they are, and asks for a rebase before they follow.
	a := h.do(releaseDocument, vars{"id": one})
	if a.text("publishIntegration.integration.name") != "First" ||
		a.at("publishIntegration.integration.versionNumber") != 2.0 {
		t.Fatalf("published %s", a.body)
	}
	if a := h.do(draftDocument, vars{"id": one}); a.at("draft.version.versionNumber") != 2.0 ||
		a.at("draft.isBehind") != false {
		t.Errorf("the draft that was published is %s", a.body)
	}
	if a := h.edit(domain.Admin, one, "0.1", named("Late")); !strings.HasPrefix(a.refused("editDraft"),
		"__all__: the draft is closed") {
		t.Errorf("an edit of what was published: %s", a.body)
	}
	if i := must(h, id); i.Versions[0].ID != first || i.Versions[1].Draft != one {
		t.Errorf("the versions are %+v", i.Versions)
	}
	const behind = "id: version 2 was published since the draft was begun; rebase the draft onto it first"
	for _, draft := range []string{two, id} {
		before := len(h.events())
		if got := h.do(releaseDocument, vars{"id": draft}).refused("publishIntegration"); got != behind ||
			h.since(before) != "" {
			t.Errorf("publishing what is behind: %q, wrote %s", got, h.since(before))
		}
	}
	if a := h.do(rebaseDocument, vars{"id": two, "at": h.revision(two)}); a.refused("rebaseDraft") != "" ||
		a.at("rebaseDraft.draft.isBehind") != false {
		t.Fatalf("rebased %s", a.body)
	}
	if a := h.do(releaseDocument, vars{"id": two}); a.text("publishIntegration.integration.name") != "First" ||
		a.at("publishIntegration.integration.versionNumber") != 3.0 {
		t.Errorf("published %s", a.body)
	}

	// The main draft's name contradicts that of version 2.
	at := h.draftAt(id)
	a = h.do(rebaseDocument, vars{"id": id, "at": at})
	if a.text("rebaseDraft.conflicts.0.key") != "/name" || a.text("rebaseDraft.conflicts.0.base") != `"Shop"` ||
		!strings.Contains(a.text("rebaseDraft.conflicts.0.mine"), `"Main"`) ||
		!strings.Contains(a.text("rebaseDraft.conflicts.0.theirs"), `"First"`) ||
		!strings.HasPrefix(a.refused("rebaseDraft"), "take: ") {
		t.Fatalf("a contradiction: %s", a.body)
	}
	if a := h.do(rebaseDocument, vars{"id": id, "at": at,
		"take": []any{vars{"key": "/name", "side": "MINE"}}}); a.refused("rebaseDraft") != "" {
		t.Fatalf("with a choice: %s", a.body)
	}
	a = h.do(releaseDocument, vars{"id": id})
	if a.text("publishIntegration.integration.name") != "Main" ||
		!strings.Contains(h.do(draftDocument, vars{"id": two}).body, "second") {
		t.Errorf("published %s", a.body)
	}
	if a := h.do(openDocument, vars{"integration": id}); a.at("drafts.totalCount") != 0.0 {
		t.Errorf("lists %s", a.body)
	}
	if a := h.do(`query ($id: ID!) { integration(id: $id) { name description draftRevision } }`,
		vars{"id": id}); a.text("integration.name") != "Main" || a.text("integration.description") != "second" || a.text("integration.draftRevision") != "4.-1" {
		t.Errorf("the integration is now %s", a.body)
	}
}

// What a named draft has become is what the main draft begins with.
func TestMainDraftFollowsNamedOnes(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	stood := h.draftAt(id)
	draft := h.drafted(id, "One")
	h.edit(domain.Admin, draft, h.revision(draft), named("First"))
	h.do(releaseDocument, vars{"id": draft})
	if a := h.do(`{ integrations { nodes { name versionNumber } } }`,
		nil); a.text("integrations.nodes.0.name") != "First" {
		t.Errorf("the list shows %s", a.body)
	}
	if got := h.edit(domain.Admin, id, stood, named("Old")).refused("editDraft"); !strings.HasPrefix(got,
		"expectedRevision: version 2 was published meanwhile by ADMIN") {
		t.Errorf("an edit that was thought out on version 1: %q", got)
	}
	if a := h.edit(domain.Admin, id, h.draftAt(id), describing("d")); a.text("editDraft.integration.name") != "First" {
		t.Errorf("edited %s", a.body)
	}
	if a := h.do(releaseDocument, vars{"id": id}); a.at("publishIntegration.integration.versionNumber") != 3.0 {
		t.Errorf("published %s", a.body)
	}
}

func TestDiscardingNamedDrafts(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	draft := h.drafted(id, "One")
	h.edit(domain.Admin, draft, h.revision(draft), named("First"))
	if a := h.do(`mutation ($id: ID!) { updateDraft(input: {id: $id, name: "Other"}) { draft { name } `+errorFields+` } }`, vars{"id": draft}); a.text("updateDraft.draft.name") != "Other" {
		t.Errorf("renamed %s", a.body)
	}
	if got := h.do(`mutation ($id: ID!) { updateDraft(input: {id: $id, name: " "}) { `+errorFields+` } }`,
		vars{"id": draft}).refused("updateDraft"); got != "name: must have 1 to 200 characters" {
		t.Errorf("renamed to nothing: %q", got)
	}
	before := len(h.events())
	if a := h.do(dropDocument, vars{"id": draft, "at": h.revision(draft)}); a.refused("discardDraft") != "" ||
		h.since(before) != "DraftRemoved" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	if a := h.ask(h.tokens[domain.Admin], draftDocument, vars{"id": draft}); a.code() != "NOT_FOUND" {
		t.Errorf("it is still there: %s", a.body)
	}
	if a := h.do(openDocument, vars{"integration": id}); a.at("drafts.totalCount") != 0.0 {
		t.Errorf("lists %s", a.body)
	}
	for name, other := range map[string]string{"another organization's": h.organization("Others").tokens[domain.Admin]} {
		if a := h.ask(other, draftDocument, vars{"id": h.drafted(id, "Two")}); a.code() != "NOT_FOUND" {
			t.Errorf("%s sees it: %s", name, a.body)
		}
	}
}

// Importing onto a draft that is behind has it stand on the newest version: what is imported is all of it.
func TestImportOntoADraftThatIsBehind(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	one, two := h.drafted(id, "One"), h.drafted(id, "Two")
	for _, draft := range []string{one, two} {
		h.edit(domain.Admin, draft, h.revision(draft), named("First"))
	}
	h.do(releaseDocument, vars{"id": one})
	before := len(h.events())
	h.do(importDocument, vars{"definition": strings.Replace(shop, "name: Shop\n", "name: Next\n", 1), "onto": two})
	if a := h.do(releaseDocument, vars{"id": two}); a.text("publishIntegration.integration.name") != "Next" ||
		h.since(before) != "DraftRebased DraftClosed IntegrationPublished" {
		t.Errorf("published %s, wrote %s", a.body, h.since(before))
	}
}
