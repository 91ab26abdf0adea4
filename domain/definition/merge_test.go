package definition

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMergeOfOneSideIsThatSide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		base := m.definition()
		changed := m.mutate(base)
		for name, merge := range map[string]func() (*Part, []MergeConflict){
			"mine":          func() (*Part, []MergeConflict) { return Merge(base, changed, base, nil) },
			"theirs":        func() (*Part, []MergeConflict) { return Merge(base, base, changed, nil) },
			"both the same": func() (*Part, []MergeConflict) { return Merge(base, changed, changed, nil) },
		} {
			if got, conflicts := merge(); len(conflicts) > 0 || !got.Equal(changed) {
				t.Fatalf("%s: %+v\n%s", name, conflicts, cmp.Diff(mustEncode(t, changed), mustEncode(t, got)))
			}
		}
	})
}

func TestMergeOfDisjointEditsCommutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		base := m.definition()
		a, b := m.mutate(base), m.mutate(base)
		if shareKey(Diff(base, a), Diff(base, b)) {
			t.Skip("they touch the same")
		}
		ab, one := Merge(base, a, b, nil)
		ba, other := Merge(base, b, a, nil)
		if len(one)+len(other) == 0 && !alike(Diff(base, a), Diff(base, b), ab, ba) {
			t.Fatal(cmp.Diff(mustEncode(t, ab), mustEncode(t, ba)))
		}
		if len(one) != len(other) {
			t.Fatalf("conflicts of one order %+v, of the other %+v", one, other)
		}
	})
}

// Every change that is not in a conflict is made, of both sides; and of a conflict that of the taken side.
func TestMergeLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		base := m.definition()
		a, b := m.mutate(base), m.mutate(base)
		_, conflicts := Merge(base, a, b, nil)
		for _, side := range []Side{Mine, Theirs} {
			take, lost := map[string]Side{}, map[string]bool{}
			for _, c := range conflicts {
				take[c.Key] = side
				for _, dropped := range map[Side][]Change{Mine: c.Theirs, Theirs: c.Mine}[side] {
					for _, key := range Touches(dropped) {
						lost[key] = true
					}
				}
			}
			merged, left := Merge(base, a, b, take)
			if len(left) > 0 {
				t.Fatalf("conflicts are left of those decided: %+v", left)
			}
			checkDone(t, merged, append(Diff(base, a), Diff(base, b)...), lost)
		}
	})
}

// checkDone looks in a definition for the field changes and removals that must not be lost.
func checkDone(t *rapid.T, merged *Part, changes []Change, lost map[string]bool) {
	parts := siblingsByID(merged)
	parts[""] = sibling{node: merged}
	for _, c := range changes {
		part, there := parts[c.Node]
		switch {
		case lost[Touches(c)[0]] || len(OverlapKeys(Touches(c), keysIn(lost))) > 0:
		case c.Op == RemoveOp && there:
			t.Fatalf("%s is there though it was removed", c.Node)
		case c.setsField():
			got, _ := part.node.Field(c.Path)
			if !there || c.Op == SetOp && !reflect.DeepEqual(got, c.Value) || c.Op == UnsetOp && got != nil {
				t.Fatalf("%v: %v of %s is %v", c.Value, c.Path, c.Node, got)
			}
		}
	}
}

func keysIn(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	return keys
}

func TestMergeConflicts(t *testing.T) {
	base := Identify(parse(t, twoFlows), nil, counter("p"))
	flow := base.Flows()[0]
	trigger, fetch, branch := flow.Steps()[0], flow.Steps()[1], flow.Steps()[2]
	rename := func(to string) []Change {
		return []Change{{Op: SetOp, Node: fetch.ID, Path: []string{"name"}, Value: to}}
	}
	remove := []Change{{Op: RemoveOp, Node: fetch.ID}}
	add := func(id, parent, after string) []Change {
		return []Change{{Op: AddOp, Parent: parent, List: stepList, After: after,
			Part: &Part{ID: id, Fields: map[string]any{"name": id}}}}
	}
	yes := branch.Branches()[0]
	move := []Change{{Op: MoveOp, Node: fetch.ID, Parent: yes.ID, List: stepList, From: flow.ID}}
	for name, c := range map[string]struct {
		mine, theirs []Change
		keys         []string
	}{
		"two names":               {rename("a"), rename("b"), []string{fetch.ID + "/name"}},
		"the same name":           {rename("a"), rename("a"), nil},
		"a name and a removal":    {rename("a"), remove, []string{fetch.ID + "/name"}},
		"a removal and a name":    {remove, rename("a"), []string{fetch.ID + "/name"}},
		"two removals":            {remove, remove, nil},
		"a move and a name":       {move, rename("a"), nil},
		"a move and a removal":    {move, remove, []string{fetch.ID + "/@place"}},
		"both behind the same":    {add("x", flow.ID, trigger.ID), add("y", flow.ID, trigger.ID), nil},
		"behind what they remove": {add("x", flow.ID, fetch.ID), remove, nil},
		"into what they remove": {add("x", yes.ID, ""), []Change{{Op: RemoveOp, Node: branch.ID}},
			[]string{"x/@place"}},
		"a name and what is above it": {rename("a"), []Change{{Op: RemoveOp, Node: flow.ID}},
			[]string{fetch.ID + "/name"}},
	} {
		t.Run(name, func(t *testing.T) {
			merged, conflicts := Merge(base, Apply(base, c.mine), Apply(base, c.theirs), nil)
			var keys []string
			for _, conflict := range conflicts {
				keys = append(keys, conflict.Key)
			}
			if diff := cmp.Diff(c.keys, keys); diff != "" {
				t.Error(diff)
			}
			if name == "both behind the same" && (merged.Find("x") == nil || merged.Find("y") == nil) {
				t.Error("one of the two is lost")
			}
			if steps := merged.Find(flow.ID).Steps(); name == "behind what they remove" &&
				(len(steps) < 2 || steps[1].ID != "x") {
				t.Error("it does not stand where the removed one did")
			}
		})
	}
}
