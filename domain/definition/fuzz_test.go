package definition

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"heddle/domain/refusal"
)

// A reference that parses is written so that it parses as the same.
func FuzzPath(f *testing.F) {
	for _, text := range []string{"fetchOrders.results.body.data[0].Id", `a.results["b.c"].d`, `a.results['b\\'c']`,
		"loop.currentItem", "loop.index", "a b-c.results.[x]", "a.results[", `a.results["`, "a..results",
		"a.error.[\"\"]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := ParsePath(text)
		if err != nil {
			if refusal.CodeOf(err) != refusal.Invalid {
				t.Fatal(err)
			}
			return
		}
		again, err := ParsePath(path.String())
		if err != nil || !reflect.DeepEqual(path, again) {
			t.Fatalf("%q is %+v, written %s, then %+v, %v", text, path, path, again, err)
		}
	})
}

// A template's parts are its text again.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"a {{#key}} b {{$a.results.b}} c", "{{{#a}}}", "{{#}}{{$}}", "{{#a", "{{ #a }}",
		"}}{{", "{{{{$a}}}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		for _, part := range ParseTemplate(text) {
			b.WriteString(map[SegmentKind]string{ConfigVarSegment: "{{#", PathSegment: "{{$"}[part.Kind] + part.Text)
			if part.Kind != LiteralSegment {
				b.WriteString("}}")
			}
		}
		if b.String() != text {
			t.Fatalf("%q is %q", text, b.String())
		}
	})
}

// Whatever changes somebody sends, they are refused, or result in a definition that can be written and read
// again.
func FuzzEdit(f *testing.F) {
	for _, text := range []string{`[{"op":"set","path":["name"],"value":"N"}]`,
		`[{"op":"set","node":"p1","path":["inputs","a"],"value":{"type":"value","value":1}}]`,
		`[{"op":"remove","node":"p2"},{"op":"unset","node":"p1","path":["description"]}]`,
		`[{"op":"move","node":"p3","parent":"p1","list":"steps","after":"p2"}]`,
		`[{"op":"add","list":"flows","part":{"id":"new","fields":{"name":"F"},"children":{"steps":[]}}}]`,
		`[{"op":"set","list":"inputs","node":"p2"}]`, `[{"op":"add","list":"flows"}]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var changes []Change
		if len(text) > 16<<10 || json.Unmarshal(text, &changes) != nil || len(changes) > 50 {
			return
		}
		for i, c := range changes {
			if c.Part != nil && holes(c.Part) {
				return // no caller makes such parts
			}
			changes[i].Normalize()
		}
		def := Identify(parse(t, twoFlows), nil, counter("p"))
		edits, err := Edit(def, changes, DefaultLimits)
		if err != nil {
			return
		}
		edited := Apply(def, edits)
		if again := Diff(def, edited); !Apply(def, again).Equal(edited) {
			t.Fatalf("%s: what differs does not lead there", text)
		}
		if _, err := Check(edited); err != nil {
			return
		}
		out, err := Export(edited, ExportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Parse(out, DefaultLimits)
		if err != nil {
			t.Fatalf("%s: the export is refused: %v\n%s", text, err, out)
		}
		if changes := Diff(edited, Identify(again, edited, counter("q"))); len(changes) > 0 {
			t.Fatalf("%s: importing the export changes %+v\n%s", text, changes, out)
		}
	})
}

func holes(n *Part) bool {
	for _, children := range n.Children {
		for _, child := range children {
			if child == nil || holes(child) {
				return true
			}
		}
	}
	return false
}

// A sealed key is read as what was sealed.
func FuzzSealedKey(f *testing.F) {
	f.Add("key", []byte("sealed"))
	f.Add("…d (sealed:AP9h)", []byte{})
	f.Fuzz(func(t *testing.T, plain string, sealed []byte) {
		ReadSealedKey(plain)
		if got, ok := ReadSealedKey(SealedKey(plain, sealed)); !ok || string(got) != string(sealed) {
			t.Fatalf("%q, %x: %x, %v", plain, sealed, got, ok)
		}
	})
}
