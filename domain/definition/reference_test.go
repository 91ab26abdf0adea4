package definition

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heddle/domain/refusal"
)

func TestIdentifier(t *testing.T) {
	for name, want := range map[string]string{
		"Create GitHub Comment Body":                 "createGithubCommentBody",
		"Get a Queue's URL":                          "getAQueueSUrl",
		"JavaScript Object to JSON":                  "javascriptObjectToJson",
		"Prep Agent and RunResult for Storage":       "prepAgentAndRunresultForStorage",
		"Add # of Jira Issues + startAt value":       "addOfJiraIssuesStartatValue",
		"build_destination_paths":                    "buildDestinationPaths",
		"Cross Flow - Get Value":                     "crossFlowGetValue",
		"  2nd try (v2)!":                            "2ndTryV2",
		"Größe 🚀 messen":                             "grEMessen",
		"データ":                                        "データ",
		"क्रम → १":                                   "क्रम१",
		"→":                                          "",
		"":                                           "",
		"Deserialize URL-encoded Form Data":          "deserializeUrlEncodedFormData",
		"Check if there are more records to process": "checkIfThereAreMoreRecordsToProcess",
	} {
		if got := Identifier(name); got != want {
			t.Errorf("Identifier(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for text, want := range map[string]Path{
		"a.results":                  {Step: "a", Kind: "results"},
		"a.results.0.id":             {Step: "a", Kind: "results", Rest: []string{"0", "id"}},
		"a.results.body.data[0].Id":  {Step: "a", Kind: "results", Rest: []string{"body", "data", "0", "Id"}},
		`a.currentItem.[".tag"]`:     {Step: "a", Kind: "currentItem", Rest: []string{".tag"}},
		`a.results["x y"]['z\'']`:    {Step: "a", Kind: "results", Rest: []string{"x y", "z'"}},
		"a.results.key2[1][2].b":     {Step: "a", Kind: "results", Rest: []string{"key2", "1", "2", "b"}},
		"t.results.urls.My Flow @ 1": {Step: "t", Kind: "results", Rest: []string{"urls", "My Flow @ 1"}},
		"t.results.headers.X-Hub-Ev": {Step: "t", Kind: "results", Rest: []string{"headers", "X-Hub-Ev"}},
		"loop.index":                 {Step: "loop", Kind: "index"},
		"call.error.message":         {Step: "call", Kind: "error", Rest: []string{"message"}},
		`a["results"].b`:             {Step: "a", Kind: "results", Rest: []string{"b"}},
	} {
		got, err := ParsePath(text)
		if err != nil {
			t.Errorf("ParsePath(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParsePath(%q):\n%s", text, diff)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                `reference "" cannot be read: there is an empty segment`,
		"a":               `reference "a" must name a step and then one of results, currentItem, index, error, as in a.results`,
		"a.data":          `reference "a.data" must name a step and then one of results, currentItem, index, error, as in a.results`,
		"a.results.":      `reference "a.results." cannot be read: there is an empty segment`,
		"a..results":      `reference "a..results" cannot be read: there is an empty segment`,
		"a.results[":      `reference "a.results[" cannot be read: [ needs an index or a quoted name and then ]`,
		"a.results[]":     `reference "a.results[]" cannot be read: [ needs an index or a quoted name and then ]`,
		`a.results["x]`:   `reference "a.results[\"x]" cannot be read: [" is not closed by "]`,
		"a.results[0]b":   `reference "a.results[0]b" cannot be read: after ] only a dot or [ can follow`,
		"[0].results.abc": `reference "[0].results.abc" cannot be read: there is an empty segment`,
	} {
		_, err := ParsePath(text)
		if err == nil || err.Error() != want {
			t.Errorf("ParsePath(%q) = %v, want %s", text, err, want)
		}
		if refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("ParsePath(%q): code %q", text, refusal.CodeOf(err))
		}
	}
}

func TestPathStringIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Path{Step: "a", Kind: KindResults, Rest: rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "rest")}
		got, err := ParsePath(p.String())
		if err != nil {
			t.Fatalf("%q: %v", p.String(), err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Fatalf("%q:\n%s", p.String(), diff)
		}
	})
}

func TestParseTemplate(t *testing.T) {
	for text, want := range map[string][]Segment{
		"":                          nil,
		"plain ${js} {{liquid}} }}": {{LiteralSegment, "plain ${js} {{liquid}} }}"}},
		"Hi {{#Name, Full}}!":       {{LiteralSegment, "Hi "}, {ConfigVarSegment, "Name, Full"}, {LiteralSegment, "!"}},
		"{{$a.results.b c}}{{#x}}":  {{PathSegment, "a.results.b c"}, {ConfigVarSegment, "x"}},
		"{{{$a.results}}}":          {{LiteralSegment, "{"}, {PathSegment, "a.results"}, {LiteralSegment, "}"}},
		"open {{$a.results":         {{LiteralSegment, "open {{$a.results"}},
		"{{$a.\nb}}":                {{PathSegment, "a.\nb"}},
	} {
		if diff := cmp.Diff(want, ParseTemplate(text)); diff != "" {
			t.Errorf("ParseTemplate(%q):\n%s", text, diff)
		}
	}
}

// A pattern in one line describes placeholders; only matching it is slow.
func TestTemplateIsReadLikeThePattern(t *testing.T) {
	placeholder := regexp.MustCompile(`(?s)\{\{([#$])(.*?)\}\}`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("{{{}}}#$a\né"))).Draw(t, "text")
		var got, want strings.Builder
		for _, part := range ParseTemplate(text) {
			got.WriteString([]string{"literal", "#", "$"}[part.Kind] + "<" + part.Text + ">")
		}
		end := 0
		literal := func(to int) {
			if to > end {
				want.WriteString("literal<" + text[end:to] + ">")
			}
		}
		for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
			literal(m[0])
			want.WriteString(text[m[2]:m[3]] + "<" + text[m[4]:m[5]] + ">")
			end = m[1]
		}
		literal(len(text))
		if got.String() != want.String() {
			t.Fatalf("%q is read as %s, not as %s", text, got.String(), want.String())
		}
	})
}
