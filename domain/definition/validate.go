package definition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// structure checks that every field holds a value of its type.
func structure(def *Part) *findings {
	f := &findings{}
	f.part(location{node: def}, rootPart)
	if len(def.Flows()) == 0 {
		f.refuse(location{node: def}.below(flowList),
			"an integration needs at least one flow; add one with a name and steps")
	}
	return f
}

func (f *findings) part(s location, kind partKind) {
	f.fields(s, s.node.Fields, shapes[kind], string(kind))
	if kind == configVarPart {
		f.configVarKind(s)
	}
	for _, list := range keysOf(s.node.Children) {
		child, known := childLists[kind][list]
		if !known {
			f.refuse(s.below(list), "a %s has no %s; move them to where they belong", kind, list)
			continue
		}
		for _, n := range s.node.Children[list] {
			f.part(s.part(n, child), child)
		}
	}
	if _, told := s.node.Children[stepList]; !told && (kind == flowPart || kind == branchPart) {
		f.warn(s, "%s %q has no steps; write steps: [] if that is meant", kind, s.node.Name())
	}
}

func (f *findings) configVarKind(s location) {
	if s.node.Text("dataType") == "" && s.node.Fields["connection"] == nil && s.node.Text("useScopedConfigVar") == "" {
		f.refuse(s.below("dataType"), "it is missing; say what the config variable holds, such as string or connection")
	}
}

func (f *findings) fields(s location, values map[string]any, known map[string]shape, owner string) {
	for _, key := range keysOf(known) {
		if known[key].must && (values[key] == nil || values[key] == "") {
			f.refuse(s.below(key), "every %s needs it; add %s", owner, key)
		}
	}
	for _, key := range keysOf(values) {
		want, ok := known[key]
		_, list := childLists[partKind(owner)][key]
		switch {
		case ok:
			f.value(s.below(key), values[key], want)
		case list && len(s.path) == 0:
			f.refuse(s.below(key), "it is a list of parts, not a field; add the parts to it one by one")
		default:
			f.warn(s.below(key), "this key is not known; it is kept and has no effect")
		}
	}
}

func (f *findings) value(s location, v any, want shape) {
	if v == nil {
		return
	}
	if !want.is.holds(v) {
		hint := ""
		if want.is == textValue {
			hint = "; put it in quotes"
		}
		f.refuse(s, "it must be %s, not %s%s", want.is, describe(v), hint)
		return
	}
	switch {
	case want.is == inputValue:
		f.input(s, v.(map[string]any))
	case want.is == listValue && want.each != nil:
		for i, item := range v.([]any) {
			f.value(s.below(strconv.Itoa(i)), item, *want.each)
		}
	case want.is == mapValue && want.keys != nil:
		f.fields(s, v.(map[string]any), want.keys, s.path[len(s.path)-1])
	case want.is == mapValue && want.each != nil:
		m := v.(map[string]any)
		for _, key := range keysOf(m) {
			f.value(s.below(key), m[key], *want.each)
		}
	case len(want.enum) > 0 && v != "" && !slices.Contains(want.enum, v.(string)):
		f.warn(s, "%q is not known; known are %s", v, strings.Join(want.enum, ", "))
	}
}

func (k valueKind) holds(v any) bool {
	switch k {
	case textValue:
		_, ok := v.(string)
		return ok
	case flagValue:
		_, ok := v.(bool)
		return ok
	case intValue:
		_, ok := v.(int64)
		return ok
	case listValue:
		_, ok := v.([]any)
		return ok
	case mapValue, inputValue:
		_, ok := v.(map[string]any)
		return ok
	}
	return true
}

func describe(v any) string {
	switch v := v.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	case string:
		return "text"
	default:
		return fmt.Sprint(v)
	}
}
