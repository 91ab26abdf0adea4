package component

import (
	"math"
	"strconv"
	"strings"
)

// LooseEqual compares two values as JavaScript's == does, which is what branches are defined by:
// "5" equals 5, true equals 1, and nothing equals nothing only. Lists and objects are compared with
// other lists and objects by what they hold; JavaScript would compare their identity, which values
// that went through a log do not have.
func LooseEqual(a, b any) bool {
	a, b = primitive(a), primitive(b)
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if sameKind(a, b) {
		return equalJSON(a, b)
	}
	if isCompound(a) && isCompound(b) {
		return false
	}
	return looseNumber(a) == looseNumber(b) || isCompound(a) && b == compoundText(a) || isCompound(b) && a == compoundText(b)
}

// primitive reduces the kinds of values: all numbers are float64 and binary data is its text.
func primitive(v any) any {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case int:
		return float64(x)
	case []byte:
		return string(x)
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
	case map[string]any:
		_, ok := b.(map[string]any)
		return ok
	}
	_, aIsMap := a.(map[string]any)
	_, bIsMap := b.(map[string]any)
	return isCompound(a) && isCompound(b) && aIsMap == bIsMap
}

func isCompound(v any) bool {
	switch v.(type) {
	case string, float64, bool, nil:
		return false
	}
	return true
}

// equalJSON compares two values of one kind by their canonical JSON; NaN equals nothing.
func equalJSON(a, b any) bool {
	if !isCompound(a) {
		return a == b
	}
	left, errLeft := JSON(a)
	right, errRight := JSON(b)
	return errLeft == nil && errRight == nil && string(left) == string(right)
}

// looseNumber is JavaScript's conversion to a number.
func looseNumber(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
		return 0
	case string:
		return stringNumber(x)
	}
	return stringNumber(compoundText(v))
}

func stringNumber(s string) float64 {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return 0
	case strings.HasSuffix(s, "Infinity"):
		n, err := strconv.ParseFloat(s, 64)
		return orNaN(n, err)
	case strings.ContainsAny(s, "_pPnNiI"): // spellings that Go knows and JavaScript does not
		return math.NaN()
	case len(s) > 2 && s[0] == '0' && strings.ContainsRune("xXoObB", rune(s[1])):
		n, err := strconv.ParseUint(s, 0, 64)
		return orNaN(float64(n), err)
	}
	n, err := strconv.ParseFloat(s, 64)
	return orNaN(n, err)
}

func orNaN(n float64, err error) float64 {
	if err != nil && !math.IsInf(n, 0) { // too large is Infinity, as in JavaScript
		return math.NaN()
	}
	return n
}

// compoundText is JavaScript's String(v) of a list or an object.
func compoundText(v any) string {
	list, ok := v.([]any)
	if !ok {
		return "[object Object]"
	}
	parts := make([]string, len(list))
	for i, element := range list {
		if element = primitive(element); isCompound(element) {
			parts[i] = compoundText(element)
		} else {
			parts[i] = Text(element)
		}
	}
	return strings.Join(parts, ",")
}
