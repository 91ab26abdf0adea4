package domain

import (
	"fmt"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// DefinitionVersion is the version of the format that Heddle keeps and writes. It also reads version
// 6, which has the same shape, and files without a version (the first generation).
const DefinitionVersion = 7

// The child lists, by YAML key.
const (
	flowList      = "flows"
	configVarList = "requiredConfigVars"
	pageList      = "configPages"
	stepList      = "steps"
	branchList    = "branches"
)

// partKind is what a node is; the root is rootPart.
type partKind string

const (
	rootPart      partKind = "integration"
	flowPart      partKind = "flow"
	stepPart      partKind = "step"
	branchPart    partKind = "branch"
	configVarPart partKind = "config variable"
	pagePart      partKind = "config page"
)

// childLists tells which keys of a part are lists of parts, and of what.
var childLists = map[partKind]map[string]partKind{
	rootPart:   {flowList: flowPart, configVarList: configVarPart, pageList: pagePart},
	flowPart:   {stepList: stepPart},
	stepPart:   {stepList: stepPart, branchList: branchPart},
	branchPart: {stepList: stepPart},
}

// Limits bounds what a definition may cost.
type Limits struct {
	Size    int // bytes of YAML, as given and as written out again
	Encoded int // bytes of the JSON, room for ids included; one event holds it all
	Depth   int // levels of YAML nesting; a branch or loop inside another takes two to four
	Values  int // scalars, lists and maps
}

// DefaultLimits fits definitions several times larger than any that we know of, and keeps each well
// inside the 512 KiB that an event may have.
var DefaultLimits = Limits{Size: 256 << 10, Encoded: 448 << 10, Depth: 100, Values: 50_000}

// idSize is what the JSON of a part grows by when it gets its id.
const idSize = len(`"id":"00000000-0000-0000-0000-000000000000",`)

// Parse reads the YAML of an integration definition. It refuses what is no well-formed definition,
// with everything that is wrong with it at once; warnings tell what was kept but not understood.
// Whether references resolve is [Check]'s question. The parts have no ids yet: see [Identify].
func Parse(text []byte, limits Limits) (def *Node, warnings []Problem, err error) {
	if len(text) > limits.Size {
		return nil, nil, Problems{{Message: fmt.Sprintf("the definition has %d bytes; the limit is %d", len(text), limits.Size)}}
	}
	root, err := parseYAML(text)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{limits: limits}
	if r.validate(root, 1, place{}); len(r.problems) > 0 {
		return nil, nil, r.problems
	}
	first, err := generation(root)
	if err != nil {
		return nil, nil, err
	}
	if first {
		root = modernize(root)
		// The modern form has more levels and values, and must be readable again.
		r = &reader{limits: limits}
		if r.validate(root, 1, place{}); len(r.problems) > 0 {
			return nil, nil, r.problems
		}
	}
	b := &builder{}
	def = b.node(root, rootPart, place{})
	def.Fields["definitionVersion"] = int64(DefinitionVersion)
	f := structure(def)
	if b.problems = append(b.problems, f.problems...); len(b.problems) > 0 {
		return nil, nil, b.problems.byLine()
	}
	if err := limits.Allow(def); err != nil {
		return nil, nil, err
	}
	return def, f.warnings.byLine(), nil
}

// byLine sorts problems as a reader of the file meets them.
func (ps Problems) byLine() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
	return ps
}

// Allow refuses a definition that is beyond the limits, or that could not be read again once it is
// written out. Parse asks it, and so must whoever lets people edit a definition.
func (l Limits) Allow(def *Node) error {
	m := measure{}
	m.value(plain(def), 1)
	switch {
	case m.values > l.Values:
		return Refuse(Invalid, "the definition holds %d values; the limit is %d: split the integration", m.values, l.Values)
	case m.depth > l.Depth:
		return Refuse(Invalid, "the definition is nested %d levels deep; the limit is %d: move steps to a flow of their own", m.depth, l.Depth)
	case m.key > maxKey:
		return Refuse(Invalid, "the definition has a key of %d bytes; the limit is %d", m.key, maxKey)
	}
	text, err := Export(def, ExportOptions{})
	if err != nil {
		return err
	}
	if len(text) > l.Size {
		return Refuse(Invalid, "the definition has %d bytes when written out; the limit is %d: split the integration", len(text), l.Size)
	}
	data, err := EncodeDefinition(def)
	if err != nil {
		return err
	}
	size := len(data)
	for part := range def.All() {
		if part.ID == "" {
			size += idSize
		}
	}
	if size > l.Encoded {
		return Refuse(Invalid, "the definition takes %d bytes when stored; the limit is %d: split the integration", size, l.Encoded)
	}
	return nil
}

