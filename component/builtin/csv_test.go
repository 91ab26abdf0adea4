package builtin

import "testing"

func TestCSV(t *testing.T) {
	try(t, "csv", []row{
		{"parse", in("csv", "a;b\n\"1;\";2\n", "delimiter", ";"), []any{[]any{"a", "b"}, []any{"1;", "2"}}, ""},
		{"parse", in("csv", map[string]any{"data": []byte("a\tb"), "contentType": "text/csv"}, "delimiter", `\t`),
			[]any{[]any{"a", "b"}}, ""},
		{"parse", in("csv", "a\n1", "ignoreHeaders", "true"), []any{[]any{"1"}}, ""},
		{"parse", in("csv", `a"b`), nil, "csv: this is not CSV"},
		{"parse", in("csv", "a", "delimiter", "ab"), nil, "one character"},
		{"generateFromObject", in("inputArray", []any{map[string]any{"b": 1.0, "a": "x,y"}, map[string]any{"c": nil}}),
			"a,b,c\n\"x,y\",1,\n,,\n", ""},
		{"generateFromObject", in("inputArray", `[{"a":1}]`, "includeHeader", "false", "delimiter", ";"), "1\n", ""},
		{"generateFromObject", in("inputArray", []any{}), "", ""},
		{"generateFromObject", in("inputArray", []any{[]any{"a"}, []any{""}, []any{nil}, []any{"b"}}),
			"a\n\"\"\n\"\"\nb\n", ""},
		{"generateFromObject", in("inputArray", "x"), nil, "inputArray: a list is needed"},
		{"generateFromObject", in("inputArray", []any{}, "delimiter", `"`), nil, "one character"},
	})
}
