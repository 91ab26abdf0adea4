package definition

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/refusal"
)

// checked is a flow with a branch, a loop and a loop inside it; LATE, BODY and INNER take inputs.
const checked = `definitionVersion: 7
name: N
requiredConfigVars:
  - {key: Shop URL, dataType: string}
  - {key: Every, dataType: schedule}
configPages:
  - {name: P, elements: [{type: configVar, value: Shop URL}]}
flows:
  - name: F
    steps:
      - name: Hook
        isTrigger: true
        action: {key: webhook, component: {key: webhook-triggers}}
      - name: Decide
        action: {key: branchOnValue, component: {key: branch}}
        branches:
          - name: Some
            steps:
              - {name: In branch, action: {key: a, component: {key: c}}}
          - name: Else
            steps: []
      - name: Each Item
        action: {key: loopOverItems, component: {key: loop}}
        steps:
          - {name: Body, action: {key: a, component: {key: c}}, inputs: {BODY}}
          - name: Again
            action: {key: loopNTimes, component: {key: loop}}
            steps:
              - {name: Inner, action: {key: a, component: {key: c}}, inputs: {INNER}}
      - {name: Late, action: {key: a, component: {key: c}}, inputs: {LATE}}
  - name: G
    steps:
      - {name: Hook, isTrigger: true, action: {key: webhook, component: {key: webhook-triggers}}}
`

func inputsIn(place, text string) string {
	text = strings.Replace(checked, place, text, 1)
	for _, other := range []string{"BODY", "INNER", "LATE"} {
		text = strings.Replace(text, other, "", 1)
	}
	return text
}

func TestCheckAcceptsWhatIsThere(t *testing.T) {
	for place, in := range map[string]string{
		"LATE": `a: {type: reference, value: hook.results.body.data}, b: {type: reference, value: inBranch.results},
        c: {type: reference, value: body.results}, d: {type: reference, value: eachItem.results.0},
        e: {type: configVar, value: Shop URL}, f: {type: configVar, value: ''}, g: {type: reference, value: ''},
        h: {type: template, value: 'x {{#Shop URL}} {{$decide.error.message}} {{liquid}}'}, i: {type: value, value: 'gone.results'},
        j: {type: complex, value: [{type: reference, value: hook.results}, {name: {type: reference, value: hook.results}, type: value, value: 1}]},
        k: {type: complex, value: [{name: B, type: complex, value: [and, [isEmpty, {type: reference, value: hook.results}]]}]}`,
		"BODY":  `a: {type: reference, value: 'eachItem.currentItem.[".tag"]'}, b: {type: reference, value: eachItem.index}`,
		"INNER": `a: {type: reference, value: eachItem.currentItem}, b: {type: reference, value: again.index}, c: {type: reference, value: body.results}`,
	} {
		def := parse(t, inputsIn(place, in))
		if warnings, err := Check(def); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", place, err, warnings)
		}
	}
}

