package builtin

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heddle/component/value"
)

const order = `<?xml version="1.0"?><!DOCTYPE o><ns:order id="7" code="007"><!-- x --><line>a</line><line>2</line><note><![CDATA[<b>]]></note><empty/></ns:order>`

func TestChangeDataFormat(t *testing.T) {
	read := map[string]any{"ns:order": map[string]any{"@id": 7.0, "@code": "007", "line": []any{"a", 2.0},
		"note": "<b>", "empty": ""}}
	rows := []any{map[string]any{"a": "1", "p__x": "2"}, map[string]any{"a": "é,\"", "p__x": ""}}
	const table = "a,p__x\n1,2\n\"é,\"\"\",\n"
	body := func(text string) map[string]any {
		return map[string]any{"data": []byte(text), "contentType": "text/plain"}
	}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	try(t, "change-data-format", []row{
		{"deserializeFromXml", in("data", body(order)), read, ""},
		{"deserializeFromXml", in("data", "<a>5</a>", "numbersAsStrings", "true"), map[string]any{"a": "5"}, ""},
		{"deserializeFromXml", in("data", "<a x='1'>t<b>1.50</b></a>"),
			map[string]any{"a": map[string]any{"@x": 1.0, "#text": "t", "b": "1.50"}}, ""},
		{"deserializeFromXml", in("data", `<?xml version="1.0" encoding="UTF-16"?><a>é</a>`),
			map[string]any{"a": "é"}, ""},
		{"deserializeFromXml", in("data", body("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>")),
			map[string]any{"a": "é"}, ""},
		{"deserializeFromXml", in("data", body("<?xml version='1.0' encoding='nine'?><a>\xe9</a>")), nil,
			`the encoding "nine", which the XML declares, is not known; give the text in UTF-8`},
		{"deserializeFromXml", in("data", "<a><b></a>"), nil, "<b> is closed by </a>"},
		{"deserializeFromXml", in("data", "<a>"), nil, "unexpected EOF"},
		{"deserializeFromXml", in("data", "no xml"), nil, "Data is not XML"},
		{"deserializeFromXml", in("data", `<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>`), nil,
			"invalid character entity &e;"},
		{"deserializeFromXml", in("data", strings.Repeat("<a>", 300)), nil, "nested deeper than 200"},
		{"deserializeFromXml", in("data", 5.0), nil, "Data must be XML text, not 5"},
		{"deserializeFromCsv", in("data", "\ufeff"+table), rows, ""},
		{"deserializeFromCsv", in("data", table, "unflattenKeys", "true"),
			[]any{map[string]any{"a": "1", "p": map[string]any{"x": "2"}},
				map[string]any{"a": "é,\"", "p": map[string]any{"x": ""}}}, ""},
		{"deserializeFromCsv", in("data", "1\n2,3\n", "csvHeader", "false"), []any{[]any{"1"}, []any{"2", "3"}}, ""},
		{"deserializeFromCsv", in("data", "a\n1,2\n"), []any{map[string]any{"a": "1"}}, ""},
		{"deserializeFromCsv",
			in("data", map[string]any{"data": []byte("a\ncaf\xe9\n"), "contentType": "text/csv; charset=latin1"}),
			[]any{map[string]any{"a": "café"}}, ""},
		{"deserializeFromCsv",
			in("data", map[string]any{"data": []byte("a\ncaf\xe9\n"), "contentType": "text/csv; charset=unheard-of"}),
			[]any{map[string]any{"a": "caf\xe9"}}, ""},
		{"deserializeFromCsv", in("data", `"`), nil, "this is not CSV"},
		{"deserializeFromYaml", in("data", "a: 1\nb: [x, true, null]\n1: 2026-01-02\n"),
			map[string]any{"a": 1.0, "b": []any{"x", true, nil}, "1": "2026-01-02T00:00:00.000Z"}, ""},
		{"deserializeFromYaml", in("data", "# nothing"), nil, ""},
		{"deserializeFromYaml", in("data", "a: &x [1]\nb: *x"), nil, "aliases"},
		{"deserializeFromYaml", in("data", "a: ["), nil, "Data is not YAML"},
		{"deserializeFromBinary", in("data", body(`{"a":1}`)), map[string]any{"a": 1.0}, ""},
		{"deserializeFromBinary", in("data", []byte{255}), []byte{255}, ""},
		{"deserializeFromBinary", in("data", []any{}), []any{}, ""},
		{"deserializeJsonl", in("data", "1\r\n\n{\"a\":2}"), []any{1.0, map[string]any{"a": 2.0}}, ""},
		{"deserializeJsonl", in("data", "1\n{"), nil, "line 2 is not JSON"},
		{"serializeJsonl", in("data", []any{1.0, map[string]any{"a": nil}}), "1\n{\"a\":null}\n", ""},
		{"serializeJsonl", in("data", "x"), nil, "a list is needed"},
		{"serializeFormData", in("data", map[string]any{"b": "x y", "a": []any{1.0, map[string]any{}}}),
			"a=1&a=%7B%7D&b=x+y", ""},
		{"serializeFormData", in("data", []any{}), nil, "an object is needed"},
		{"prettyPrint", in("data", `{"b":[],"a":{"c":1}}`), "{\n  \"a\": {\n    \"c\": 1\n  },\n  \"b\": []\n}", ""},
		{"prettyPrint", in("data", "plain"), "plain", ""},
		{"csvToJson", in("data", "a\n1\n"), `[{"a":"1"}]`, ""},
		{"csvToXml", in("data", "a\n1\n"), head + "<root><item><a>1</a></item></root>", ""},
		{"csvToYaml", in("data", "a\n1\n"), "- a: \"1\"\n", ""},
		{"jsonToCsv", in("data", `[{"b":1,"a":{"c":[1]}},{"d":"x"}]`), "a__c,b,d\n[1],1,\n,,x\n", ""},
		{"jsonToCsv", in("data", []any{[]any{"a", 1.0}}), "a,1\n", ""},
		{"jsonToCsv", in("data", `[1]`), nil, "row 0 is 1; a row is an object or a list"},
		{"jsonToCsv", in("data", `[{"a":1},[1]]`), nil, "all objects or all lists"},
		{"jsonToCsv", in("data", `"x"`), nil, "a list is needed"},
		{"jsonToXml", in("data", read),
			head +
				`<ns:order code="007" id="7"><empty></empty><line>a</line><line>2</line><note>&lt;b&gt;</note></ns:order>`, ""},
		{"jsonToXml", in("data", 5.0), head + "<root>5</root>", ""},
		{"jsonToXml", in("data", `{"a":{"#text":"t","@x":"<"},"b":[[1]]}`),
			head + `<root><a x="&lt;">t</a><b><item>1</item></b></root>`, ""},
		{"jsonToXml", in("data", `{"a b":1}`), nil, `"a b" cannot be the name`},
		{"jsonToXml", in("data", `{"a":{"@":1}}`), nil, "cannot be the name of an XML attribute"},
		{"jsonToYaml", in("data", `{"b":"1","a":[1.5,null]}`), "a:\n    - 1.5\n    - null\nb: \"1\"\n", ""},
		{"jsonToYaml", in("data", `{"a":"\n0","b":["\tx\ny"," \n"],"c":"d\n\ne"}`),
			"a: \"\\n0\"\nb:\n    - \"\\tx\\ny\"\n    - \" \\n\"\nc: |-\n    d\n\n    e\n", ""},
		{"jsonToYaml", in("data", `{`), nil, "Data is not JSON"},
		{"xmlToCsv", in("data", "<a><b>1</b></a>"), "a__b\n1\n", ""},
		{"xmlToJson", in("data", "<a><b>1</b></a>", "numbersAsStrings", "true"), `{"a":{"b":"1"}}`, ""},
		{"xmlToYaml", in("data", "<a><b>1</b></a>"), "a:\n    b: 1\n", ""},
		{"yamlToCsv", in("data", "- a: 1"), "a\n1\n", ""},
		{"yamlToJson", in("data", "a: 1"), `{"a":1}`, ""},
		{"yamlToXml", in("data", "a: 1"), head + "<a>1</a>", ""},
		{"binaryToCsv", in("data", map[string]any{"a": 1.0}), "a\n1\n", ""},
		{"binaryToJson", in("data", map[string]any{"a": []byte("x")}), `{"a":"x"}`, ""},
		{"binaryToJson", in("data", []any{func() {}}), nil, "Data has no JSON"},
		{"binaryToXml", in("data", map[string]any{"a": 1.0, "b": true}), head + "<root><a>1</a><b>true</b></root>", ""},
		{"binaryToYaml", in("data", map[string]any{"a": 1.0}), "a: 1\n", ""},
		{"convertToBoolean", in("value", "Yes"), true, ""},
		{"convertToBoolean", in("value", "0"), false, ""},
		{"convertToBoolean", in("value", nil), false, ""},
		{"convertToBoolean", in("value", []any{}), true, ""},
		{"convertToInt", in("value", " -3.9 "), -3.0, ""},
		{"convertToInt", in("value", "x"), nil, `value: "x" is no number`},
		{"convertToNumber", in("value", "1e2"), 100.0, ""},
		{"convertToNumber", in("value", true), 1.0, ""},
		{"convertToNumber", in("value", int64(5)), 5.0, ""},
		{"convertToNumber", in("value", ""), nil, "is no number"},
		{"convertToString", in("value", map[string]any{"a": 1.0}), `{"a":1}`, ""},
		{"convertToString", in("value", nil), "", ""},
	}, "deserializeFormData", "deserializeFromJson")
}

