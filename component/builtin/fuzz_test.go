package builtin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

const (
	longestFuzz = 1 << 15  // bytes of an input: growth beyond its size shows with few bytes, too
	fuzzHeap    = 64 << 20 // bytes that may be allocated for it
)

// fuzzLimits are the limits of each try.
var fuzzLimits = value.Limits{Output: 1 << 20, Memory: 8 << 20}

var fuzzRegistry = sync.OnceValue(func() *component.Registry { return component.New(Components()...) })

// fuzzed performs an action with an input from outside. It checks that the result is within the limits, or a
// refusal, that little was held for it, and that it ends with the context.
func fuzzed(t *testing.T, key, name string, inputs map[string]any) (any, error) {
	t.Helper()
	action, err := fuzzRegistry().Lookup(key, name)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, input := range inputs {
		text, _ := input.(string)
		size += len(text)
	}
	if size > longestFuzz {
		t.Skip()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result, err := action.Perform(value.WithLimits(t.Context(), fuzzLimits), newStep(t), inputs)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > fuzzHeap {
		t.Errorf("%d MiB were allocated", allocated>>20)
	}
	if err != nil {
		if refusal.CodeOf(err) != refusal.Invalid || len(err.Error()) > 4000 {
			t.Errorf("not a refusal: %.200v", err)
		}
		return nil, err
	}
	if _, err := value.JSON(result.Data); err != nil {
		t.Errorf("a result that is no value: %v", err)
	}
	if _, err := action.Perform(&ending{context.Background(), 0}, newStep(t), inputs); err != nil &&
		!errors.Is(err, errEnded) {
		t.Errorf("got %v of a run that is over", err)
	}
	return result.Data, nil
}

// same compares by the JSON of both.
func same(t *testing.T, what string, a, b any) {
	t.Helper()
	left, _ := value.JSON(a)
	right, _ := value.JSON(b)
	if !bytes.Equal(left, right) {
		t.Errorf("%s: %.300s became %.300s", what, left, right)
	}
}

func add(f *testing.F, seeds ...string) {
	for _, seed := range seeds {
		f.Add(seed)
	}
}

func FuzzCSV(f *testing.F) {
	add(f, "a,b\r\n1,\"x\r\ny\"\r\n", "\ufeff\"id\",name\n1,x\n", "a,b\n\n,\n1,2\n", "size,n\n5\" pipe,1\n",
		"id,tag,tag\n1,red,blue\n", "a\n1,2,3\n", "a__b__c,a\n1,2\n", `a,"b""c"`, "a,b\n1, \"x,y\"\n", "\"", ",\n,",
		"a__\n1", "__,a__b\n1,2")
	f.Fuzz(func(t *testing.T, text string) {
		for _, unflatten := range []string{"false", "true"} {
			_, _ = fuzzed(t, "change-data-format", "deserializeFromCsv", in("data", text, "unflattenKeys", unflatten))
		}
		data, err := fuzzed(t, "csv", "parse", in("csv", text))
		if err != nil {
			return
		}
		cells := 0
		for _, row := range data.([]any) {
			cells += len(row.([]any))
		}
		if told := csvCells(text, ','); cells > told {
			t.Errorf("told %d cells of what has %d", told, cells)
		}
		written, err := fuzzed(t, "csv", "generateFromObject", in("inputArray", data))
		if err != nil || written == "" || strings.ContainsAny(text, "\r\ufeff") { // which the reader changes or drops
			return
		}
		back, err := fuzzed(t, "csv", "parse", in("csv", written))
		if err != nil && refusal.LimitOf(err) == "" {
			t.Errorf("%q became %q: %v", text, written, err)
		} else if err == nil {
			same(t, "CSV", data, back)
		}
	})
}

func FuzzYAML(f *testing.F) {
	add(f, "zip: 02142", "a: yes\nb: no\nc: on", "- DE\n- NO\n- FI", "t: 12:30:45", "n: 1_000",
		"d: 2024-01-05T10:00:00+02:00", "a: 1\n---\nb: 2", "a: 1\na: 2", "t: |\r\n  a\r\n  b\r\n", "\ufeffa: 1",
		"a:\n\tb: 1", "1: a\ntrue: b\n007: c\n~: d", "a: ~\nb: null\nc:", "a: .inf\nb: .nan", "", "a: &x [1]\nb: *x",
		"<<: {a: 1}\nb: 2", "? [a]\n: b", "%TAG !a! b\n---\n!a!c d", "[a: b, {? c}]", "!!binary aGk=", "- !x {a: 1}",
		"\"\\x41\\u00e9\" : >-\n  a\n  b", "- - - a", "? - a")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := fuzzed(t, "change-data-format", "deserializeFromYaml", in("data", text))
		if err != nil {
			return
		}
		var document yaml.Node
		if yaml.Unmarshal([]byte(text), &document) == nil {
			if told, is := yamlNodes(text), nodes(&document); is > 2*told+2 {
				t.Errorf("told %d nodes of what has %d", told, is)
			}
		}
		written, err := fuzzed(t, "change-data-format", "binaryToYaml", in("data", data))
		if err != nil {
			return
		}
		back, err := fuzzed(t, "change-data-format", "deserializeFromYaml", in("data", written))
		if err != nil && refusal.LimitOf(err) == "" {
			t.Errorf("%q became %q: %v", text, written, err)
		} else if err == nil && !isText(data) { // text that is JSON is read before it is written
			same(t, "YAML", data, back)
		}
	})
}

