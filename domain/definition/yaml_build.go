package definition

import (
	"fmt"
	"strconv"

	"gopkg.in/yaml.v3"

	"heddle/domain/refusal"
)

// builder turns YAML into nodes, keeping the lines.
type builder struct{ problems refusal.Problems }

func (b *builder) node(m *yaml.Node, kind partKind, at flowStep) *Part {
	n := &Part{Fields: map[string]any{}, lines: map[string]int{"": m.Line}}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i].Value, m.Content[i+1]
		n.lines[key] = m.Content[i].Line
		if child, ok := childLists[kind][key]; ok {
			if n.Children == nil {
				n.Children = map[string][]*Part{}
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
func (b *builder) list(value *yaml.Node, key string, kind partKind, at flowStep) []*Part {
	refuse := func(n *yaml.Node, format string, args ...any) {
		b.problems = append(b.problems, refusal.Problem{Line: n.Line, Flow: at.flow, Step: at.step,
			Message: fmt.Sprintf(format, args...)})
	}
	list := []*Part{}
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

// of returns the place of a part within the place of its parent.
func (at flowStep) of(kind partKind, name string) flowStep {
	switch kind {
	case flowPart:
		return flowStep{flow: name}
	case stepPart:
		return flowStep{at.flow, name}
	}
	return at
}

// keepLines records the lines of nested keys and list items, by path.
func (n *Part) keepLines(v *yaml.Node, path string) {
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
