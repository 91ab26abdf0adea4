package worker

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"heddle/component/value"
	"heddle/domain/definition"
)

// shape is the form, by the references of a definition, of a value that only a vendor could return: which
// fields it has, and what the steps that use it take.
type shape struct {
	fields map[string]*shape
	item   *shape     // of a list
	leaf   func() any // what else it is, nil for any text
}

func (s *shape) at(path ...string) *shape {
	for _, name := range path {
		if _, err := strconv.Atoi(name); err == nil {
			s = s.list()
			continue
		}
		if s.fields == nil {
			s.fields = map[string]*shape{}
		}
		if s.fields[name] == nil {
			s.fields[name] = &shape{}
		}
		s = s.fields[name]
	}
	return s
}

// list makes a list of the value and returns its item.
func (s *shape) list() *shape {
	if s.item == nil {
		s.item = &shape{}
	}
	return s.item
}

// is makes it what a JSON value is.
func (s *shape) is(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			s.at(name).is(field)
		}
	case []any:
		s.list().is(v[0])
	case nil:
	default:
		s.leaf = func() any { return v }
	}
}

func (s *shape) value() any {
	switch {
	case s.leaf != nil:
		return s.leaf()
	case s.item != nil:
		return []any{s.item.value()}
	case s.fields != nil:
		m := map[string]any{}
		for name, field := range s.fields {
			m[name] = field.value()
		}
		return m
	}
	return "1"
}

// shapes returns the shape of each step's results by identifier, for one flow.
type shapes struct {
	steps map[string]*shape
	items map[string]*shape // of loops
}

func (s *shapes) of(path definition.Path) *shape {
	all := s.steps
	if path.Kind == definition.KindCurrentItem {
		all = s.items
	}
	if all[path.Step] == nil {
		all[path.Step] = &shape{}
	}
	return all[path.Step].at(path.Rest...)
}

// shapesOf reads a flow's references. Loops come first, so that what their bodies ask of an item is
// asked of the list.
func shapesOf(flow *definition.Part) *shapes {
	s := &shapes{map[string]*shape{}, map[string]*shape{}}
	steps := stepsOf(flow)
	for _, step := range steps {
		if items, ok := referenced(step.Inputs()["items"]); ok && step.Action().Component == "loop" {
			s.items[definition.Identifier(step.Name())] = s.of(items).list()
		}
	}
	for _, step := range steps {
		for name, input := range step.Inputs() {
			s.input(step, name, input)
		}
	}
	return s
}

func stepsOf(flow *definition.Part) (steps []*definition.Part) {
	for part := range flow.All() {
		if part.Action().Key != "" {
			steps = append(steps, part)
		}
	}
	return steps
}

// own is the shape of what a step leaves.
func (s *shapes) own(step *definition.Part) *shape {
	return s.of(definition.Path{Step: definition.Identifier(step.Name()), Kind: definition.KindResults})
}

func referenced(input any) (definition.Path, bool) {
	m, _ := input.(map[string]any)
	text, _ := m["value"].(string)
	if m["type"] != "reference" {
		return definition.Path{}, false
	}
	path, err := definition.ParsePath(text)
	return path, err == nil && path.Kind != definition.KindIndex && path.Kind != definition.KindError
}

// input notes what an input asks of the steps before.
func (s *shapes) input(step *definition.Part, name string, input any) {
	if path, ok := referenced(input); ok {
		s.taken(step, name, s.of(path))
		return
	}
	switch v := input.(type) {
	case map[string]any:
		if v["type"] == "value" {
			if code, ok := v["value"].(string); ok {
				s.code(code)
			}
			return
		}
		for _, inner := range v {
			s.input(step, name, inner)
		}
	case []any:
		for i, inner := range v {
			if inner == "isEmpty" || inner == "isNotEmpty" { // they take lists and text only
				if path, ok := referenced(v[i+1]); ok {
					s.of(path).list()
				}
			}
			s.input(step, name, inner)
		}
	}
}

// taken notes what an action takes.
func (s *shapes) taken(step *definition.Part, input string, from *shape) {
	own := s.own(step)
	switch action := step.Action(); {
	case input == "listInput" || action.Component == "text-manipulation" && input == "strings":
		from.list()
	case input == "inputArray":
		from.list().at("id")
	case action.Key == "deserializeFromJson":
		from.leaf = func() any { return jsonText(own.value()) }
	case action.Key == "deserializeFromXml":
		from.leaf = func() any { return xmlText(map[string]any{"root": own.value()}) }
	case action.Key == "deserializeFormData":
		from.at("data").leaf = func() any {
			form := url.Values{}
			for name, field := range own.fields {
				form.Set(name, value.Text(field.value()))
			}
			return form.Encode()
		}
	case action.Component == "csv":
		from.leaf = func() any { return "id,name\n1,one\n" }
	case action.Component == "datetime":
		from.leaf = func() any { return "2026-01-31T12:00:00Z" }
	case input == "url":
		from.leaf = func() any { return stubURL }
	case action.Key == "branchOnValue":
		if mappings, _ := step.Map("inputs")["branchValueMappings"].(map[string]any)["value"].([]any); len(mappings) > 0 {
			from.is(mappings[0].(map[string]any)["value"])
		}
	}
}

const stubURL = "https://stub.example/"

func jsonText(v any) string {
	data, _ := json.Marshal(v) // shapes are made of what JSON has
	return string(data)
}

func xmlText(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return value.Text(v)
	}
	text := ""
	for name, field := range m {
		text += "<" + name + ">" + xmlText(field) + "</" + name + ">"
	}
	return text
}

// used matches what code asks of a step, as far as it does so in one expression.
var used = regexp.MustCompile(`\b([a-z]\w*)\.(results|currentItem)((?:\??\.\w+|\[\d+\])*)`)

// ofLists are what only lists have.
var ofLists = []string{"map", "reduce", "filter", "forEach", "find", "some", "every", "length", "flatMap",
	"sort", "join", "slice"}

func (s *shapes) code(code string) {
	for _, m := range used.FindAllStringSubmatch(code, -1) {
		if s.steps[m[1]] == nil && s.items[m[1]] == nil && m[1] == "stepResults" {
			continue
		}
		at := s.of(definition.Path{Step: m[1], Kind: m[2]})
		for _, name := range strings.FieldsFunc(m[3], func(r rune) bool { return strings.ContainsRune("?.[]", r) }) {
			if slices.Contains(ofLists, name) {
				at.list()
				break
			}
			if slices.Contains([]string{"split", "toString", "replace", "toLowerCase", "trim", "includes",
				"startsWith"}, name) {
				break
			}
			at = at.at(name)
		}
	}
}
