package expression

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component/value"
	"heddle/domain/refusal"
)

func in(kind string, value any) map[string]any { return map[string]any{"type": kind, "value": value} }

func named(name any, kind string, value any) map[string]any {
	return map[string]any{"name": name, "type": kind, "value": value}
}

func testScope() *Scope {
	s := NewScope(map[string]any{
		"Base URL": "https://api.example.com", "Retries": "3",
		"Slack Connection": map[string]any{"fields": map[string]any{"token": "t"}},
		"Fields":           []value.KeyValue{{Key: "a", Value: "b"}},
	})
	s.Set("trigger", map[string]any{
		"headers": map[string]any{"Content-Type": "text/plain", "x-custom": "lower"},
		"body": map[string]any{"data": map[string]any{
			"items": []any{map[string]any{"id": 7.0, "tags": []any{"x", "y"}}, "second"},
			"0":     "zero", "nothing": nil, "Some Name": "spaces", ".tag": "file", "Case": 1.0, "text": "h😀",
			"ok": true, "n": 1.5,
		}, "contentType": "application/json"},
		"rawBody":     map[string]any{"data": []byte("raw"), "contentType": "application/json"},
		"webhookUrls": map[string]any{"Handle GitHub Events": "https://hooks/1"},
	})
	s.Set("plain", "just text")
	s.Set("nothing", nil)
	s.SetLoop("loopOverItems", map[string]any{".tag": "folder", "id": 5.0}, 2)
	s.SetError("flaky", map[string]any{"message": "no answer"})
	return s
}