func TestCheckRefusesReferences(t *testing.T) {
	for name, c := range map[string]struct{ place, in, want string }{
		"unknown step": {"LATE", "a: {type: reference, value: gone.results}",
			`inputs.a: dangling reference "gone.results": the flow has no step gone; name one of its steps`},
		"nearly known step": {"LATE", "a: {type: reference, value: Hook.results}",
			`inputs.a: dangling reference "Hook.results": the flow has no step Hook; did you mean hook?`},
		"later step": {"BODY", "a: {type: reference, value: late.results}",
			`inputs.a: reference "late.results" is to step "Late", which runs later; name an earlier step`},
		"itself": {"LATE", "a: {type: reference, value: late.results}",
			`inputs.a: reference "late.results" is to the step itself, which has no data yet; name an earlier step`},
		"item after loop": {"LATE", "a: {type: reference, value: eachItem.currentItem}",
			`inputs.a: reference "eachItem.currentItem": currentItem is there only inside the loop, and step "Each Item" is no loop around this step`},
		"index of no loop": {"INNER", "a: {type: reference, value: hook.index}",
			`inputs.a: reference "hook.index": index is there only inside the loop, and step "Hook" is no loop around this step`},
		"no path": {"LATE", "a: {type: reference, value: hook}",
			`inputs.a: reference "hook" must name a step and then one of results, currentItem, index, error, as in hook.results`},
		"no config var": {"LATE", "a: {type: configVar, value: Shop}",
			`inputs.a: there is no config variable "Shop"; add it or name another`},
		"in a template": {"LATE", "a: {type: template, value: 'x {{$gone.results}}'}",
			`inputs.a: dangling reference "gone.results": the flow has no step gone; name one of its steps`},
		"config var in one": {"LATE", "a: {type: template, value: 'x {{#Shop}}'}",
			`inputs.a: there is no config variable "Shop"; add it or name another`},
		"in a list": {"LATE", "a: {type: complex, value: [{type: reference, value: gone.results}]}",
			`inputs.a.value.0: dangling reference "gone.results": the flow has no step gone; name one of its steps`},
		"computed name": {"LATE",
			"a: {type: complex, value: [{name: {type: reference, value: gone.results}, type: value}]}",
			`inputs.a.value.0.name: dangling reference "gone.results": the flow has no step gone; name one of its steps`},
		"in a condition": {"LATE",
			"a: {type: complex, value: [{name: B, type: complex, value: [or, [equal, {type: value}, {type: reference, value: gone.results}]]}]}", `inputs.a.value.0.value.1.2: dangling reference "gone.results": the flow has no step gone; name one of its steps`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(parse(t, inputsIn(c.place, c.in)))
			if err == nil || !strings.HasSuffix(err.Error(), `": `+c.want) ||
				!strings.Contains(err.Error(), `flow "F": step "`) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("code %q", refusal.CodeOf(err))
			}
		})
	}
}

