package value

import (
	"math"
	"testing"
)

// The expectations are those of a JavaScript engine, apart from lists and objects compared with their like:
// JavaScript compares those by identity.
func TestLooseEqual(t *testing.T) {
	list, object := []any{1.0, []any{nil, "x"}}, map[string]any{"a": 1.0}
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{nil, nil, true}, {nil, 0.0, false}, {nil, "", false}, {nil, false, false},
		{"a", "a", true}, {"a", "A", false}, {"", 0.0, true}, {" ", 0.0, true}, {"", false, true},
		{"5", 5.0, true}, {"5.2", 5.2, true}, {" 5 ", 5.0, true}, {"5", "5.0", false}, {"0x10", 16.0, true},
		{"0b11", 3.0, true}, {"1e3", 1000.0, true}, {"1_000", 1000.0, false}, {"0x1p4", 16.0, false},
		{"Infinity", math.Inf(1), true}, {"inf", math.Inf(1), false}, {"1e400", math.Inf(1), true}, {true, 1.0, true},
		{true, "1", true}, {true, "true", false}, {false, "0", true}, {false, 0.0, true}, {true, 2.0, false},
		{math.NaN(), math.NaN(), false}, {"x", math.NaN(), false}, {int64(5), "5", true}, {5, 5.0, true},
		{[]byte("a"), "a", true}, {list, []any{1.0, []any{nil, "x"}}, true}, {list, []any{1.0}, false},
		{list, "1,,x", true}, {[]any{5.0}, 5.0, true}, {[]any{}, "", true}, {[]any{}, false, true},
		{object, map[string]any{"a": 1.0}, true}, {object, map[string]any{}, false}, {object, "[object Object]", true},
		{object, 1.0, false}, {object, nil, false}, {object, []any{}, false}, {[]any{object}, "[object Object]", true},
	} {
		if got := LooseEqual(c.a, c.b); got != c.want {
			t.Errorf("%#v == %#v: got %v", c.a, c.b, got)
		}
		if got := LooseEqual(c.b, c.a); got != c.want {
			t.Errorf("%#v == %#v: got %v", c.b, c.a, got)
		}
	}
}
