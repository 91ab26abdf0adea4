package definition

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const referring = `definitionVersion: 7
name: R
requiredConfigVars:
  - key: Shop URL
    dataType: string
  - key: Other
    dataType: string
flows:
  - name: One
    steps:
      - name: Hook
        isTrigger: true
        action: {key: webhook, component: {key: webhook-triggers, isPublic: true, version: 1}}
      - name: Fetch Orders
        action: {key: get, component: {key: http, isPublic: true, version: 1}}
        inputs:
          url: {type: configVar, value: Shop URL}
      - name: Use
        action: {key: get, component: {key: http, isPublic: true, version: 1}}
        inputs:
          a: {type: reference, value: 'fetchOrders.results["a.b"][0]'}
          b: {type: template, value: 'x {{$fetchOrders.results}} of {{#Shop URL}} and {{$hook.results}} fetchOrders.results'}
          c: {type: complex, value: [{name: {type: reference, value: fetchOrders.results}, type: configVar, value: Other}, [and, [equal, {type: reference, value: fetchOrders.error}, {type: value, value: fetchOrders.results}]]]}
          d: {type: value, value: fetchOrders.results}
  - name: Two
    steps:
      - name: Hook
        isTrigger: true
        action: {key: webhook, component: {key: webhook-triggers, isPublic: true, version: 1}}
      - name: Fetch Orders
        action: {key: get, component: {key: http, isPublic: true, version: 1}}
      - name: Use
        action: {key: get, component: {key: http, isPublic: true, version: 1}}
        inputs:
          a: {type: reference, value: fetchOrders.results}
`

// References follow a renamed step or config variable.
func TestReferencesFollowRenames(t *testing.T) {
	def := Identify(parse(t, referring), nil, counter("p"))
	first, second := def.Flows()[0], def.Flows()[1]
	edit := func(changes ...Change) *Part {
		t.Helper()
		edits, err := Edit(def, changes, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		return Apply(def, edits)
	}
	name := func(n *Part, to string) Change {
		return Change{Op: SetOp, Node: n.ID, Path: []string{"name"}, Value: to}
	}
	value := func(def *Part, step, input string) any {
		in, _ := def.Find(step).Inputs()[input].(map[string]any)
		return in["value"]
	}
	use, other := first.Steps()[2].ID, second.Steps()[2].ID
	now := edit(name(first.Steps()[1], "Load 1"), Change{Op: SetOp, Node: def.ConfigVars()[0].ID, Path: []string{"key"},
		Value: "Store URL"})
	if _, err := Check(now); err != nil {
		t.Errorf("something dangles: %v", err)
	}
	reference := func(path string) map[string]any { return map[string]any{"type": "reference", "value": path} }
	for input, want := range map[string]any{
		"a": `load1.results["a.b"][0]`,
		"b": "x {{$load1.results}} of {{#Store URL}} and {{$hook.results}} fetchOrders.results",
		"c": []any{map[string]any{"name": reference("load1.results"), "type": "configVar", "value": "Other"},
			[]any{"and",
				[]any{"equal", reference("load1.error"),
					map[string]any{"type": "value", "value": "fetchOrders.results"}}}},
		"d": "fetchOrders.results",
	} {
		if diff := cmp.Diff(want, value(now, use, input)); diff != "" {
			t.Errorf("%s: %s", input, diff)
		}
	}
	if value(now, first.Steps()[1].ID, "url") != "Store URL" || value(now, other, "a") != "fetchOrders.results" {
		t.Error("a config variable's reference did not follow, or one in another flow did")
	}

	back := Apply(now, Diff(now, def))
	if !back.Equal(def) {
		t.Error("going back is not going back")
	}
	swapped := edit(name(first.Steps()[1], "Hook 2"), name(first.Steps()[0], "Fetch Orders"))
	if value(swapped, use, "a") != `fetchOrders.results["a.b"][0]` {
		t.Errorf("a name that another step has now refers to %v", value(swapped, use, "a"))
	}
	if same := edit(name(first.Steps()[1], "fetch orders")); value(same, use, "a") != `fetchOrders.results["a.b"][0]` {
		t.Error("a name with the same identifier changes references")
	}
}
