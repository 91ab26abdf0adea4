package value

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// LooseEqual compares two values as branches do: by JavaScript's ==, so that "5" equals 5, true equals 1, and
// nothing equals nothing only; and lists and objects by their content, element by element, each loosely again.
// JavaScript would compare those by identity, which values that went through a log do not have.
func LooseEqual(a, b any) bool {
	a, b = primitive(a), primitive(b)
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if isCompound(a) && isCompound(b) {
		return sameElements(a, b, func(x, y any) bool {
			x, y = primitive(x), primitive(y)
			return isCompound(x) == isCompound(y) && LooseEqual(x, y) // within, a list never equals its text
		})
	}
	if a, b = comparable(a), comparable(b); sameKind(a, b) {
		return a == b
	}
	return looseNumber(a) == looseNumber(b)
}

// StrictEqual compares without conversion: "5" is not 5. Lists and objects are equal if their contents are.
func StrictEqual(a, b any) bool {
	a, b = primitive(a), primitive(b)
	if isCompound(a) && isCompound(b) {
		return sameElements(a, b, StrictEqual)
	}
	if x, ok := a.(float64); ok && math.IsNaN(x) {
		y, ok := b.(float64)
		return ok && math.IsNaN(y)
	}
	return sameKind(a, b) && a == b || a == nil && b == nil
}

// LooseLess is JavaScript's a < b: two texts by their UTF-16 code units, all else by number. If one side has no
// number, neither is less than the other and ordered is false. Nothing counts as 0.
func LooseLess(a, b any) (less, ordered bool) {
	a, b = comparable(a), comparable(b)
	left, isText := a.(string)
	right, areTexts := b.(string)
	if isText && areTexts {
		return lessUnits(left, right), true
	}
	x, y := looseNumber(a), looseNumber(b)
	return x < y, !math.IsNaN(x) && !math.IsNaN(y)
}

// lessUnits compares by UTF-16 code units, in which characters beyond U+FFFF come before U+E000.
func lessUnits(a, b string) bool {
	for a != "" && b != "" {
		x, width := utf8.DecodeRuneInString(a)
		y, other := utf8.DecodeRuneInString(b)
		if x != y {
			return slices.Compare(utf16.AppendRune(nil, x), utf16.AppendRune(nil, y)) < 0
		}
		a, b = a[width:], b[other:]
	}
	return b != ""
}

// comparable returns the value that JavaScript compares in place of another: lists and objects by their text.
func comparable(v any) any {
	if v = primitive(v); v == nil {
		return 0.0
	}
	if isCompound(v) {
		return compoundText(v)
	}
	return v
}

// LooseText is JavaScript's String(v): nothing is "null", a list its elements with commas between.
func LooseText(v any) string {
	switch v = primitive(v); {
	case v == nil:
		return "null"
	case isCompound(v):
		return compoundText(v)
	}
	return Text(v)
}

// Truthy is JavaScript's !!v: nothing, false, 0, NaN and empty text are not, all else is.
func Truthy(v any) bool {
	switch x := primitive(v).(type) {
	case nil:
		return false
	case bool:
		return x
	case float64:
		return x != 0 && !math.IsNaN(x)
	case string:
		return x != ""
	}
	return true
}

// primitive reduces the kinds of values: all numbers are float64, binary data is its text, and key/value lists
// are the lists of objects that they are read back as.
func primitive(v any) any {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case int:
		return float64(x)
	case []byte:
		return string(x)
	case []KeyValue:
		list, _ := toList(nil, x)
		return list
	}
	return v
}

func sameKind(a, b any) bool {
	switch a.(type) {
	case string:
		_, ok := b.(string)
		return ok
	case float64:
		_, ok := b.(float64)
		return ok
	case bool:
		_, ok := b.(bool)
		return ok
	}
	return false
}

func isCompound(v any) bool {
	switch v.(type) {
	case string, float64, bool, nil:
		return false
	}
	return true
}

// sameElements compares two lists or two objects element by element.
func sameElements(a, b any, equal func(a, b any) bool) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, equal)
	}
	return false
}

// looseNumber is JavaScript's conversion of the result of comparable to a number.
func looseNumber(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
		return 0
	}
	return stringNumber(v.(string))
}

// TextNumber returns the number of a text in JavaScript, such as 007, .5 or 0x1F. Text without any digit is
// none, and neither is infinity.
func TextNumber(s string) (n float64, ok bool) {
	n = stringNumber(s)
	return n, !math.IsNaN(n) && !math.IsInf(n, 0) && strings.TrimFunc(s, IsSpace) != ""
}

func stringNumber(s string) float64 {
	s = strings.TrimFunc(s, IsSpace)
	switch {
	case s == "":
		return 0
	case strings.HasSuffix(s, "Infinity"):
		n, err := strconv.ParseFloat(s, 64)
		return orNaN(n, err)
	case strings.ContainsAny(s, "_pPnNiI"): // spellings that Go knows and JavaScript does not
		return math.NaN()
	case len(s) > 2 && s[0] == '0' && strings.ContainsRune("xXoObB", rune(s[1])):
		n, ok := new(big.Int).SetString(s, 0)
		if !ok {
			return math.NaN()
		}
		f, _ := n.Float64()
		return f
	}
	n, err := strconv.ParseFloat(s, 64)
	return orNaN(n, err)
}

// IsSpace reports whether JavaScript trims a character: a byte order mark, but no NEL.
func IsSpace(r rune) bool { return unicode.IsSpace(r) && r != 0x85 || r == 0xFEFF }

func orNaN(n float64, err error) float64 {
	if err != nil && !math.IsInf(n, 0) { // too large is Infinity, as in JavaScript
		return math.NaN()
	}
	return n
}

// compoundText is JavaScript's String(v) of a list or an object.
func compoundText(v any) string {
	if _, isList := v.([]any); !isList {
		return objectText
	}
	return string(appendCompound(nil, v))
}

const objectText = "[object Object]"

func appendCompound(to []byte, v any) []byte {
	list, ok := v.([]any)
	if !ok {
		return append(to, objectText...)
	}
	for i, element := range list {
		if i > 0 {
			to = append(to, ',')
		}
		if element = primitive(element); isCompound(element) {
			to = appendCompound(to, element)
		} else {
			to = append(to, Text(element)...)
		}
	}
	return to
}
