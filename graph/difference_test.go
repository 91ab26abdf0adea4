package graph

import (
	"fmt"
	"strings"
	"testing"

	"heddle/domain"
	"heddle/domain/definition"
)

const differenceDocument = `query ($from: ID!, $to: ID!) { integrationDifference(from: $from, to: $to) { from { id } to { id } yaml
	parts { part kind name flow nameBefore isNew isDeleted isModified isMoved isRenamed fields { path before after } } } }`

func TestDifference(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	flow, steps := h.firstFlow(id)
	first := h.published(h.org, id)
	h.edit(domain.Admin, id, "1.-1", set(steps[1], `"Say"`, "name"), set(steps[1], `{"type": "value", "value": "hi"}`,
		"inputs", "message"),
		set("", `["new"]`, "labels"), vars{"op": "ADD", "parent": flow, "list": "steps", "after": steps[1],
			"part": `{"name": "Extra", "action": {"key": "writeLog", "component": {"key": "log", "isPublic": true}}}`})
	differ := func(from, to string) reply {
		return h.ask(h.tokens[domain.Viewer], differenceDocument, vars{"from": from, "to": to})
	}
	a := differ(first, id)
	part := "integrationDifference.parts."
	if a.text("integrationDifference.from.id") != first || a.text("integrationDifference.to.id") != id ||
		a.texts("integrationDifference.parts", "name") != "Shop Say Extra" {
		t.Fatalf("answered %s", a.body)
	}
	if a.at(part+"0.part") != nil || a.text(part+"0.kind") != "integration" ||
		a.text(part+"0.fields.0.before") != `["orders","demo"]` || a.text(part+"0.fields.0.after") != `["new"]` {
		t.Errorf("the labels: %s", a.body)
	}
	if a.text(part+"1.part") != steps[1] || a.text(part+"1.flow") != "Orders" ||
		a.text(part+"1.nameBefore") != "Tell" || a.at(part+"1.isRenamed") != true ||
		a.at(part+"1.isModified") != true ||
		a.at(part+"1.isNew") != false || a.at(part+"1.fields.0.path.1") != "message" ||
		a.text(part+"1.fields.0.after") != `{"type":"value","value":"hi"}` {
		t.Errorf("the renamed step: %s", a.body)
	}
	if a.at(part+"2.isNew") != true || a.at(part+"2.isDeleted") != false {
		t.Errorf("the new step: %s", a.body)
	}
	for _, line := range []string{"--- from\n+++ to\n", "\n-        name: Tell\n", "\n+        name: Say\n",
		"\n+  - new\n"} {
		if !strings.Contains(a.text("integrationDifference.yaml"), line) {
			t.Errorf("no %q in\n%s", line, a.text("integrationDifference.yaml"))
		}
	}
	back := differ(id, first)
	if back.texts("integrationDifference.parts", "name") != "Shop Tell Extra" || back.at(part+"2.isDeleted") != true {
		t.Errorf("the other way: %s", back.body)
	}
	second := h.published(h.org, id)
	if same := differ(second, id); same.text("integrationDifference.yaml") != "" ||
		len(same.at("integrationDifference.parts").([]any)) != 0 {
		t.Errorf("a draft without edits and its version: %s", same.body)
	}
}

// A copy's parts have ids of their own, and yet are not all new.
func TestDifferenceOfACopy(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	other := h.do(forkDocument, vars{"input": vars{"parent": id,
		"name": "Mine"}}).text("forkIntegration.integration.id")
	a := h.do(differenceDocument, vars{"from": id, "to": other})
	if a.texts("integrationDifference.parts", "nameBefore") != "Shop" || a.texts("integrationDifference.parts",
		"name") != "Mine" {
		t.Errorf("answered %s", a.body)
	}
}

func TestDifferenceRefusals(t *testing.T) {
	h := newHarness(t)
	id, others := h.imported(h.org, shop), h.imported(h.organization("Others"), shop)
	for _, v := range []vars{{"from": id, "to": "x"}, {"from": "x", "to": id}, {"from": id, "to": others},
		{"from": others, "to": id}} {
		if a := h.ask(h.tokens[domain.Admin], differenceDocument, v); a.code() != "NOT_FOUND" ||
			string(a.Data) != "null" {
			t.Errorf("%v: answered %s", v, a.body)
		}
	}
}

// BenchmarkDifference compares two definitions of 500 steps, of which a tenth differs, by part and by
// line.
func BenchmarkDifference(b *testing.B) {
	var text strings.Builder
	text.WriteString("definitionVersion: 7\nname: Large\nflows:\n")
	for f := range 10 {
		fmt.Fprintf(&text, "  - name: Flow %d\n    steps:\n", f)
		for s := range 50 {
			fmt.Fprintf(&text, "      - name: Step %d\n        isTrigger: %v\n        action: {key: writeLog, component: {key: log, version: 2, isPublic: true}}\n"+
				"        inputs: {message: {type: value, value: message %d of %d}, level: {type: value, value: info}}\n", s, s == 0, s, f)
		}
	}
	parsed, _, err := definition.Parse([]byte(text.String()), definition.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	before := definition.Identify(parsed, nil, newID)
	var changes []definition.Change
	for n, flow := range before.Flows() {
		for s := range 5 {
			changes = append(changes, definition.Change{Op: definition.SetOp, Node: flow.Steps()[s*7+n].ID,
				Path: []string{"name"}, Value: "Renamed"})
		}
	}
	after := definition.Apply(before, changes)
	for b.Loop() {
		yaml, err := unified(b.Context(), before, after)
		if err != nil || len(definition.Compare(before, after)) != 50 || strings.Count(yaml, "Renamed") != 50 {
			b.Fatal(err, len(yaml))
		}
	}
}
