package graph

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
)

const (
	draftFields  = `integration { id name draftRevision definition flows { nodes { id name } } } revision missed { revision by { name } changes } ` + errorFields
	editDocument = `mutation ($id: ID!, $at: String!, $changes: [DraftChangeInput!]!) { editDraft(input: {id: $id, expectedRevision: $at, changes: $changes}) { ` + draftFields + ` } }`
	undoDocument = `mutation ($id: ID!, $at: String!, $edits: Int) { undoDraft(input: {id: $id, expectedRevision: $at, edits: $edits}) { ` + draftFields + ` } }`
	dropDocument = `mutation ($id: ID!, $at: String!) { discardDraft(input: {id: $id, expectedRevision: $at}) { ` +
		draftFields + ` } }`
)

// edit changes a draft as somebody with a role.
func (h *harness) edit(as domain.Role, id, at string, changes ...vars) reply {
	h.t.Helper()
	list := []any{}
	for _, c := range changes {
		list = append(list, c)
	}
	return h.ask(h.tokens[as], editDocument, vars{"id": id, "at": at, "changes": list})
}

func (h *harness) draftAt(id string) string {
	h.t.Helper()
	return h.do(`query ($id: ID!) { integration(id: $id) { draftRevision } }`,
		vars{"id": id}).text("integration.draftRevision")
}

func set(node, value string, path ...any) vars {
	return vars{"op": "SET", "node": node, "path": path, "value": value}
}

// firstFlow is the id of a draft's first flow, and those of its steps.
func (h *harness) firstFlow(id string) (flow string, steps []string) {
	h.t.Helper()
	content, err := h.content(h.as(h.org), Integration{integration: must(h, id)})
	h.must(err)
	for _, s := range content.Flows()[0].Steps() {
		steps = append(steps, s.ID)
	}
	return content.Flows()[0].ID, steps
}

func must(h *harness, id string) domain.Integration {
	i, _ := h.View.Integrations.Get(h.id, id)
	return i
}

func TestEditDraft(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	flow, steps := h.firstFlow(id)
	if at := h.draftAt(id); at != "0.0" {
		t.Errorf("it begins at %s", at)
	}
	added := uuid.NewString()
	before := len(h.events())
	part := `{"name": "Loop", "action": {"key": "loopOverItems", "component": {"key": "loop", "isPublic": true}}, "steps": [{"name": "In", "action": {"key": "writeLog", "component": {"key": "log", "isPublic": true}}}]}`
	a := h.edit(domain.Collaborator, id, "0.0", vars{"op": "ADD", "node": added, "parent": flow, "list": "steps",
		"after": steps[0], "part": part},
		set(added, `{"type": "value", "value": 1.0}`, "inputs", "items"), vars{"op": "MOVE", "node": steps[1],
			"parent": added, "list": "steps"},
		set(steps[1], `"Say"`, "name"), vars{"op": "UNSET", "node": flow, "path": []any{"description"}})
	if a.refused("editDraft") != "" || a.text("editDraft.revision") != "0.1" || h.since(before) != "DraftEdited" ||
		len(a.at("editDraft.missed").([]any)) != 0 {
		t.Fatalf("answered %s, wrote %s", a.body, h.since(before))
	}
	content, err := h.content(h.as(h.org), Integration{integration: must(h, id)})
	h.must(err)
	loop := content.Find(added)
	if loop == nil || loop.Name() != "Loop" || len(loop.Steps()) != 2 || loop.Steps()[0].ID != steps[1] ||
		loop.Steps()[0].Name() != "Say" ||
		loop.Inputs()["items"].(map[string]any)["value"] != int64(1) || content.Flows()[0].Text("description") != "" ||
		loop.Steps()[1].ID == "" {
		t.Errorf("the draft is now %s", a.text("editDraft.integration.definition"))
	}
	before = len(h.events())
	if a := h.edit(domain.Admin, id, "0.1", set(steps[1], `"Say"`, "name")); a.refused("editDraft") != "" ||
		a.text("editDraft.revision") != "0.1" || h.since(before) != "" {
		t.Errorf("what is so already: answered %s, wrote %s", a.body, h.since(before))
	}
}