// measure counts what Limits bounds.
type measure struct{ values, depth, key int }

func (m *measure) value(v any, depth int) {
	m.values++
	m.depth = max(m.depth, depth)
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			m.value(item, depth+1)
		}
	case map[string]any:
		for key, item := range v {
			m.key = max(m.key, len(key))
			m.value(item, depth+1)
		}
	}
}

// generation refuses the versions and types that Heddle does not read, and tells whether the file is
// of the first generation, which has no version.
func generation(root *yaml.Node) (first bool, err error) {
	refuse := func(n *yaml.Node, format string, args ...any) (bool, error) {
		return false, Problems{{Line: n.Line, Message: fmt.Sprintf(format, args...)}}
	}
	if t := yamlEntry(root, "definitionType"); t != nil && t.ShortTag() != "!!null" && t.Value != "integration" {
		return refuse(t, "definitionType %q is not supported; only integration is", t.Value)
	}
	version := yamlEntry(root, "definitionVersion")
	switch {
	case version == nil && yamlEntry(root, flowList) != nil:
		return refuse(root, "definitionVersion is missing; add definitionVersion: %d", DefinitionVersion)
	case version == nil:
		return true, nil
	case version.ShortTag() != "!!int":
		return refuse(version, "definitionVersion must be the number %d, without quotes", DefinitionVersion)
	case version.Value != "7" && version.Value != "6":
		return refuse(version, "definitionVersion %s is not supported; 7, 6 and files of the first generation, "+
			"which have none, are: export it as version %d where it comes from", version.Value, DefinitionVersion)
	}
	return false, nil
}

// builder turns YAML into nodes, keeping the lines.
type builder struct{ problems Problems }

func (b *builder) node(m *yaml.Node, kind partKind, at place) *Node {
	n := &Node{Fields: map[string]any{}, lines: map[string]int{"": m.Line}}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i].Value, m.Content[i+1]
		n.lines[key] = m.Content[i].Line
		if child, ok := childLists[kind][key]; ok {
			if n.Children == nil {
				n.Children = map[string][]*Node{}
			}
			n.Children[key] = b.list(value, key, child, at)
			continue
		}
		n.keepLines(value, key)
		n.Fields[key] = valueOf(value)
	}
	return n
}

// list reads a child list. One without a value (null) is an empty one.
func (b *builder) list(value *yaml.Node, key string, kind partKind, at place) []*Node {
	refuse := func(n *yaml.Node, format string, args ...any) {
		b.problems = append(b.problems, Problem{n.Line, at.flow, at.step, fmt.Sprintf(format, args...)})
	}
	list := []*Node{}
	if value.Kind != yaml.SequenceNode && value.ShortTag() != "!!null" {
		refuse(value, "%s must be a list, each item a %s", key, kind)
		return list
	}
	for _, item := range value.Content {
		if item.Kind != yaml.MappingNode {
			refuse(item, "each item of %s must be a map that describes a %s", key, kind)
			continue
		}
		list = append(list, b.node(item, kind, at.of(kind, yamlScalar(item, "name"))))
	}
	return list
}

// of gives the place of a part within the place of its parent.
func (at place) of(kind partKind, name string) place {
	switch kind {
	case flowPart:
		return place{flow: name}
	case stepPart:
		return place{at.flow, name}
	}
	return at
}

// keepLines records the lines of nested keys and list items, by path.
func (n *Node) keepLines(v *yaml.Node, path string) {
	switch v.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(v.Content); i += 2 {
			below := path + "/" + v.Content[i].Value
			n.lines[below] = v.Content[i].Line
			n.keepLines(v.Content[i+1], below)
		}
	case yaml.SequenceNode:
		for i, item := range v.Content {
			below := path + "/" + strconv.Itoa(i)
			n.lines[below] = item.Line
			n.keepLines(item, below)
		}
	}
}
