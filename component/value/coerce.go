package value

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// KeyValue is an element of a key/value list input.
type KeyValue struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Operand is an operand of a condition. It is resolved when it is called and not before, since "and" and "or"
// stop early and flows rely on it. A condition reaches its action as a [KeyValue] that holds the branch's name
// and nested lists: []any{"and", []any{"equal", Operand, Operand}, …}.
type Operand func() (any, error)

// Kind is a Go type that an input can have.
type Kind struct {
	Name  string // in the catalogue
	Wants string // accepted values, in the words of an error message
	// From converts a loosely typed value. It reports whether it could.
	From func(*Budget, any) (any, bool)
}

// KindOf returns the kind of a Go type. It reports whether an input can have that type.
func KindOf(t reflect.Type) (Kind, bool) {
	k, ok := kinds[t]
	return k, ok
}

var kinds = map[reflect.Type]Kind{
	reflect.TypeFor[string]():     {"string", "text", toText},
	reflect.TypeFor[bool]():       {"boolean", "true or false", toBool},
	reflect.TypeFor[float64]():    {"number", "a number", toNumber},
	reflect.TypeFor[int]():        {"number", "a whole number", toInt},
	reflect.TypeFor[any]():        {"data", "a value", func(_ *Budget, v any) (any, bool) { return v, true }},
	reflect.TypeFor[[]any]():      {"list", "a list", toList},
	reflect.TypeFor[[]KeyValue](): {"keyvalue", "a list of keys and values or an object", toKeyValues},
}

func toText(b *Budget, v any) (any, bool) { return b.Text(v), b.err == nil }

func toBool(_ *Budget, v any) (any, bool) {
	switch x := v.(type) {
	case bool:
		return x, true
	case float64:
		return x != 0, x == 0 || x == 1
	case int64:
		return x != 0, x == 0 || x == 1
	case string:
		switch strings.ToLower(strings.TrimSpace(x)) {
		case "true", "t", "yes", "y", "1":
			return true, true
		case "false", "f", "no", "n", "0", "":
			return false, true
		}
	}
	return nil, false
}

func toNumber(_ *Budget, v any) (any, bool) {
	switch x := v.(type) {
	case float64:
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	case int64:
		return float64(x), true
	case int:
		return float64(x), true
	case string:
		if strings.TrimSpace(x) == "" {
			return 0.0, true
		}
		return TextNumber(x)
	}
	return nil, false
}

func toInt(b *Budget, v any) (any, bool) {
	n, ok := toNumber(b, v)
	if !ok {
		return nil, false
	}
	f := n.(float64)
	return int(f), f == math.Trunc(f) && math.Abs(f) <= 1<<53
}

func toList(_ *Budget, v any) (any, bool) {
	switch x := v.(type) {
	case []any:
		return x, true
	case []KeyValue:
		list := make([]any, len(x))
		for i, kv := range x {
			list[i] = map[string]any{"key": kv.Key, "value": kv.Value}
		}
		return list, true
	case string:
		return []any(nil), strings.TrimSpace(x) == ""
	}
	return nil, false
}

// toKeyValues converts a list of keys and values, a list of {key, value} objects as in config variables, or an
// object, whose keys are then in alphabetical order.
func toKeyValues(b *Budget, v any) (any, bool) {
	switch x := v.(type) {
	case []KeyValue:
		return x, true
	case map[string]any:
		list := make([]KeyValue, 0, len(x))
		for _, key := range slices.Sorted(maps.Keys(x)) {
			list = append(list, KeyValue{Key: key, Value: x[key]})
		}
		return list, true
	case []any:
		list := make([]KeyValue, len(x))
		for i, element := range x {
			pair, isMap := element.(map[string]any)
			if _, hasKey := pair["key"]; !isMap || !hasKey {
				return nil, false
			}
			list[i] = KeyValue{Key: b.Text(pair["key"]), Value: pair["value"]}
		}
		return list, true
	case string:
		return []KeyValue(nil), strings.TrimSpace(x) == ""
	}
	return nil, false
}