func TestResolveReference(t *testing.T) {
	for path, want := range map[string]any{
		"":                                      nil,
		"plain.results":                         "just text",
		"trigger.results.body.data.items.0.id":  7.0,
		"trigger.results.body.data.items[0].id": 7.0,
		"trigger.results.body.data.items[0].tags[1]":       "y",
		"trigger.results.body.data.items.1":                "second",
		"trigger.results.body.data.items.2":                nil,
		"trigger.results.body.data.items.-1":               nil,
		"trigger.results.body.data.items.01x":              nil,
		"trigger.results.body.data.items.length":           2.0,
		"trigger.results.body.data.text.length":            3.0, // UTF-16, as in JavaScript
		"trigger.results.rawBody.data.length":              3.0,
		"trigger.results.body.data.0":                      "zero",
		"trigger.results.body.data.Some Name":              "spaces",
		`trigger.results.body.data.[".tag"]`:               "file",
		"trigger.results.body.data.nothing.further.below":  nil,
		"trigger.results.body.data.missing.0.messages.0":   nil,
		"trigger.results.body.data.n.toFixed":              nil,
		"trigger.results.body.data.case":                   nil,
		"trigger.results.headers.Content-Type":             "text/plain",
		"trigger.results.headers.content-type":             "text/plain",
		"trigger.results.headers.X-Custom":                 "lower",
		"trigger.results.headers.X-Missing":                nil,
		"trigger.results.Headers.Content-Type":             nil,
		"trigger.results.webhookUrls.Handle GitHub Events": "https://hooks/1",
		"trigger.results.body.data.items.0.headers":        nil,
		"trigger.currentItem":                              nil,
		"trigger.index":                                    nil,
		"trigger.error":                                    nil,
		"loopOverItems.currentItem.[\".tag\"]":             "folder",
		"loopOverItems.currentItem.id":                     5.0,
		"loopOverItems.index":                              2.0,
		"flaky.error.message":                              "no answer",
		"flaky.results.error.message":                      "no answer",
		"flaky.results":                                    nil,
		"nothing.results.error":                            nil,
		"neverRan.results.body":                            nil,
	} {
		t.Run(path, func(t *testing.T) {
			got, err := Resolve(in("reference", path), testScope())
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	for name, c := range map[string]struct {
		input map[string]any
		want  any
	}{
		"value":           {in("value", "text {{#no template}}"), "text {{#no template}}"},
		"number":          {in("value", 7.0), 7.0},
		"null":            {in("value", nil), nil},
		"config variable": {in("configVar", "Base URL"), "https://api.example.com"},
		"no connection":   {in("configVar", ""), nil},
		"unset":           {in("configVar", "Unknown"), nil},
		"template": {in("template",
			"{{#Base URL}}/c/{{$trigger.results.body.data.items.0.id}}?ok={{$trigger.results.body.data.ok}}&x=${y}"),
			"https://api.example.com/c/7?ok=true&x=${y}"},
		"template, missing": {in("template", "[{{$trigger.results.missing.deep}}{{#None}}]"), "[]"},
		"template, object": {in("template", "{{$trigger.results.body.data.items}}"),
			`[{"id":7,"tags":["x","y"]},"second"]`},
		"template, binary": {in("template", "{{$trigger.results.rawBody.data}}"), "raw"},
		"template, text":   {in("template", "no placeholder"), "no placeholder"},
		"template, empty":  {in("template", nil), ""},
		"empty list":       {in("complex", []any{}), []any{}},
		"no list":          {in("complex", nil), []any{}},
		"empty text":       {in("complex", ""), []any{}},
		"value list": {in("complex", []any{in("value", "a"), in("reference", "plain.results"),
			in("configVar", "Retries"), in("template", "{{#Retries}}!")}),
			[]any{"a", "just text", "3", "3!"}},
		"nested list": {in("complex", []any{in("complex", []any{in("value", "a")})}), []any{[]any{"a"}}},
		"key/value list": {in("complex", []any{named("Accept", "value", "text/plain"),
			named("X-Id", "reference", "loopOverItems.currentItem.id")}),
			[]value.KeyValue{{Key: "Accept", Value: "text/plain"}, {Key: "X-Id", Value: 5.0}}},
		"computed names": {in("complex", []any{named(in("reference", "plain.results"), "value", "1"),
			named(in("value", "k"), "value", "2"), named(in("reference", "nothing.results"), "value", "3")}),
			[]value.KeyValue{{Key: "just text", Value: "1"}, {Key: "k", Value: "2"}, {Key: "", Value: "3"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(c.input, testScope())
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestResolveErrors(t *testing.T) {
	for name, c := range map[string]struct {
		input any
		want  string
	}{
		"no map": {"text", "an input must be a map of type and value, not text"},
		"unknown kind": {in("magic", "x"),
			`an input is of type value, reference, configVar, template or complex, not "magic"`},
		"no kind": {map[string]any{},
			`an input is of type value, reference, configVar, template or complex, not ""`},
		"bad reference": {in("reference", "trigger"),
			`reference "trigger" must name a step and then one of results, currentItem, index, error, as in trigger.results`},
		"no text": {in("reference", 5.0), "the value of an input of type reference must be text, not 5"},
		"in a template": {in("template", "{{$oops}}"),
			`reference "oops" must name a step and then one of results, currentItem, index, error, as in oops.results`},
		"no list": {in("complex", "text"), "the value of an input of type complex must be a list, not text"},
		"in a list": {in("complex", []any{in("magic", "")}),
			`an input is of type value, reference, configVar, template or complex, not "magic"`},
		"in a name": {in("complex", []any{named(in("reference", "x"), "value", "")}),
			`reference "x" must name a step and then one of results, currentItem, index, error, as in x.results`},
		"element no map": {in("complex", []any{"x"}), "an input must be a map of type and value, not x"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(c.input, testScope())
			if err == nil || err.Error() != c.want || refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("got %v and %v, want %s", got, err, c.want)
			}
		})
	}
}

// Conditions stay data: operators and nesting as they are, operands that wait until they are asked.
func TestResolveConditions(t *testing.T) {
	scope := testScope()
	got, err := Resolve(in("complex", []any{
		named("Yes", "complex", []any{"and",
			[]any{"exists", named("", "reference", "plain.results")},
			[]any{"or", []any{"equal", named("", "configVar", "Retries"), named("", "value", "3")},
				[]any{"isEmpty", named("", "reference", "broken")}}}),
	}), scope)
	if err != nil {
		t.Fatal(err)
	}
	branches := got.([]value.KeyValue)
	and := branches[0].Value.([]any)
	exists, or := and[1].([]any), and[2].([]any)
	equal, isEmpty := or[1].([]any), or[2].([]any)
	if branches[0].Key != "Yes" || and[0] != "and" || exists[0] != "exists" || or[0] != "or" || equal[0] != "equal" {
		t.Fatalf("got %v", got)
	}
	scope.Set("plain", "changed") // resolved when asked, not before
	for operand, want := range map[any]any{&exists[1]: "changed", &equal[1]: "3", &equal[2]: "3"} {
		v, err := (*operand.(*any)).(value.Operand)()
		if v != want || err != nil {
			t.Errorf("got %v, %v, want %v", v, err, want)
		}
	}
	if _, err := isEmpty[1].(value.Operand)(); err == nil {
		t.Error("a broken operand fails when it is asked for")
	}
}

func TestScopeResults(t *testing.T) {
	s := testScope()
	s.Forget("trigger")
	want := map[string]any{
		"plain":   map[string]any{"results": "just text"},
		"nothing": map[string]any{"results": nil},
		"loopOverItems": map[string]any{"results": nil, "currentItem": map[string]any{".tag": "folder", "id": 5.0},
			"index": 2.0},
		"flaky": map[string]any{"results": nil, "error": map[string]any{"message": "no answer"}},
	}
	if diff := cmp.Diff(want, s.Results()); diff != "" {
		t.Error(diff)
	}
	s.Set("loopOverItems", []any{1.0})
	if got, _ := Resolve(in("reference", "loopOverItems.results.0"), s); got != 1.0 {
		t.Errorf("after the loop: got %v", got)
	}
	if got, _ := Resolve(in("reference", "loopOverItems.index"), s); got != nil {
		t.Errorf("after the loop: got index %v", got)
	}
}