func isText(v any) bool { _, is := v.(string); return is }

func nodes(n *yaml.Node) int {
	count := 1
	for _, inner := range n.Content {
		count += nodes(inner)
	}
	return count
}

func FuzzXML(f *testing.F) {
	add(f, order, "<a x='1'>t<b>1.50</b></a>", `<?xml version="1.0" encoding="UTF-16"?><a>é</a>`, "<a><b></a>",
		`<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`, "<a>&#0;&#x10FFFF;&lt;</a>", "<a b='>' c=\"'\"/>",
		"<a:b xmlns:a=''><c/>x<c/></a:b>", "<a><![CDATA[]]]]></a>", "<a =''/>", "<a b = '1'/>",
		times("<?xml version='", "1", 5000, "'?><a/>"), "<a><!----></a>")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := fuzzed(t, "change-data-format", "deserializeFromXml", in("data", text, "numbersAsStrings", "true"))
		if err != nil {
			return
		}
		if told, is := mostAttributes(text), attributes(data); is > told {
			t.Errorf("told %d attributes of an element with %d", told, is)
		}
		written, err := fuzzed(t, "change-data-format", "binaryToXml", in("data", data))
		if err != nil {
			return
		}
		back, err := fuzzed(t, "change-data-format", "deserializeFromXml",
			in("data", written, "numbersAsStrings", "true"))
		if err != nil && refusal.LimitOf(err) == "" {
			t.Errorf("%q became %q: %v", text, written, err)
		} else if err == nil {
			same(t, "XML", data, back)
		}
	})
}

// attributes returns the most attributes of any element.
func attributes(v any) (most int) {
	switch x := v.(type) {
	case map[string]any:
		for name, inner := range x {
			if strings.HasPrefix(name, xmlAttribute) {
				most++
			}
			defer func() { most = max(most, attributes(inner)) }()
		}
	case []any:
		for _, inner := range x {
			most = max(most, attributes(inner))
		}
	}
	return most
}

func FuzzMessagePack(f *testing.F) {
	add(f, "\x82\xa1a\x93\x01\xc0\xc3\x02\xc4\x01\xff", "\xcd\x01\x00", "\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
		"\xca\x3f\x80\x00\x00", "\xd9\x02hi", "\xdc\x00\x01\xc2", "\xd4\x05\x06", "\xc1", "\xdd\xff\xff\xff\xff",
		"\xdb\xff\xff\xff\xff", "\x91\x91\x91", "\x81\x81\xa1k\xa1v", "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
		"\x81\xa1\xff\xa1\xff")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := fuzzed(t, "messagepack", "decodeMessage", in("message", text))
		if err != nil {
			return
		}
		packed, err := fuzzed(t, "messagepack", "encodeMessage", in("data", data))
		if err != nil {
			t.Fatal(err)
		}
		back, err := fuzzed(t, "messagepack", "decodeMessage", in("message", packed))
		if err != nil {
			t.Error(err)
		}
		same(t, "MessagePack", data, back)
	})
}

