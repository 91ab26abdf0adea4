package definition

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

//go:embed testdata/orders.yaml
var twoFlows string

func parse(t testing.TB, text string) *Part {
	t.Helper()
	def, _, err := Parse([]byte(text), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// counter makes ids that show when they were assigned.
func counter(prefix string) func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("%s%d", prefix, n)
	}
}

func TestIdentifyKeepsIdentity(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(twoFlows) }
	old := Identify(parse(t, twoFlows), nil, counter("old"))
	flow, fetch, key := old.Flows()[0], old.Flows()[0].Steps()[1], old.ConfigVars()[0]
	moved := strings.Replace(twoFlows, "{name: Some, steps: []}", `{name: Some, steps: [{name: Fetch,
          action: {key: httpGet, component: {key: http}}}]}`, 1)
	moved = strings.Replace(moved, "- name: Fetch\n", "- name: Fetch again\n", 1)
	for name, c := range map[string]struct {
		text string
		same func(new *Part) *Part // the part to look at
		want string                // its id, "" for a new one
	}{
		"same name":  {twoFlows, func(n *Part) *Part { return n.Flows()[0] }, flow.ID},
		"other name": {replace("Import", "Load"), func(n *Part) *Part { return n.Flows()[0] }, ""},
		"step moved into a branch": {moved, func(n *Part) *Part {
			return n.Flows()[0].Steps()[2].Branches()[0].Steps()[0]
		}, fetch.ID},
		"step that took its place": {moved, func(n *Part) *Part { return n.Flows()[0].Steps()[1] }, ""},
		"trigger with another name": {replace("name: Hook", "name: Called"), func(n *Part) *Part {
			return n.Flows()[0].Steps()[0]
		}, flow.Steps()[0].ID},
		"config page, second of its name": {twoFlows, func(n *Part) *Part { return n.Pages()[1] }, old.Pages()[1].ID},
		"branch": {twoFlows, func(n *Part) *Part {
			return n.Flows()[0].Steps()[2].Branches()[1]
		}, flow.Steps()[2].Branches()[1].ID},
		"flow renamed, says the file": {
			replace("name: Import", "name: Load") + "renameAttributes: {flows: [{oldName: Import, newName: Load}]}\n",
			func(n *Part) *Part { return n.Flows()[0] }, flow.ID,
		},
		"rename of what is still there": {
			replace("name: Clean up", "name: Load") + "renameAttributes: {flows: [{oldName: Import, newName: Load}]}\n",
			func(n *Part) *Part { return n.Flows()[1] }, "",
		},
		"rename from what never was": {
			replace("name: Import", "name: Load") + "renameAttributes: {flows: [{oldName: Nothing, newName: Load}]}\n",
			func(n *Part) *Part { return n.Flows()[0] }, "",
		},
		"config variable renamed, says the file": {
			replace("Shop URL", "Base URL") +
				"renameAttributes: {requiredConfigVars: [{oldName: Shop URL, newName: Base URL}]}\n",
			func(n *Part) *Part { return n.ConfigVars()[0] }, key.ID,
		},
		"step renamed, says the file": {
			replace("name: Fetch", "name: Load", "name: Import",
				"name: Import\n    renameAttributes: {steps: [{oldName: Fetch, newName: Load}]}"),
			func(n *Part) *Part { return n.Flows()[0].Steps()[1] }, fetch.ID,
		},
	} {
		t.Run(name, func(t *testing.T) {
			new := Identify(parse(t, c.text), old, counter("new"))
			got := c.same(new).ID
			if c.want == "" && !strings.HasPrefix(got, "new") || c.want != "" && got != c.want {
				t.Errorf("id %q, want %q", got, c.want)
			}
			again, err := Export(new, ExportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if changes := Diff(new, Identify(parse(t, string(again)), new, counter("again"))); len(changes) > 0 {
				t.Errorf("importing the export again changes %+v", changes)
			}
		})
	}
}

func TestIdentifyByStableKey(t *testing.T) {
	text := strings.Replace(twoFlows, "- name: Import", "- name: Import\n    stableKey: s1", 1)
	old := Identify(parse(t, text), nil, counter("old"))
	// The key goes with the renamed flow; the old name is another flow's.
	text = strings.NewReplacer("name: Import", "name: Clean up", "name: Clean up", "name: Import").Replace(text)
	new := Identify(parse(t, text), old, counter("new"))
	if got := new.Flows()[0]; got.ID != old.Flows()[0].ID || got.Name() != "Clean up" {
		t.Errorf("flow %q has id %s", got.Name(), got.ID)
	}
	if got := new.Flows()[1].ID; !strings.HasPrefix(got, "new") {
		t.Errorf("the other flow has id %s of the flow that moved on", got)
	}
}

func TestIdentifyGivesEachPartItsOwnID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		edited := withoutIDs(m.mutate(old))
		if len(structure(edited).problems) > 0 {
			t.Skip("Parse refuses that")
		}
		new := Identify(edited, old, counter("new"))
		kinds := siblingsByID(old)
		for id, at := range siblingsByID(new) {
			if was, known := kinds[id]; known && (was.list != at.list || was.node.IsTrigger() != at.node.IsTrigger()) {
				t.Fatalf("%s was in %s and is in %s", id, was.list, at.list)
			} else if !known && !strings.HasPrefix(id, "new") {
				t.Fatalf("id %q comes from nowhere", id)
			}
		}
		parts := 0
		for range new.All() {
			parts++
		}
		if parts != len(siblingsByID(new))+1 {
			t.Fatal("two parts share an id")
		}
		if got := Identify(withoutIDs(new), new, counter("again")); !got.Equal(new) {
			t.Fatal("the same again does not get the same ids")
		}
	})
}