// Edits of different things by two people both survive, told to the second; of the same thing the
// second is refused and told who was first, whether it was changed or removed.
func TestTwoEdit(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	flow, steps := h.firstFlow(id)
	h.edit(domain.Admin, id, "0.0", set(steps[1], `{"type": "value", "value": "a"}`, "inputs", "message"))
	a := h.edit(domain.Collaborator, id, "0.0", set(steps[1], `"Mine"`, "name"), set("", `"Both"`, "name"))
	if a.text("editDraft.integration.name") != "Both" || a.text("editDraft.revision") != "0.2" ||
		a.texts("editDraft.missed", "revision") != "0.1" ||
		a.text("editDraft.missed.0.by.name") != "ADMIN" || !strings.Contains(a.text("editDraft.missed.0.changes"),
		`"message"`) {
		t.Errorf("different things: %s", a.body)
	}
	before := len(h.events())
	a = h.edit(domain.Collaborator, id, "0.0", set(steps[1], `{"type": "value", "value": "b"}`, "inputs", "message"))
	if got := a.refused("editDraft"); !strings.HasPrefix(got,
		`expectedRevision: ADMIN changed inputs.message of step "Mine" of flow "Orders" meanwhile, at `) || h.since(before) != "" {
		t.Errorf("the same thing: %q", got)
	}
	h.edit(domain.Admin, id, "0.2", vars{"op": "REMOVE", "node": steps[1]})
	if got := h.edit(domain.Collaborator, id, "0.2",
		set(steps[1], `"Later"`, "name")).refused("editDraft"); !strings.HasPrefix(got,
		"expectedRevision: ADMIN changed a part that is gone meanwhile") {
		t.Errorf("what was removed: %q", got)
	}
	if got := h.edit(domain.Collaborator, id, "0.3",
		set(steps[1], `"Later"`, "name")).refused("editDraft"); !strings.Contains(got, "there is no part") {
		t.Errorf("what is known to be removed: %q", got)
	}
	h.published(h.org, id)
	if got := h.edit(domain.Collaborator, id, "0.3",
		set(flow, `"Later"`, "name")).refused("editDraft"); !strings.HasPrefix(got,
		"expectedRevision: version 1 was published meanwhile by ADMIN at ") {
		t.Errorf("after a publish: %q", got)
	}
}

