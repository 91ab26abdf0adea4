package definition

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func mustEncode(t interface{ Fatal(...any) }, def *Part) string {
	data, err := Encode(def)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// event holds the fields of draft events that hold definitions.
type event struct {
	Definition *Part
	Changes    []Change
}

func (e *event) Normalize() {
	e.Definition.Normalize()
	for i := range e.Changes {
		e.Changes[i].Normalize()
	}
}

// stored returns the changes as they come back from an event.
func stored(t interface{ Fatal(...any) }, changes []Change) []Change {
	data, err := encodeJSON(event{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	var back event
	if err := Unmarshal(data, &back, Full); err != nil {
		t.Fatal(err)
	}
	return back.Changes
}

func TestChangesLeadFromOldToNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		new := m.mutate(old)
		before := mustEncode(t, old)
		changes := Diff(old, new)
		got := Apply(old, stored(t, changes))
		if !got.Equal(new) {
			t.Fatalf("changes %+v\n%s", changes, cmp.Diff(mustEncode(t, new), mustEncode(t, got)))
		}
		if len(Diff(new, got)) > 0 || len(Diff(new, new)) > 0 {
			t.Fatal("there are changes between equals")
		}
		if mustEncode(t, old) != before {
			t.Fatal("the old definition was changed in place")
		}
		ids := map[string]bool{}
		for part := range got.All() {
			if ids[part.ID] {
				t.Fatalf("two parts have id %q", part.ID)
			}
			ids[part.ID] = true
		}
	})
}

func TestSummaryFollowsChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		changes := Diff(old, m.mutate(old))
		want := Summary(Apply(old, changes))
		got := Summary(Apply(Summary(old), changes))
		if !got.Equal(want) {
			t.Fatalf("changes %+v\n%s", changes, cmp.Diff(mustEncode(t, want), mustEncode(t, got)))
		}
	})
}

// Changes that are read without parts make the same summaries as all of them.
func TestSummaryOfChangesReadWithoutParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		changes := Diff(old, m.mutate(old))
		data, err := encodeJSON(event{old, changes})
		if err != nil {
			t.Fatal(err)
		}
		read := func(mode Mode) *Part {
			var e event
			if err := Unmarshal(data, &e, mode); err != nil {
				t.Fatal(err)
			}
			return Summary(Apply(e.Definition, e.Changes))
		}
		if diff := cmp.Diff(read(Full), read(Partless), cmp.Comparer((*Part).Equal)); diff != "" {
			t.Fatalf("changes %+v\n%s", changes, diff)
		}
	})
}

func TestChangesThatDoNotOverlapCommute(t *testing.T) {
	apart, together := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		a, b := Diff(old, m.mutate(old)), Diff(old, m.mutate(old))
		if overlap := Overlap(a, b); (len(overlap) > 0) != (len(Overlap(b, a)) > 0) {
			t.Fatalf("overlap is not mutual: %v, %v", overlap, Overlap(b, a))
		} else if shareKey(a, b) {
			if len(overlap) == 0 {
				t.Fatal("a common key is no overlap")
			}
			t.Skip("they touch the same")
		}
		if len(a) > 0 && len(b) > 0 {
			apart++
		}
		ab, ba := Apply(Apply(old, a), b), Apply(Apply(old, b), a)
		if sharePlace(a, b) {
			together++
		}
		if !alike(a, b, ab, ba) {
			t.Fatalf("a %+v\nb %+v\n%s", a, b, cmp.Diff(mustEncode(t, ab), mustEncode(t, ba)))
		}
	})
	t.Logf("%d pairs commuted, %d of them but for the order of what they put into one place", apart, together)
}

// alike reports whether two lists of changes have the same result in either order, except for the order of
// parts that both put into one place.
func alike(a, b []Change, ab, ba *Part) bool {
	if sharePlace(a, b) {
		ab, ba = unordered(ab), unordered(ba)
	}
	return ab.Equal(ba)
}

// sharePlace reports whether two lists of changes put parts into one place.
func sharePlace(a, b []Change) bool {
	places := map[string]bool{}
	for _, c := range a {
		if c.Op == AddOp || c.Op == MoveOp {
			places[slotKey(c)] = true
		}
	}
	return slices.ContainsFunc(b, func(c Change) bool {
		return (c.Op == AddOp || c.Op == MoveOp) && places[slotKey(c)]
	})
}

// unordered returns a definition with every list in the order of ids.
func unordered(n *Part) *Part {
	c := &Part{ID: n.ID, Fields: n.Fields}
	if n.Children != nil {
		c.Children = map[string][]*Part{}
	}
	for list, children := range n.Children {
		c.Children[list] = []*Part{}
		for _, child := range children {
			c.Children[list] = append(c.Children[list], unordered(child))
		}
		slices.SortFunc(c.Children[list], func(a, b *Part) int { return strings.Compare(a.ID, b.ID) })
	}
	return c
}

// shareKey reports whether two lists of changes share a key, or one touches a part behind which the other puts
// one.
func shareKey(a, b []Change) bool {
	if slices.ContainsFunc(Overlap(a, b), func(key string) bool { return strings.Contains(key, "/@") }) {
		return true
	}
	keys := map[string]bool{}
	for _, c := range a {
		for _, key := range Touches(c) {
			keys[key] = true
		}
	}
	return slices.ContainsFunc(b, func(c Change) bool {
		return slices.ContainsFunc(Touches(c), func(key string) bool { return keys[key] })
	})
}