// XML, YAML and JSON are read back as they were written.
func TestFormatsRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[a-z_][a-z0-9.-]{0,5}`)
	leaf := rapid.OneOf(rapid.Map(rapid.StringMatching(`[ -~éÀ€]{0,8}`), func(s string) any {
		return strings.TrimSpace(s)
	}),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(n float64) any { return math.Round(n*100) / 100 }))
	var object func(depth int) *rapid.Generator[any]
	object = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf, rapid.Map(rapid.MapOfN(name, object(depth-1), 1, 4), func(m map[string]any) any {
			return m
		}))
	}
	rapid.Check(t, func(t *rapid.T) {
		val := map[string]any{"root": object(3).Draw(t, "value")}
		xmlText, err := writeXML(value.NewBudget(context.Background()), val)
		if err != nil {
			t.Fatal(err)
		}
		asText := func(v any) string { s, _ := writeJSON(value.NewBudget(context.Background()), v); return s }
		back, err := readXML(value.NewBudget(context.Background()),
			xmlInputs{dataInputs: dataInputs{xmlText}, Strings: true})
		if diff := cmp.Diff(asText(texts(val)), asText(back)); diff != "" || err != nil {
			t.Fatalf("%s: %v %s", xmlText, err, diff)
		}
		yamlText, err := writeYAML(value.NewBudget(context.Background()), val)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := readYAML(value.NewBudget(context.Background()), dataInputs{yamlText}); !cmp.Equal(any(val),
			back) || err != nil {
			t.Fatalf("%s: %v %v", yamlText, err, back)
		}
	})
}

// texts returns a copy with all leaves as text.
func texts(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return value.Text(v)
	}
	all := map[string]any{}
	for k := range object {
		all[k] = texts(object[k])
	}
	return all
}
