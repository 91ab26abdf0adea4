package definition

import (
	"slices"
	"strconv"
	"strings"
)

// input checks an input: {type, value}, in lists with a name, on config variables with meta.
func (f *findings) input(s location, in map[string]any) {
	kind, isText := in["type"].(string)
	if !isText || kind == "" {
		f.refuse(s, "an input needs a type, one of %s", strings.Join(inputKinds, ", "))
		return
	}
	if !slices.Contains(inputKinds, kind) {
		f.warn(s.below("type"), "%q is not known; known are %s", kind, strings.Join(inputKinds, ", "))
	}
	if name, computed := in["name"].(map[string]any); computed {
		f.input(s.below("name"), name)
	}
	for _, key := range keysOf(in) {
		if key != "type" && key != "value" && key != "name" && key != "meta" {
			f.warn(s.below(key), "this key is not known; it is kept and has no effect")
		}
	}
	value := in["value"]
	s = s.below("value")
	switch kind {
	case "reference", "configVar", "template":
		f.value(s, value, someText)
	case "complex":
		f.value(s, value, shape{is: listValue})
		list, _ := value.([]any)
		f.items(s, list)
	}
}

// items checks the items of a complex input: inputs, and conditions, which are lists that begin with
// an operator.
func (f *findings) items(s location, list []any) {
	for i, item := range list {
		at := s.below(strconv.Itoa(i))
		switch item := item.(type) {
		case map[string]any:
			f.input(at, item)
		case []any:
			f.items(at, item)
		}
	}
	if len(list) > 0 {
		if op, ok := list[0].(string); ok && !slices.Contains(Operators, op) {
			f.warn(s.below("0"), "operator %q is not known; known are %s", op, strings.Join(Operators, ", "))
		}
	}
}

// Operators are the operators of conditions as definitions spell them. Source: the observed format,
// section 7.
var Operators = []string{
	"and", "or",
	"isTrue", "isFalse", "doesNotExist", "exists", "isEmpty", "isNotEmpty",
	"equal", "notEqual", "greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual", "in", "notIn",
	"exactlyMatches", "doesNotExactlyMatch", "startsWith", "doesNotStartWith", "endsWith", "doesNotEndWith",
	"dateTimeAfter", "dateTimeBefore", "dateTimeSame",
}