func FuzzForm(f *testing.F) {
	add(f, "payload=%7B%22a%22%3A1%7D&x=+", "a=1&a=2&b", "rate=100%+%C3%A9&&%zz=1=2", "a=1;b=2", "=", "=x&=y", "%",
		"%4", "a=%ff%00")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := fuzzed(t, "change-data-format", "deserializeFormData", in("data", text))
		if err != nil {
			return
		}
		written, err := fuzzed(t, "change-data-format", "serializeFormData", in("data", data))
		if err != nil {
			if refusal.LimitOf(err) == "" {
				t.Error(err)
			}
			return
		}
		if written == "" {
			return
		}
		if back, err := fuzzed(t, "change-data-format", "deserializeFormData", in("data", written)); err == nil {
			if diff := cmp.Diff(data, back); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func FuzzPrettyPrint(f *testing.F) {
	add(f, `{"b":[],"a":{"c":1}}`, `["\"]},{[:", {}, [[]]]`, "plain", `"\\"`,
		strings.Repeat("[", 200)+"1,2"+strings.Repeat("]", 200))
	f.Fuzz(func(t *testing.T, text string) {
		data, err := fuzzed(t, "change-data-format", "prettyPrint", in("data", text))
		val, isJSON := readJSON(value.NewBudget(t.Context()), text)
		if _, isText := val.(string); err != nil || !isJSON || isText {
			return
		}
		compact, _ := value.JSON(val)
		var want bytes.Buffer
		if err := json.Indent(&want, compact, "", "  "); err != nil || want.String() != data {
			t.Errorf("got %q, want %q", data, want.String())
		}
	})
}

func FuzzCondition(f *testing.F) {
	data, err := os.ReadFile("testdata/conditions.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, word := range strings.Fields(string(data))[:100] {
		f.Add(word, "5")
	}
	for _, seed := range [][2]string{{"[1,2]", "1"}, {"2026-01-01", "1767225600"}, {`{"a":1}`, "a"}, {"", "null"},
		{"0x10", "16"}, {"1e999", "-1e999"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, left, right string) {
		if len(left)+len(right) > longestFuzz {
			t.Skip()
		}
		test := func(operator string, operands ...any) (bool, error) {
			is, err := holds(value.WithLimits(t.Context(), fuzzLimits), append([]any{operator}, operands...))
			if err != nil && refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("%s: %v", operator, err)
			}
			return is, err
		}
		for operator, n := range arity {
			switch n {
			case 1:
				_, _ = test(operator, left)
			case 2:
				is, err := test(operator, left, right)
				if opposite, has := negated[operator]; has {
					if other, bad := test(opposite, left, right); err == nil && bad == nil && is == other {
						t.Errorf("%s and %s of %q and %q are both %v", operator, opposite, left, right, is)
					}
				}
			}
		}
		if less, _ := test("lessThan", left, right); less {
			if more, _ := test("greaterThan", left, right); more {
				t.Errorf("%q is less than %q, and greater", left, right)
			}
		}
	})
}

func FuzzObjectPath(f *testing.F) {
	for _, seed := range [][2]string{{`{"order":{"items":[{"id":1}]}}`, "order.items[0].customer"}, {"{}", "a.b.c"},
		{"[1]", "[0]"}, {`{"a":[1]}`, "a.-1"}, {"", ".."}, {`{"a":1}`, "a"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, object, path string) {
		before, _ := value.JSON(unquoted(value.NewBudget(t.Context()), object))
		_, _ = fuzzed(t, "collection-tools", "addKey", in("object", object, "objectPath", path, "key", "k",
			"value", "v"))
		_, _ = fuzzed(t, "collection-tools", "selectItemFromList", in("listInput", object, "indexInput", path))
		if after, _ := value.JSON(unquoted(value.NewBudget(t.Context()), object)); !bytes.Equal(before, after) {
			t.Errorf("the object itself was changed: %s", after)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, seed := range [][2]string{{"2026-01-31T12:00:00.5+02:00", "YYYY-MM-DDTHH:mm:ss.SSSZ"},
		{"20260131", "dddd, MMMM D, YY [at] h:m a"}, {"1767225600", "[[]"}, {"-1e11", "SSSS"},
		{"Mon, 02 Jan 2006 15:04:05 GMT", "ddd"}, {"2026", "[x"}, {"0000-01-01", "YYYY"},
		{"9999-12-31T23:59:59-14:00", "YYYY"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, at, pattern string) {
		text, err := fuzzed(t, "datetime", "formatDateTime", in("dateTimeInput", at, "formatInput", pattern))
		if err == nil && pattern != "" && len(text.(string)) > 9*len(pattern)+10 {
			t.Errorf("%q became %d bytes", pattern, len(text.(string)))
		}
		iso, err := fuzzed(t, "datetime", "convertToISOString", in("dateTimeInput", at))
		if err != nil {
			return
		}
		if again, err := fuzzed(t, "datetime", "convertToISOString",
			in("dateTimeInput", iso)); len(iso.(string)) == len(isoMillis) && (again != iso || err != nil) {
			t.Errorf("%q is %v, then %v, %v", at, iso, again, err)
		}
	})
}

// words are the words that an expression may contain.
var words = regexp.MustCompile(`Math\.\w+|0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|[0-9.][eE]`)

func FuzzExpression(f *testing.F) {
	add(f, "2 * (3 + 7) ** 2", "-(.5e1 - 0xF) % 4 + Math.max(1, Math.PI)", "process.exit()", "1e5", "0b1|0o7",
		"Math.constructor", "1,2", "x", "(1)`a`", "1/*a*/", "\u2028")
	f.Fuzz(func(t *testing.T, expression string) {
		if len(expression) > longestFuzz {
			t.Skip()
		}
		s := newStep(t)
		s.script = func(call component.ScriptCall) (any, error) {
			left := words.ReplaceAllString(expression, " ")
			if strings.ContainsFunc(left, unicode.IsLetter) || strings.ContainsAny(left, "\"'`[]{};\\=$_@#!?:") ||
				len(expression) > longestExpression {
				t.Errorf("%q reached the script engine", expression)
			}
			return 1.0, nil
		}
		if _, err := s.perform("math", "evaluate", in("expression", expression)); err != nil &&
			refusal.CodeOf(err) != refusal.Invalid {
			t.Error(err)
		}
	})
}

func FuzzJSONSchema(f *testing.F) {
	for _, seed := range [][2]string{{`{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}`,
		`{"id":1}`}, {`{"items":{"$ref":"#"}}`, "[[[]]]"},
		{`{"minimum":1e308,"multipleOf":0.01}`, "[1e999999,-1e-999999]"}, {`{"pattern":"(a+)+$"}`, `"aaaa"`},
		{`{"$ref":"http://x/y"}`, "1"}, {`{"uniqueItems":true}`, "[1,1.0]"},
		{`{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"not":{}}}}`, "1"}, {"true", "1"},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","id":"x"}`, "{}"},
		{`{"format":"date-time","propertyNames":{"maxLength":1}}`, `{"ab":1}`},
		{`{"pattern":"x"}`, strings.Repeat("\x8c", 3000)}, {`{"pattern":"x"}`, strings.Repeat("😀", 3000)}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, schema, value string) {
		if len(schema) > 2000 {
			t.Skip() // the error is the flow's own
		}
		_, _ = fuzzed(t, "collection-tools", "validateJsonSchema", in("jsonSchema", schema, "jsonInput", value))
	})
}

func FuzzText(f *testing.F) {
	for _, seed := range [][3]string{{"a,b,", ",", "x"}, {"aé", "", ""}, {"ΟΔΟΣ straße", "ß", "SS"},
		{"&lt;&eacute;&#39;&amp;amp;", "&", "&amp;"}, {"\xff", "\xff", "a"}, {"a😀b", "b", "😀"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, text, find, by string) {
		do := func(action string, inputs ...any) any {
			data, err := fuzzed(t, "text-manipulation", action, in(inputs...))
			if err != nil && refusal.LimitOf(err) == "" && action != "decodeBase64" {
				t.Errorf("%s: %v", action, err)
			}
			return data
		}
		if got := do("replace", "text", text, "find", find, "replace", by); got != nil && find != "" &&
			got != strings.ReplaceAll(text, find, by) {
			t.Errorf("%q for %q in %q: got %q", by, find, text, got)
		}
		if parts := do("split", "text", text, "separator", find); parts != nil && utf8.ValidString(text+find) {
			if list, ok := parts.([]any); ok && len(list) > 1 &&
				do("join", "strings", parts, "separator", find) != text {
				t.Errorf("%q in parts %v is another text", text, parts)
			}
		}
		for _, action := range []string{"lowerCase", "upperCase", "trim", "htmlEncode", "htmlDecode", "stringLength",
			"splitLines", "decodeBase64"} {
			do(action, "text", text)
		}
		do("slice", "text", text, "sliceStart", 1.0, "sliceStop", "-1")
		if encoded := do("encodeBase64", "text", text); encoded != nil && encoded != "" && utf8.ValidString(text) {
			if got := do("decodeBase64", "text", encoded); got != text {
				t.Errorf("%q came back as %q", text, got)
			}
		}
	})
}
