package definition

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heddle/domain/refusal"
)

func TestExportIsReadExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := (&maker{T: t, prefix: "n"}).definition()
		text, err := Export(def, ExportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Parse(text, DefaultLimits)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if want := withoutIDs(def); !got.Equal(want) {
			t.Fatalf("%s\n%s", cmp.Diff(mustEncode(t, want), mustEncode(t, got)), text)
		}
		if again, _ := Export(got, ExportOptions{}); string(again) != string(text) {
			t.Fatal(cmp.Diff(string(text), string(again)))
		}
	})
}

func TestAwkwardTextIsReadExactly(t *testing.T) {
	for _, s := range awkward {
		def := &Part{Fields: map[string]any{"name": "n", "definitionVersion": int64(7),
			"x": []any{s, []any{s}, map[string]any{s[:min(len(s), 190)] + ".": s}}},
			Children: map[string][]*Part{flowList: {{Fields: map[string]any{"name": "f", "description": s},
				Children: map[string][]*Part{stepList: {}}}}}}
		text, err := Export(def, ExportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Parse(text, DefaultLimits)
		if err != nil {
			t.Errorf("%q: %v\n%s", s, err, text)
		} else if !got.Equal(def) {
			t.Errorf("%q: %s\n%s", s, cmp.Diff(def.Fields, got.Fields), text)
		}
	}
}

func TestEncodingIsReadExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := (&maker{T: t, prefix: "n"}).definition()
		got, err := Decode([]byte(mustEncode(t, def)))
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(def) || Hash(got) != Hash(def) {
			t.Fatal(cmp.Diff(mustEncode(t, def), mustEncode(t, got)))
		}
	})
}

func withoutIDs(n *Part) *Part {
	c := deepCopy(n)
	for part := range c.All() {
		part.ID = ""
	}
	return c
}

