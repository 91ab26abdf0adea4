package definition

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heddle/domain/refusal"
)

// edible is a definition with a loop and a branch, whose parts have their names for ids.
func edible(t *testing.T) *Part {
	t.Helper()
	part := func(list string, said map[string]any) *Part {
		n, err := NewPart(list, said, counter(said["name"].(string)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	step := func(name string) map[string]any {
		return map[string]any{"name": name,
			"action": map[string]any{"key": "k", "component": map[string]any{"key": "c", "isPublic": true}}}
	}
	loop := step("loop")
	loop["steps"] = []any{step("inner")}
	return &Part{Fields: map[string]any{"name": "I"}, Children: map[string][]*Part{flowList: {
		part(flowList, map[string]any{"name": "flow", "steps": []any{loop, step("last")}})}}}
}

func TestEditRefuses(t *testing.T) {
	def := edible(t) // flow1 holds flow2, the loop, which holds flow3, and flow4
	if ids := strings.Join(idsOf(def), " "); ids != " flow1 flow2 flow3 flow4" {
		t.Fatalf("the parts are %s", ids)
	}
	part := &Part{ID: "new",
		Fields: map[string]any{"name": "x",
			"action": map[string]any{"key": "k", "component": map[string]any{"key": "c"}}}}
	for name, c := range map[string]struct {
		change Change
		want   string
	}{
		"no operation": {Change{Op: "copy"}, `INVALID op: "copy" is no operation`},
		"setting of no part": {Change{Op: SetOp, Node: "x", Path: []string{"name"}, Value: "y"},
			`NOT_FOUND there is no part "x"`},
		"setting nowhere": {Change{Op: SetOp, Node: "flow2"}, `INVALID path: "" is no place in a step`},
		"setting too deep": {Change{Op: SetOp, Node: "flow2", Path: []string{"action", "key"}, Value: "y"},
			`INVALID path: "action.key" is no place in a step`},
		"setting the wrong kind": {Change{Op: SetOp, Node: "flow2", Path: []string{"name"}, Value: int64(1)},
			`INVALID flow "flow": name: it must be text`},
		"setting a list of parts": {Change{Op: SetOp, Node: "flow1", Path: []string{"steps"}, Value: []any{}},
			`INVALID flow "flow": steps: it is a list of parts`},
		"taking a name": {Change{Op: UnsetOp, Node: "flow2", Path: []string{"name"}},
			`INVALID flow "flow": name: every step needs it`},
		"a list that is not": {Change{Op: SetOp, Node: "flow1", List: "branches"},
			`INVALID path: "" is no place in a flow`},
		"adding nowhere": {Change{Op: AddOp, Parent: "x", List: "steps", Part: part},
			`NOT_FOUND there is no part "x" in the draft to put anything into`},
		"adding to no list": {Change{Op: AddOp, Parent: "flow1", List: "branches", Part: part},
			`INVALID list: a flow has no list "branches"`},
		"adding behind nothing": {Change{Op: AddOp, Parent: "flow1", List: "steps", After: "flow3", Part: part},
			`NOT_FOUND there is no part "flow3" in that list`},
		"adding one that is there": {Change{Op: AddOp, Parent: "flow1", List: "steps", Part: def.Find("flow2")},
			`CONFLICT node: the id "flow2" is that of another part`},
		"adding one without an id": {Change{Op: AddOp, Parent: "flow1", List: "steps", Part: &Part{}},
			`CONFLICT node: the id "" is`},
		"removing all": {Change{Op: RemoveOp},
			"INVALID node: the integration itself can't be removed or moved"},
		"removing the last flow": {Change{Op: RemoveOp, Node: "flow1"},
			"INVALID flows: an integration needs at least one flow"},
		"moving into itself": {Change{Op: MoveOp, Node: "flow2", Parent: "flow2", List: "steps"},
			"INVALID parent: a part can't be moved into or behind itself"},
		"moving behind itself": {Change{Op: MoveOp, Node: "flow2", Parent: "flow1", List: "steps", After: "flow2"},
			"INVALID parent: a part can't be moved into or behind itself"},
		"moving to another kind": {Change{Op: MoveOp, Node: "flow2", List: "flows"},
			"INVALID list: a step can't be moved to flows"},
	} {
		if changes, err := Edit(def, []Change{c.change}, DefaultLimits); !strings.HasPrefix(refused(err), c.want) ||
			changes != nil {
			t.Errorf("%s: %v, %q, want %q", name, changes, refused(err), c.want)
		}
	}
}

func idsOf(def *Part) []string {
	var ids []string
	for n := range def.All() {
		ids = append(ids, n.ID)
	}
	return ids
}

func TestEdit(t *testing.T) {
	def := edible(t)
	edits := []Change{
		{Op: MoveOp, Node: "flow4", Parent: "flow2", List: "steps", After: "flow3"},
		{Op: RemoveOp, Node: "flow2"},
		{Op: SetOp, Path: []string{"labels"}, Value: []any{"B ", "b"}},
	}
	want := []Change{
		{Op: SetOp, Path: []string{"labels"}, Value: []any{"b"}},
		{Op: RemoveOp, Node: "flow2", Below: []string{"flow3"}},
		{Op: RemoveOp, Node: "flow4"},
	}
	got, err := Edit(def, edits, DefaultLimits)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// The difference of any two definitions is an edit that is accepted and complete.
func TestEditAcceptsEveryDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{T: t, prefix: "n"}
		old := m.definition()
		new := m.mutate(old)
		if len(structure(new).problems) > 0 {
			t.Skip("not a definition that can be edited")
		}
		changes := Diff(old, new)
		got, err := Edit(old, changes, Limits{Size: 1 << 30, Encoded: 1 << 30, Depth: 1 << 20, Values: 1 << 30})
		if err != nil || !Apply(old, got).Equal(Tidy(new)) {
			t.Fatalf("%+v: %v", changes, err)
		}
	})
}

func TestNewPartRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		list string
		said map[string]any
	}{
		`INVALID list: "inputs" is no list of parts`: {"inputs", nil},
		"INVALID part: steps must be a list, each item a step": {"flows",
			map[string]any{"steps": "x"}},
		"INVALID part: each item of steps must be a map that describes a step": {"branches",
			map[string]any{"steps": []any{1}}},
		"INVALID part: each item of branches must be a map that describes a branch": {"steps",
			map[string]any{"steps": []any{map[string]any{"branches": []any{nil}}}}},
	} {
		if n, err := NewPart(c.list, c.said, counter("n")); refused(err) != want || n != nil {
			t.Errorf("%v %q, want %q", n, refused(err), want)
		}
	}
}

func TestBlankCanRun(t *testing.T) {
	if warnings, err := Check(Blank("x")); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", warnings, err)
	}
	text, err := Export(Blank("x"), ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, warnings, err := Parse(text, DefaultLimits); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", warnings, err)
	}
}

func TestDetails(t *testing.T) {
	blank, name := " ", "N"
	if _, err := (Details{Name: &blank}).Changes(); refused(err) != "INVALID name: must not be empty" {
		t.Error(err)
	}
	got, err := Details{Name: &name, Documentation: &blank, Labels: &[]string{}}.Changes()
	want := []Change{{Op: SetOp, Path: []string{"name"}, Value: "N"},
		{Op: SetOp, Path: []string{"documentation"}, Value: " "}, {Op: SetOp, Path: []string{"labels"}, Value: []any{}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// refused returns an error with its code, as text.
func refused(err error) string {
	if err == nil {
		return ""
	}
	return string(refusal.CodeOf(err)) + " " + err.Error()
}