// The first edits after a version race to open the draft, and none is refused for that.
// Two who add a step behind the same one lose neither.
func TestTwoAddAtOnePlace(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	flow, steps := h.firstFlow(id)
	last, at := steps[len(steps)-1], h.draftAt(id)
	add := func(as domain.Role, name string) reply {
		return h.edit(as, id, at, vars{"op": "ADD", "parent": flow, "list": "steps", "after": last,
			"part": `{"name": "` + name + `", "action": {"key": "writeLog", "component": {"key": "log", "isPublic": true}}}`})
	}
	for as, name := range map[domain.Role]string{domain.Admin: "Mine", domain.Collaborator: "Theirs"} {
		if why := add(as, name).refused("editDraft"); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
	if _, now := h.firstFlow(id); len(now) != len(steps)+2 {
		t.Errorf("there are %d steps, not two more than %d", len(now), len(steps))
	}
	gone := h.edit(domain.Admin, id, h.draftAt(id), vars{"op": "REMOVE", "node": last})
	if got := add(domain.Collaborator, "Late").refused("editDraft"); gone.refused("editDraft") != "" ||
		!strings.HasPrefix(got, "expectedRevision: ADMIN changed a part that is gone meanwhile") {
		t.Errorf("behind one that is gone: %s", got)
	}
}

func TestFirstEditsAtOnce(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	if at := h.draftAt(id); at != "1.-1" {
		t.Fatalf("the draft is at %s", at)
	}
	var wg sync.WaitGroup
	keys := []string{"name", "description", "category", "documentation"}
	for _, key := range keys {
		wg.Go(func() {
			if a := h.edit(domain.Collaborator, id, "1.-1", set("", `"x"`, key)); a.refused("editDraft") != "" ||
				len(a.Errors) > 0 {
				t.Errorf("%s: %s", key, a.body)
			}
		})
	}
	wg.Wait()
	a := h.do(`query ($id: ID!) { integration(id: $id) { name description category documentation draftRevision } }`,
		vars{"id": id})
	for _, key := range keys {
		if a.text("integration."+key) != "x" {
			t.Errorf("%s is lost: %s", key, a.body)
		}
	}
}

func TestUndo(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	for n, name := range []string{`"A"`, `"B"`, `"C"`} {
		h.edit(domain.Admin, id, draftPlace{0, store.Revision(n)}.String(), set("", name, "name"))
	}
	undo := func(edits any) reply { return h.do(undoDocument, vars{"id": id, "at": h.draftAt(id), "edits": edits}) }
	for _, c := range []struct {
		edits any
		name  string
	}{{nil, "B"}, {1, "A"}, {1, "Shop"}} {
		if a := undo(c.edits); a.text("undoDraft.integration.name") != c.name {
			t.Errorf("undone to %s, want %s", a.body, c.name)
		}
	}
	before := len(h.events())
	for _, edits := range []int{1, 0, -1} {
		if got := undo(edits).refused("undoDraft"); got != "edits: 0 edits can be undone" || h.since(before) != "" {
			t.Errorf("%d more: %q", edits, got)
		}
	}
	h.edit(domain.Admin, id, h.draftAt(id), set("", `"D"`, "name"))
	h.edit(domain.Admin, id, h.draftAt(id), set("", `"d"`, "description"))
	at := h.draftAt(id)
	h.edit(domain.Collaborator, id, at, set("", `"c"`, "category"))
	if a := h.do(undoDocument, vars{"id": id, "at": at, "edits": 2}); a.text("undoDraft.integration.name") != "Shop" ||
		!strings.Contains(a.text("undoDraft.integration.definition"), "category: c") {
		t.Errorf("undoing beside another's edit: %s", a.body)
	}
	at = h.draftAt(id)
	h.edit(domain.Admin, id, at, set("", `"E"`, "name"))
	mine := h.draftAt(id)
	h.edit(domain.Collaborator, id, mine, set("", `"F"`, "name"))
	if got := h.do(undoDocument, vars{"id": id, "at": mine}).refused("undoDraft"); !strings.HasPrefix(got,
		"expectedRevision: COLLABORATOR changed name of integration meanwhile") {
		t.Errorf("undoing what another has changed again: %q", got)
	}
}

func TestDiscard(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	drop := func(at string) reply { return h.do(dropDocument, vars{"id": id, "at": at}) }
	if got := drop("0.0").refused("discardDraft"); !strings.HasPrefix(got,
		"__all__: there is no version yet to go back to") {
		t.Errorf("before a version: %q", got)
	}
	h.published(h.org, id)
	h.edit(domain.Admin, id, "1.-1", set("", `"A"`, "name"))
	h.edit(domain.Collaborator, id, "1.1", set("", `"d"`, "description"))
	before := len(h.events())
	if got := drop("1.1").refused("discardDraft"); !strings.HasPrefix(got,
		"expectedRevision: COLLABORATOR changed the whole draft") || h.since(before) != "" {
		t.Errorf("over another's edit: %q", got)
	}
	if a := drop("1.2"); a.text("discardDraft.integration.name") != "Shop" || h.since(before) != "DraftDiscarded" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	if got := h.do(publishDocument, vars{"id": id}).refused("publishIntegration"); got != "id: nothing has changed since version 1; edit or import first" {
		t.Errorf("publishing it: %q", got)
	}
	if got := h.edit(domain.Admin, id, "1.2", set("", `"x"`, "category")).refused("editDraft"); !strings.HasPrefix(got,
		"expectedRevision: ADMIN changed the whole draft") {
		t.Errorf("editing what was discarded: %q", got)
	}
	if a := h.do(undoDocument, vars{"id": id, "at": h.draftAt(id)}); a.text("undoDraft.integration.name") != "A" {
		t.Errorf("undoing the discard: %s", a.body)
	}
}

func TestEditRefusals(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, h.imported(h.org, shop))
	flow, _ := h.firstFlow(id)
	name := set("", `"x"`, "name")
	for want, c := range map[string]struct {
		id, at string
		change vars
	}{
		`expectedRevision: "x" is no draftRevision`:    {id, "x", name},
		`expectedRevision: "0.0 " is no draftRevision`: {id, "0.0 ", name},
		`expectedRevision: "0.-2" is no draftRevision`: {id, "0.-2", name},
		"__all__: revision 9 does not exist":           {id, "0.9", name},
		"id: is a published version":                   {version, "0.0", name},
		"id: Record not found":                         {"x", "0.0", name},
		"changes: change 1: value: must be one JSON document": {id, "0.0", vars{"op": "SET", "path": []any{"name"},
			"value": "x y"}},
		"changes: change 1: part: must be one JSON document": {id, "0.0",
			vars{"op": "ADD", "list": "flows", "part": "[]"}},
		`changes: change 1: list: "x" is no list of parts`: {id, "0.0",
			vars{"op": "ADD", "list": "x", "part": "{}"}},
		"definition: name: it must be text":          {id, "0.0", set(flow, "1", "name")},
		"path: \"action.key\" is no place in a flow": {id, "0.0", set(flow, "1", "action", "key")},
		"__all__: there is no part \"gone\"":         {id, "0.0", set("gone", "1", "name")},
	} {
		before := len(h.events())
		if a := h.edit(domain.Admin, c.id, c.at, c.change); !strings.HasPrefix(a.refused("editDraft"), want) ||
			a.at("editDraft.integration") != nil || h.since(before) != "" {
			t.Errorf("%s: answered %s, wrote %q", want, a.body, h.since(before))
		}
	}
}