func TestOverlapTellsWhatWouldBeLost(t *testing.T) {
	url := []Change{{Op: SetOp, Node: "s", Path: []string{"inputs", "url"}}}
	for name, c := range map[string]struct {
		other Change
		want  []string
	}{
		"another input": {Change{Op: SetOp, Node: "s", Path: []string{"inputs", "body"}}, nil},
		"the same input": {Change{Op: SetOp, Node: "s", Path: []string{"inputs", "url"}},
			[]string{"s/inputs/url"}},
		"all inputs":           {Change{Op: SetOp, Node: "s", Path: []string{"inputs"}}, []string{"s/inputs"}},
		"another step":         {Change{Op: RemoveOp, Node: "ss"}, nil},
		"the step moved":       {Change{Op: MoveOp, Node: "s", Parent: "f", List: stepList}, nil},
		"the step removed":     {Change{Op: RemoveOp, Node: "s"}, []string{"s"}},
		"its flow removed":     {Change{Op: RemoveOp, Node: "f", Below: []string{"s"}}, []string{"s"}},
		"the root's own field": {Change{Op: SetOp, Path: []string{"name"}}, nil},
	} {
		if diff := cmp.Diff(c.want, Overlap(url, []Change{c.other})); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestApplySharesWhatDidNotChange(t *testing.T) {
	def := Identify(parse(t, twoFlows), nil, counter("p"))
	flow := def.Flows()[1]
	got := Apply(def, []Change{{Op: SetOp, Node: flow.ID, Path: []string{"description"}, Value: "new"}})
	if got.Flows()[0] != def.Flows()[0] || got.Flows()[1].Steps()[0] != flow.Steps()[0] {
		t.Error("parts that did not change were copied")
	}
	if got := Apply(def, []Change{{Op: UnsetOp, Node: flow.ID, List: stepList}}); !got.Equal(def) {
		t.Error("a list that is not empty was dropped")
	}
}

func TestApplySkipsWhatIsNotThere(t *testing.T) {
	def := Identify(parse(t, twoFlows), nil, counter("p"))
	flow := def.Flows()[0].ID
	for _, c := range []Change{
		{Op: SetOp, Node: "gone", Path: []string{"name"}, Value: "x"},
		{Op: UnsetOp, Node: "gone", Path: []string{"name"}},
		{Op: UnsetOp, Node: flow, Path: []string{"inputs", "url"}},
		{Op: RemoveOp, Node: "gone"},
		{Op: RemoveOp},
		{Op: MoveOp, Node: "gone", Parent: flow, List: stepList},
		{Op: MoveOp, Node: flow, Parent: "gone", List: stepList},
		{Op: MoveOp, Node: flow, Parent: def.Flows()[0].Steps()[0].ID, List: stepList},
		{Op: AddOp, Parent: "gone", List: stepList, Part: &Part{ID: "new"}},
		{Op: AddOp, Parent: flow, List: stepList, Part: def.Flows()[1].Steps()[0]},
		{Op: AddOp, Parent: flow, List: stepList},
		{Op: "explode", Node: flow},
	} {
		if got := Apply(def, []Change{c}); !got.Equal(def) {
			t.Errorf("%+v changed the definition", c)
		}
		Touches(c)
	}
}

func TestDiffTellsWhatPeopleDid(t *testing.T) {
	def := Identify(parse(t, twoFlows), nil, counter("p"))
	first := def.Flows()[0]
	trigger, fetch, branch := first.Steps()[0], first.Steps()[1], first.Steps()[2]
	yes := branch.Branches()[0]
	edit := func(change func(def *Part)) *Part {
		c := deepCopy(def)
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		new  *Part
		want []Change
	}{
		"rename a step": {
			edit(func(d *Part) { d.Find(fetch.ID).Fields["name"] = "Load" }),
			[]Change{{Op: SetOp, Node: fetch.ID, Path: []string{"name"}, Value: "Load", Was: "Fetch"}},
		},
		"set one input": {
			edit(func(d *Part) { d.Find(fetch.ID).Inputs()["url"] = map[string]any{"type": "value", "value": "u"} }),
			[]Change{{Op: SetOp, Node: fetch.ID, Path: []string{"inputs", "url"},
				Value: map[string]any{"type": "value", "value": "u"}, Was: fetch.Inputs()["url"]}},
		},
		"move a step into a branch": {
			edit(func(d *Part) {
				f := d.Find(first.ID)
				d.Find(yes.ID).Children[stepList] = []*Part{f.Steps()[1]}
				f.Children[stepList] = slices.Delete(f.Steps(), 1, 2)
			}),
			[]Change{{Op: MoveOp, Node: fetch.ID, Parent: yes.ID, List: stepList, From: first.ID}},
		},
		"swap two steps": {
			edit(func(d *Part) { s := d.Find(first.ID).Steps(); s[1], s[2] = s[2], s[1] }),
			[]Change{{Op: MoveOp, Node: branch.ID, Parent: first.ID, List: stepList, After: trigger.ID}},
		},
		"remove a step": {
			edit(func(d *Part) { f := d.Find(first.ID); f.Children[stepList] = f.Steps()[:2] }),
			[]Change{{Op: RemoveOp, Node: branch.ID, Below: []string{yes.ID, branch.Branches()[1].ID}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Diff(def, c.new), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
