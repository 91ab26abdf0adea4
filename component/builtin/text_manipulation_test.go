package builtin

import (
	"testing"

	"heddle/component/value"
)

func TestTextManipulation(t *testing.T) {
	try(t, "text-manipulation", []row{
		{"decodeBase64", in("text", "w6k="), "é", ""},
		{"decodeBase64", in("text", "_-8\n"), []byte{0xff, 0xef}, ""},
		{"decodeBase64", in("text", "%%"), nil, "not Base64"},
		{"encodeBase64", in("text", "é"), "w6k=", ""},
		{"encodeBase64", in("text", map[string]any{"data": []byte{255}, "contentType": "image/png"}), "/w==", ""},
		{"encodeBase64", in("text", 5.0), "NQ==", ""},
		{"slice", in("text", "abcdef", "sliceStart", "1", "sliceStop", "3"), "bc", ""},
		{"slice", in("text", "abcdef", "sliceStart", "-2", "sliceStop", ""), "ef", ""},
		{"slice", in("text", "abcdef", "sliceStart", "4", "sliceStop", "-3"), "", ""},
		{"slice", in("text", "a😀b", "sliceStart", 3.0, "sliceStop", 99.0), "b", ""},
		{"slice", in("text", "abc", "sliceStop", "end"), nil, "sliceStop: Slice stop must be a whole number"},
		{"replace", in("text", "/in/a/in", "find", "/in", "replace", "$&"), "$&/a$&", ""},
		{"replace", in("text", "abc", "find", "", "replace", "x"), "abc", ""},
		{"replaceMultipleSubstring",
			in("text", "abc", "replaceWith", []value.KeyValue{{Key: "a", Value: "b"}, {Key: "b", Value: 1.0},
				{Key: "", Value: "x"}}), "11c", ""},
		{"htmlDecode", in("text", "&lt;&eacute;&#39;&amp;amp;"), "<é'&amp;", ""},
		{"htmlEncode", in("text", `<a b="c">é'&`), "&lt;a b=&#34;c&#34;&gt;é&#39;&amp;", ""},
		{"join", in("strings", []any{"a", 1.0, nil, map[string]any{}}, "separator", ", "), "a, 1, , {}", ""},
		{"join", in("strings", []any{[]any{"a", "b"}}, "separator", ""), "ab", ""},
		{"join", in("strings", ""), "", ""},
		{"join", in("strings", 5.0), nil, "strings: a list is needed, not 5"},
		{"joinLines", in("strings", []any{"a", "b"}), "a\nb", ""},
		{"joinLines", in("strings", `["a","b"]`, "newlineType", `\r\n`, "numberOfNewlines", "2"), "a\r\n\r\nb", ""},
		{"joinLines", in("strings", []any{}, "numberOfNewlines", "-1"), nil, "from 0 to 1000"},
		{"lowerCase", in("text", "ÄB"), "äb", ""},
		{"lowerCase", in("text", "ΟΔΟΣ"), "οδος", ""},
		{"upperCase", in("text", "äb"), "ÄB", ""},
		{"upperCase", in("text", "straße"), "STRASSE", ""},
		{"trim", in("text", "\ufeff\u00a0 a b\t\n"), "a b", ""},
		{"splitLines", in("text", "a\r\n\n  \nb"), []any{"a", "b"}, ""},
		{"splitLines", in("text", "a\n\nb", "filterBlankLines", "false"), []any{"a", "", "b"}, ""},
		{"split", in("text", "a,b,", "separator", ","), []any{"a", "b", ""}, ""},
		{"split", in("text", "", "separator", ","), []any{""}, ""},
		{"split", in("text", "aé", "separator", ""), []any{"a", "é"}, ""},
		{"split", in("text", ""), []any{}, ""},
		{"stringLength", in("text", "a😀"), 3.0, ""},
	}, "match")
}
