package definition

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCompare(t *testing.T) {
	old := edible(t) // flow1 holds flow2, the loop, which holds flow3, and flow4
	new := Apply(old, []Change{
		{Op: SetOp, Path: []string{"documentation"}, Value: "# D"},
		{Op: SetOp, Path: []string{"labels"}, Value: []any{"a"}},
		{Op: AddOp, List: configVarList,
			Part: &Part{ID: "var", Fields: map[string]any{"key": "URL", "dataType": "string"}}},
		{Op: MoveOp, Node: "flow4", Parent: "flow2", List: stepList},
		{Op: SetOp, Node: "flow4", Path: []string{"name"}, Value: "first"},
		{Op: SetOp, Node: "flow4", Path: []string{"inputs", "url"}, Value: nil},
		{Op: UnsetOp, Node: "flow2", Path: []string{"action"}},
		{Op: RemoveOp, Node: "flow3"},
	})
	action := old.Find("flow2").Fields["action"]
	want := []PartDifference{
		{Kind: "integration", Name: "I",
			Fields: []FieldDifference{{Path: []string{"documentation"}, After: "# D", Set: true},
				{Path: []string{"labels"}, After: []any{"a"}, Set: true}}},
		{ID: "flow2", Kind: "step", Name: "loop", Flow: "flow",
			Fields: []FieldDifference{{Path: []string{"action"}, Before: action, WasSet: true}}},
		{ID: "flow4", Kind: "step", Name: "first", Flow: "flow", Moved: true, WasName: "last",
			Fields: []FieldDifference{
				{Path: []string{"inputs", "url"}, Set: true}, {Path: []string{"name"}, Before: "last", After: "first",
					Set: true, WasSet: true}}},
		{ID: "var", Kind: "config variable", Name: "URL", New: true},
		{ID: "flow3", Kind: "step", Name: "inner", Flow: "flow", Deleted: true},
	}
	if diff := cmp.Diff(want, Compare(old, new)); diff != "" {
		t.Error(diff)
	}
	if same := Compare(new, new); same != nil {
		t.Errorf("nothing differs, and yet %+v", same)
	}
}

// Every new, removed or changed part is reported once, and no other.
func TestCompareTellsEveryPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		new := m.mutate(old)
		told := map[string]PartDifference{}
		for _, p := range Compare(old, new) {
			if _, twice := told[p.ID]; twice {
				t.Fatalf("%q is told twice", p.ID)
			}
			told[p.ID] = p
		}
		for n := range new.All() {
			was, p := old.Find(n.ID), told[n.ID]
			if n.ID == "" {
				was = old
			}
			if p.New != (was == nil) {
				t.Fatalf("%q: new is %v", n.ID, p.New)
			}
			if differ := was != nil && !cmp.Equal(fieldsOf(was), fieldsOf(n)); differ != p.Modified() {
				t.Fatalf("%q: modified is %v", n.ID, p.Modified())
			}
		}
		for n := range old.All() {
			if gone := n.ID != "" && new.Find(n.ID) == nil; gone != told[n.ID].Deleted {
				t.Fatalf("%q: deleted is %v", n.ID, told[n.ID].Deleted)
			}
		}
	})
}

// fieldsOf returns the fields of a part; empty inputs count as none.
func fieldsOf(n *Part) map[string]any {
	all := map[string]any{}
	for key, v := range n.Fields {
		if m, is := v.(map[string]any); key != inputsField || !is || len(m) > 0 {
			all[key] = v
		}
	}
	return all
}

// fiveHundred is a definition of 500 steps in ten flows.
func fiveHundred() *Part {
	root := &Part{Fields: map[string]any{"name": "Large"}, Children: map[string][]*Part{flowList: {}}}
	for f := range 10 {
		flow := &Part{ID: fmt.Sprintf("flow%d", f), Fields: map[string]any{"name": fmt.Sprintf("Flow %d", f)},
			Children: map[string][]*Part{stepList: {}}}
		for s := range 50 {
			flow.Children[stepList] = append(flow.Children[stepList],
				&Part{ID: fmt.Sprintf("step%d.%d", f, s), Fields: map[string]any{
					"name": fmt.Sprintf("Step %d", s),
					"action": map[string]any{"key": "writeLog",
						"component": map[string]any{"key": "log", "isPublic": true, "version": int64(2)}},
					"inputs": map[string]any{"message": map[string]any{"type": "value",
						"value": fmt.Sprintf("message %d of %d", s, f)},
						"level": map[string]any{"type": "value", "value": "info"}}}})
		}
		root.Children[flowList] = append(root.Children[flowList], flow)
	}
	return root
}

// BenchmarkCompare compares two definitions of 500 steps of which a tenth differs.
func BenchmarkCompare(b *testing.B) {
	old := fiveHundred()
	var changes []Change
	for s := range 50 {
		changes = append(changes, Change{Op: SetOp, Node: fmt.Sprintf("step%d.%d", s%10, s), Path: []string{"name"},
			Value: "Renamed"})
	}
	new := Apply(old, append(changes, Change{Op: MoveOp, Node: "step3.7", Parent: "flow4", List: stepList}))
	for b.Loop() {
		if len(Compare(old, new)) != 51 {
			b.Fatal("not what was changed")
		}
	}
}