// oneFlow returns a definition with these lines on the top level and on its second step.
func oneFlow(top, step string) string {
	return `definitionVersion: 7
name: N
` + top + `
flows:
  - name: F
    steps:
      - name: T
        isTrigger: true
        action: {key: webhook, component: {key: webhook-triggers}}
      - name: S
        action: {key: a, component: {key: c}}
        ` + step + "\n"
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":       {"", []string{"line 1: the file is empty; it must hold an integration definition"}},
		"only comments": {"# hi\n", []string{"line 1: the file is empty; it must hold an integration definition"}},
		"null":          {"---\n~\n", []string{"line 1: the file is empty; it must hold an integration definition"}},
		"a list":        {"- 1\n", []string{"line 1: an integration definition must be a map with keys such as name and flows"}},
		"no YAML": {"name: a\n  b: c\n",
			[]string{"line 2: this is not valid YAML: mapping values are not allowed in this context"}},
		"bad second document": {"definitionVersion: 7\n---\na: [\n",
			[]string{"line 3: this is not valid YAML: did not find expected node content"}},
		"two documents": {"definitionVersion: 7\n---\nname: b\n",
			[]string{"line 2: a second document begins here; a file holds one integration, so put each in its own file"}},
		"unknown alias": {"name: *a\n", []string{"this is not valid YAML: unknown anchor 'a' referenced"}},
		"anchor and alias": {"definitionVersion: 7\nname: &a x\ndescription: *a\n", []string{
			"line 2: anchor &a is not supported; remove it", "line 3: alias *a is not supported; write the value out"}},
		"merge key": {"a:\n  <<: {x: 1}\n", []string{"line 2: merge key << is not supported; write the keys out"}},
		"several faults at once": {"a: 1\nb: !x 1\na: 2\n1: 2\nc: .inf\nd: .nan\ne: 18446744073709551615\nf: !!binary aGk=\ng: !m {}\nh: !l []\ni: !!int x\n", []string{
			`line 2: tag !x is not supported; remove it`,
			`line 3: key "a" is here twice, first on line 1; keep one`,
			`line 4: key 1 is not text; put it in quotes`,
			`line 5: .inf is not a number that a definition can hold; put it in quotes if it is text`,
			`line 6: .nan is not a number that a definition can hold; put it in quotes if it is text`,
			`line 7: number 18446744073709551615 is too large to be kept exactly; put it in quotes`,
			`line 8: tag !!binary is not supported; remove it`,
			`line 9: tag !m is not supported; remove it`,
			`line 10: tag !l is not supported; remove it`,
			`line 11: "x" is not a valid int; put it in quotes if it is text`}},
		"a map as a key": {"{a: b}: c\n", []string{"line 1: key  is not text; put it in quotes"}},
		"a long key": {strings.Repeat("k", 201) + ": 1\n",
			[]string{"line 1: a key has 201 bytes; the limit is 200"}},
		"place of a fault": {oneFlow("", "x: {a: 1, a: 2}"), []string{
			`line 12: flow "F": step "S": key "a" is here twice, first on line 12; keep one`}},
		"version 4": {"definitionVersion: 4\n",
			[]string{"line 1: definitionVersion 4 is not supported; 7, 6 and files of the first " +
				"generation, which have none, are: export it as version 7 where it comes from"}},
		"version as text": {"definitionVersion: '7'\n",
			[]string{"line 1: definitionVersion must be the number 7, without quotes"}},
		"no version": {"name: a\nflows: []\n",
			[]string{"line 1: definitionVersion is missing; add definitionVersion: 7"}},
		"a workflow": {"definitionType: workflow\ndefinitionVersion: 1\n",
			[]string{`line 1: definitionType "workflow" is not supported; only integration is`}},
		"neither name nor flows": {"definitionVersion: 7\n", []string{
			"line 1: name: every integration needs it; add name",
			"line 1: flows: an integration needs at least one flow; add one with a name and steps"}},
		"wrong types": {"definitionVersion: 7\nname: [a]\nflows: {}\nrequiredConfigVars: 1\nconfigPages: [1]\n",
			[]string{
				"line 2: name: it must be text, not a list; put it in quotes",
				"line 3: flows must be a list, each item a flow",
				"line 3: flows: an integration needs at least one flow; add one with a name and steps",
				"line 4: requiredConfigVars must be a list, each item a config variable",
				"line 5: each item of configPages must be a map that describes a config page"}},
		"wrong types inside": {oneFlow("description: 5\nlabels: x\nisSynchronous: 'no'",
			"inputs: {a: b, c: {value: 1}, d: {type: reference, value: 1}, e: {type: complex, value: x}}"), []string{
			"line 3: description: it must be text, not 5; put it in quotes",
			"line 4: labels: it must be a list, not text",
			"line 5: isSynchronous: it must be true or false, not text",
			`line 14: flow "F": step "S": inputs.a: it must be an input, not text`,
			`line 14: flow "F": step "S": inputs.c: an input needs a type, one of value, reference, configVar, template, complex, dataSource, scopedConfigVar`,
			`line 14: flow "F": step "S": inputs.d.value: it must be text, not 1; put it in quotes`,
			`line 14: flow "F": step "S": inputs.e.value: it must be a list, not text`}},
		"required fields": {"definitionVersion: 7\nname: N\nrequiredConfigVars: [{dataType: string}, {key: k}]\nflows: [{steps: [{action: {component: {}}}, {name: S}]}]\n", []string{
			"line 3: key: every config variable needs it; add key",
			`line 3: config variable "k": dataType: it is missing; say what the config variable holds, such as string or connection`,
			"line 4: name: every flow needs it; add name",
			"line 4: name: every step needs it; add name",
			"line 4: action.key: every action needs it; add key",
			"line 4: action.component.key: every component needs it; add key",
			`line 4: step "S": action: every step needs it; add action`}},
	} {
		t.Run(name, func(t *testing.T) {
			def, _, err := Parse([]byte(c.text), DefaultLimits)
			if err == nil || def != nil {
				t.Fatal("it was not refused")
			}
			if refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("code %q", refusal.CodeOf(err))
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseWarns(t *testing.T) {
	def, warnings, err := Parse([]byte(oneFlow("color: red\nendpointType: my_own\nendpointSecurity: x",
		`errorConfig: {errorHandlerType: explode, why: {}}
        inputs:
          a: {type: value, value: 1, hint: x}
          b: {type: magic}
          c: {type: complex, value: [{name: x, type: complex, value: [and, [resembles, {type: value}]]}]}`)),
		DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"line 3: color: this key is not known; it is kept and has no effect",
		`line 4: endpointType: "my_own" is not known; known are flow_specific, instance_specific, shared_instance`,
		"line 5: endpointSecurity: this key is not known; it is kept and has no effect",
		`line 14: flow "F": step "S": errorConfig.errorHandlerType: "explode" is not known; known are fail, ignore, retry`,
		`line 14: flow "F": step "S": errorConfig.why: this key is not known; it is kept and has no effect`,
		`line 16: flow "F": step "S": inputs.a.hint: this key is not known; it is kept and has no effect`,
		`line 17: flow "F": step "S": inputs.b.type: "magic" is not known; known are ` + strings.Join(inputKinds, ", "),
		`line 18: flow "F": step "S": inputs.c.value.0.value.1.0: operator "resembles" is not known; known are ` +
			strings.Join(Operators, ", "),
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if def.Text("color") != "red" {
		t.Error("an unknown key was lost")
	}
}

func TestParseKeepsValuesAsTheyAre(t *testing.T) {
	def := parse(t,
		"definitionVersion: 6\nname: 2020-01-01\ndescription: ''\nlabels: []\nconfigPages:\nimportMetadata: "+
			"{d: 2020-01-01T10:00:00Z, i: 9007199254740993, f: 1.5, w: 1.0, b: yes, t: true, n: ~, x: 0x1F, e: 1e400x, m: {}}\n"+
			"flows: [{name: 'n', steps: []}]\n")
	want := map[string]any{
		"definitionVersion": int64(7), "name": "2020-01-01", "description": "", "labels": []any{},
		"importMetadata": map[string]any{"d": "2020-01-01T10:00:00Z", "i": int64(9007199254740993), "f": 1.5,
			"w": int64(1), "b": "yes", "t": true, "n": nil, "x": int64(31), "e": "1e400x", "m": map[string]any{}},
	}
	if diff := cmp.Diff(want, def.Fields); diff != "" {
		t.Error(diff)
	}
	if pages, there := def.Children[pageList]; !there || len(pages) != 0 {
		t.Error("an empty list was lost")
	}
}

// Forms of YAML 1.2 and of JSON that the parser does not know are read nonetheless.
func TestParseReadsOtherDialects(t *testing.T) {
	const flows = `, "flows": [{"name": "F", "steps": []}]}`
	for text, want := range map[string]string{
		"%YAML 1.2\n---\ndefinitionVersion: 7\nname: x\nflows: [{name: F, steps: []}]\n":   "x",
		"{\n\t\"definitionVersion\": 7, \"name\": \"a\\/b \\ud83d\\uDE00\\u00e9\"" + flows: "a/b 😀é",
		`{"definitionVersion": 7, "name": "\\ud83d\\ude00 \\\ud83d\ude00"` + flows:         `\ud83d\ude00 \` + "😀",
		"definitionVersion: 7\nname: '\\ud83d\\ude00'\nflows: [{name: F, steps: []}]\n":    `\ud83d\ude00`,
	} {
		def, _, err := Parse([]byte(text), DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if def.Name() != want {
			t.Errorf("%s: got %q, want %q", text, def.Name(), want)
		}
	}
}

// TestBombs shows that hostile files are refused soon, with a reason.
func TestBombs(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		ref := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i,
			strings.Join([]string{ref, ref, ref, ref, ref, ref, ref, ref, ref}, ","))
	}
	for name, c := range map[string]struct{ text, want string }{
		"aliases": {laughs.String(), "line 1: anchor &a0 is not supported; remove it"},
		"flow depth": {"a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
			"line 1: this is nested deeper than 100 levels; flatten it, or move steps to a flow of their own"},
		"more depth": {"a: " + strings.Repeat("[", 200_000), "this is not valid YAML: exceeded max depth of 10000"},
		"map depth": {"a: " + strings.Repeat("{a: ", 5000) + strings.Repeat("}", 5000),
			"line 1: this is nested deeper than 100 levels; flatten it, or move steps to a flow of their own"},
		"block depth": {strings.Repeat("- ", 9000) + "x",
			"line 1: an integration definition must be a map with keys such as name and flows"},
		"size": {"name: " + strings.Repeat("x", 256<<10),
			"the definition has 262150 bytes; the limit is 262144"},
		"values": {"a: [" + strings.Repeat("1,", 100_000) + "]",
			"line 1: the definition holds more than 50000 values; split the integration"},
		"problems": {strings.Repeat("? !x 1\n: !y 2\n", 15_000), "line 1: key 1 is not text; put it in quotes"},
		"written out": {oneFlow("x: "+strings.Repeat("[", 90)+strings.Repeat("1,", 5000)+strings.Repeat("]", 90), ""),
			"the definition has"},
		"escapes": {oneFlow(`x: "`+strings.Repeat(`\a`, 100_000)+`"`, ""), "the definition has"},
		"stored":  {oneFlow("x: '"+strings.Repeat("\"\\", 120_000)+"'", ""), "the definition takes"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, _, err := Parse([]byte(c.text), DefaultLimits)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %.300v, want %s", err, c.want)
			}
			if ps, ok := err.(refusal.Problems); ok && len(ps) > maxProblems+1 {
				t.Errorf("%d problems", len(ps))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(twoFlows))
	f.Add([]byte(oneFlow("x: >\n  a\n\n   b\n", "inputs: {a: {type: template, value: '{{$t.results}}'}}")))
	f.Add(
		[]byte(
			"name: a\ntrigger: {schedule: '* * * * *'}\nsteps: [{name: L, action: {componentKey: loop, key: loopOverCollection}}]\nrequiredConfigVars: {a: b}\n"))
	for _, s := range awkward {
		f.Add([]byte(oneFlow("x: "+s, "y: |\n          "+s)))
	}
	for _, text := range corpusFiles(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return // what is longer takes longer, and finds no more
		}
		def, _, err := Parse(text, DefaultLimits)
		if err != nil {
			return
		}
		_, _ = Check(def)
		out, err := Export(def, ExportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Parse(out, DefaultLimits)
		if err != nil {
			t.Fatalf("the export is refused: %v\n%s", err, out)
		}
		if !again.Equal(def) {
			t.Fatalf("the export is read differently:\n%s", out)
		}
		if twice, _ := Export(again, ExportOptions{}); string(twice) != string(out) {
			t.Fatalf("the export is not stable:\n%s\n%s", out, twice)
		}
		old := Identify(def, nil, counter("a"))
		if changes := Diff(old, Identify(again, old, counter("b"))); len(changes) > 0 {
			t.Fatalf("importing the export changes %+v", changes)
		}
	})
}