func TestCheckRefusesParts(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"same identifier": {"name: In branch",
			"name: In-Branch!, action: {key: a, component: {key: c}}}\n              - {name: in branch",
			`line 20: flow "F": step "in branch": name: references could not tell it from step "In-Branch!" of the same flow: both are inBranch; rename one`},
		"no identifier": {"name: In branch", "name: →",
			`line 19: flow "F": step "→": name: the name has no letter or digit, so nothing could refer to the step; rename it`},
		"same flow": {"name: G", "name: F",
			`line 31: flow "F": there is another flow "F"; rename one of them`},
		"same config variable": {"key: Every", "key: Shop URL",
			`line 5: config variable "Shop URL": there is another config variable "Shop URL"; rename one of them`},
		"same branch": {"name: Else", "name: Some",
			`line 20: flow "F": step "Decide": there is another branch "Some"; rename one of them`},
		"no trigger": {"        isTrigger: true\n", "",
			`line 9: flow "F": the flow has no trigger; give its first step isTrigger: true`},
		"late trigger": {"        isTrigger: true\n        action: {key: webhook, component: {key: webhook-triggers}}\n      - name: Decide", "        action: {key: webhook, component: {key: webhook-triggers}}\n      - name: Decide\n        isTrigger: true", `line 14: flow "F": step "Decide": isTrigger: the trigger must be the first step of the flow; move it there`},
		"two triggers": {"name: Late", "name: Late, isTrigger: true",
			`line 30: flow "F": step "Late": isTrigger: a flow has one trigger and this is another; remove it or move it to a flow of its own`},
		"page of nothing": {"elements: [{type: configVar, value: Shop URL}]",
			"elements: [{type: configVar, value: Shop}]",
			`line 7: elements.0: there is no config variable "Shop"; add it or name another`},
		"schedule of nothing": {"        isTrigger: true\n",
			"        isTrigger: true\n        schedule: {type: configVar, value: Never}\n",
			`line 13: flow "F": step "Hook": schedule: there is no config variable "Never"; add it or name another`},
		"reference in config": {"key: Every", "key: Every, inputs: {a: {type: reference, value: hook.results}}",
			`line 5: config variable "Every": inputs.a: reference "hook.results": a config variable cannot refer to the data of a step; use a value, configVar or template`},
		"config in config": {"key: Every", "key: Every, inputs: {a: {type: configVar, value: Never}}",
			`line 5: config variable "Every": inputs.a: there is no config variable "Never"; add it or name another`},
		"no such flow": {"name: N", "name: N\npreprocessFlowName: H",
			`line 3: preprocessFlowName: there is no flow "H"; name one of the flows`},
		"FIFO and schedule": {"name: G",
			"name: G2\n    steps: [{name: T, isTrigger: true, action: {key: a, component: {key: c}}, schedule: {type: value, value: x}}]\n    queueConfig: {usesFifoQueue: true}\n  - name: G", `line 33: flow "G2": queueConfig.usesFifoQueue: a flow with a schedule cannot use a FIFO queue; remove one of them`},
		"FIFO and singleton": {"name: G", "name: G\n    queueConfig: {usesFifoQueue: true, singletonExecutions: true}",
			`line 32: flow "G": queueConfig: usesFifoQueue and singletonExecutions exclude each other; choose one`},
		"idle singleton": {"name: G", "name: G\n    queueConfig: {singletonExecutions: true}",
			`line 32: flow "G": queueConfig.singletonExecutions: only a flow with a schedule can run as a singleton; remove it or add a schedule`},
		"concurrency": {"name: G", "name: G\n    queueConfig: {concurrencyLimit: 16}",
			`line 32: flow "G": queueConfig.concurrencyLimit: 16 is out of range; choose 2 to 15`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(parse(t, strings.Replace(inputsIn("", ""), c.old, c.new, 1)))
			if err == nil {
				t.Fatal("it was not refused")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckTellsEverythingAtOnce(t *testing.T) {
	text := inputsIn("LATE", "a: {type: reference, value: gone.results}, b: {type: configVar, value: Gone}")
	def := parse(t, strings.Replace(text, "name: G", "name: F", 1))
	def = Identify(def, nil, counter("p"))
	// An edit has not been through Parse.
	late := def.Flows()[0].Steps()[3]
	def = Apply(def, []Change{{Op: SetOp, Node: late.ID, Path: []string{"isTrigger"}, Value: "yes"}})
	_, err := Check(def)
	want := []string{
		`flow "F": step "Late": isTrigger: it must be true or false, not text`,
		`flow "F": there is another flow "F"; rename one of them`,
		`flow "F": step "Late": inputs.a: dangling reference "gone.results": the flow has no step gone; name one of its steps`,
		`flow "F": step "Late": inputs.b: there is no config variable "Gone"; add it or name another`,
	}
	if err == nil || cmp.Diff(want, strings.Split(err.Error(), "\n")) != "" {
		t.Errorf("got\n%v", err)
	}
}

func TestAllowRefusesEdits(t *testing.T) {
	def := Identify(parse(t, twoFlows), nil, counter("p"))
	var deep any = "x"
	for range 101 {
		deep = []any{deep}
	}
	for want, v := range map[string]any{
		"the definition is nested 103 levels deep; the limit is 100: move steps to a flow of their own": deep,
		"the definition has a key of 201 bytes; the limit is 200":                                       map[string]any{strings.Repeat("k", 201): 1},
		"the definition holds 50070 values; the limit is 50000: split the integration": make([]any,
			50_000),
		"the definition has 301189 bytes when written out; the limit is 262144: split the integration": strings.Repeat(
			"x", 300_000),
	} {
		edited := Apply(def, []Change{{Op: SetOp, Path: []string{"x"}, Value: v}})
		if err := DefaultLimits.Allow(edited); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	edited := Apply(def, []Change{{Op: SetOp, Node: def.Flows()[0].ID, Path: []string{"steps"}, Value: []any{}}})
	if _, err := Check(edited); err == nil ||
		!strings.Contains(err.Error(), "steps: it is a list of parts, not a field") {
		t.Error(err)
	}
}
