package expression

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"heddle/component/value"
)

// headersKey is the property whose own properties are HTTP headers, in a webhook's payload as well as in a full HTTP
// response. Their names match in any case, since senders and proxies write them as they like; elsewhere case matters.
const headersKey = "headers"

// walk follows the segments of a path into a value. It never fails: a missing value is nil.
func walk(v any, segments []string) any {
	parent := ""
	for _, segment := range segments {
		v = property(v, segment, parent == headersKey)
		parent = segment
	}
	return v
}

// property reads one property. Besides those of objects and the elements of lists there is length,
// as in JavaScript; the rest of JavaScript's properties are functions and of no use in a reference.
func property(v any, name string, anyCase bool) any {
	switch x := v.(type) {
	case map[string]any:
		return member(x, name, anyCase)
	case []any:
		return element(len(x), name, func(i int) any { return x[i] })
	case []value.KeyValue:
		return element(len(x), name, func(i int) any { return map[string]any{"key": x[i].Key, "value": x[i].Value} })
	case string:
		if name == "length" {
			return float64(len(utf16.Encode([]rune(x))))
		}
	case []byte:
		if name == "length" {
			return float64(len(x))
		}
	}
	return nil
}

func member(object map[string]any, name string, anyCase bool) any {
	v, ok := object[name]
	if ok || !anyCase {
		return v
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if strings.EqualFold(key, name) {
			return object[key]
		}
	}
	return nil
}

func element(n int, name string, at func(int) any) any {
	if name == "length" {
		return float64(n)
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < n {
		return at(i)
	}
	return nil
}
