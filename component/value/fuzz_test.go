package value

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// longestFuzz keeps inputs small: growth beyond the input's size shows with few bytes, too.
const longestFuzz = 1 << 16

// FuzzMeasureJSON parses JSON, measures it before, and writes it as it was.
func FuzzMeasureJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"x",null,true],"b":{"c":{}}}`, `[[[]]]`, `"\ud83d\ude00\u0000"`,
		`{"a":1,"a":2}`, `1e999`, `-0.0`, "\"\xff\"", `{"$bytes":"AA=="}`, `8202522731445525542`, `[1,`, `]`, `"\`,
		`"a\"b":`, strings.Repeat("[", 1100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > longestFuzz {
			t.Skip()
		}
		m := MeasureJSON(raw)
		value, err := ParseJSON(raw)
		if err != nil {
			return
		}
		var is Measure
		is.of(value, 0)
		if is.Bytes > m.Bytes || is.Values > m.Values || is.Depth > m.Depth {
			t.Errorf("told %+v of what is %+v", m, is)
		}
		text, err := Encode(value)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(text)
		if diff := cmp.Diff(value, back); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}

// of measures an existing value.
func (m *Measure) of(v any, depth int) {
	m.Values++
	m.Bytes += SlotBytes
	m.Depth = max(m.Depth, depth)
	switch x := v.(type) {
	case string:
		m.Bytes += TextBytes
	case []any:
		m.Bytes += ListBytes
		m.Depth = max(m.Depth, depth+1)
		for _, element := range x {
			m.of(element, depth+1)
		}
	case map[string]any:
		m.Bytes += ObjectBytes(len(x))
		m.Depth = max(m.Depth, depth+1)
		for _, element := range x {
			m.of(element, depth+1)
		}
	default:
		m.Bytes += 8
	}
}

// FuzzLoose compares texts, and the values of their JSON, as a total order must be compared.
func FuzzLoose(f *testing.F) {
	for _, seed := range [][2]string{{"a", "b"}, {"10", "9"}, {"\U0001f600", "\uffff"}, {"0x1F", "31"}, {"", "0"},
		{"[1,[2,null]]", `"1,2,"`}, {"NaN", "Infinity"}, {"true", "1"}, {" \ufeff5", "5"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, left, right string) {
		if len(left)+len(right) > longestFuzz || !utf8.ValidString(left) || !utf8.ValidString(right) {
			t.Skip()
		}
		less, ordered := LooseLess(left, right)
		more, _ := LooseLess(right, left)
		if !ordered || less && more || (left == right) != (!less && !more) {
			t.Errorf("%q < %q is %v, the other way %v", left, right, less, more)
		}
		a, b := any(left), any(right)
		if read, err := ParseJSON([]byte(left)); err == nil {
			a = read
		}
		if read, err := ParseJSON([]byte(right)); err == nil {
			b = read
		}
		if LooseEqual(a, b) != LooseEqual(b, a) || !StrictEqual(a, a) || StrictEqual(a, b) && !LooseEqual(a, b) {
			t.Errorf("%v == %v is %v, the other way %v", a, b, LooseEqual(a, b), LooseEqual(b, a))
		}
		less, ordered = LooseLess(a, b)
		if more, _ := LooseLess(b, a); ordered && less && more {
			t.Errorf("%v and %v are less than each other", a, b)
		}
		if n, ok := TextNumber(left); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
			t.Errorf("%q is %v", left, n)
		}
		if size := len(LooseText(a)); size > 10*len(left)+20 {
			t.Errorf("%q has a text of %d bytes", left, size)
		}
	})
}

// FuzzQueryText leaves no invalid character in a query, and is idempotent.
func FuzzQueryText(f *testing.F) {
	for _, seed := range []string{"a=b c&ü=1", "x=1%2B1", "<\"'`#>", "\x00\x7f", "%", "[1]{2}|^"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if len(query) > longestFuzz {
			t.Skip()
		}
		text := QueryText(query)
		if strings.ContainsAny(text, " \"#<>'\x00\r\n") || QueryText(text) != text || len(text) > 3*len(query) {
			t.Errorf("%q became %q", query, text)
		}
	})
}
