package graph

import (
	"strings"
	"testing"

	"heddle/domain"
)

// keyed is a definition whose flow takes API keys of the organization.
func keyed(keys ...string) string {
	return strings.Replace(shop, "  - name: Orders\n",
		"  - name: Orders\n    endpointSecurityType: organization\n    organizationApiKeys: ['"+
			strings.Join(keys, "', '")+"']\n", 1)
}

const first, second = "sk-the-first-key-1111", "sk-the-second-key-2222"

// API keys in a definition are sealed at every entrance: no event, answer or export has them, but their ends.
func TestOrganizationKeysAreSealed(t *testing.T) {
	h := newHarness(t)
	if !strings.Contains(keyed("k"), "organizationApiKeys") {
		t.Fatal("the definition has no such flow")
	}
	id := h.imported(h.org, keyed(first))
	flow, _ := h.firstFlow(id)
	made := h.do(createDocument, vars{"input": vars{"name": "Made",
		"definition": keyed(first)}}).text("createIntegration.integration.id")
	h.edit(domain.Admin, id, h.draftAt(id), set(flow, `["`+second+`"]`, "organizationApiKeys"))
	if got := h.edit(domain.Admin, id, h.draftAt(id),
		set(flow, `"`+first+`"`, "organizationApiKeys")).refused("editDraft"); !strings.Contains(got,
		"a list of texts") {
		t.Errorf("as a text: %q", got)
	}
	h.edit(domain.Admin, id, h.draftAt(id), vars{"op": "ADD", "list": "flows",
		"part": `{"name": "More", "organizationApiKeys": ["` + first + `"], "steps": []}`})
	h.do(`mutation ($id: ID!, $s: [DraftChangeInput!]) { openThread(input: {id: $id, text: "So.", suggestion: $s}) { thread { suggestion } `+errorFields+` } }`,
		vars{"id": id, "s": []any{set(flow, `["`+first+`"]`, "organizationApiKeys")}})
	for _, of := range []string{id, made, h.published(h.org, made)} {
		yaml := h.do(exportDocument, vars{"id": of}).text("integration.definition")
		if !strings.Contains(yaml, "organizationApiKeys") || !strings.Contains(yaml, "…") || !strings.Contains(yaml,
			"(sealed:") {
			t.Errorf("exported\n%s", yaml)
		}
		for _, key := range []string{first, second} {
			if strings.Contains(yaml, key) {
				t.Errorf("exported with the key\n%s", yaml)
			}
		}
	}
	for _, e := range h.events() {
		for _, key := range []string{first, second} {
			if strings.Contains(string(e.Data), key) {
				t.Errorf("%s of %s has the key", e.Kind, e.Stream)
			}
		}
	}
}

// What was exported can be imported again, and changes nothing; so can the keys themselves. What another server
// has sealed is left out, and told of.
func TestOrganizationKeysComeBack(t *testing.T) {
	h := newHarness(t)
	rivals := h.organization("Rivals")
	id := h.imported(h.org, keyed(first, second))
	exported := h.do(exportDocument, vars{"id": id}).text("integration.definition")
	before := len(h.events())
	for name, text := range map[string]string{"the export": exported, "the keys": keyed(first, second),
		"relabelled": strings.ReplaceAll(exported, "…", "…z")} {
		if a := h.do(importDocument, vars{"definition": text, "onto": id}); a.refused("importIntegration") != "" ||
			h.since(before) != "" ||
			strings.Contains(a.body, "another server's") {
			t.Errorf("%s: answered %s, wrote %s", name, a.body, h.since(before))
		}
	}
	copied := h.imported(h.org, exported)
	if got := h.do(exportDocument, vars{"id": copied}).text("integration.definition"); strings.Count(got,
		"(sealed:") != 2 {
		t.Errorf("a copy has\n%s", got)
	}
	a := h.doAs(rivals, importDocument, vars{"definition": exported})
	theirs := h.made(a, "importIntegration", "integration")
	if n := strings.Count(a.body, "is another server's or organization's"); n != 2 ||
		!strings.Contains(a.texts("importIntegration.warnings", "flow"), "Orders Orders") {
		t.Errorf("elsewhere: %s", a.body)
	}
	if got := h.doAs(rivals, exportDocument, vars{"id": theirs}).text("integration.definition"); strings.Contains(got,
		"(sealed:") {
		t.Errorf("elsewhere it is\n%s", got)
	}
	flow, _ := h.firstFlow(id)
	broken := `["…zzzz (sealed:AAAA)"]`
	if got := h.edit(domain.Admin, id, h.draftAt(id),
		set(flow, broken, "organizationApiKeys")).refused("editDraft"); !strings.HasPrefix(got,
		"changes: the API key …zzzz") {
		t.Errorf("edited: %q", got)
	}
}
