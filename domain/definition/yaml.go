package definition

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

func yamlText(value string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: line}
}

// yamlMap makes a mapping of alternating keys (string) and values (*yaml.Node).
func yamlMap(line int, pairs ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Line: line}
	for i := 0; i+1 < len(pairs); i += 2 {
		yamlPut(m, pairs[i].(string), pairs[i+1].(*yaml.Node))
	}
	return m
}

func yamlPut(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, yamlText(key, value.Line), value)
}

// yamlReplace sets a key, whether the mapping has it or not, without changing the old value in place.
func yamlReplace(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = value
			return
		}
	}
	yamlPut(m, key, value)
}

func yamlRename(m *yaml.Node, from, to string) {
	if m != nil && m.Kind == yaml.MappingNode && yamlEntry(m, to) == nil {
		for i := 0; i+1 < len(m.Content); i += 2 {
			if m.Content[i].Value == from {
				m.Content[i] = yamlText(to, m.Content[i].Line)
			}
		}
	}
}

// scalarValue returns the Go value of a scalar. Dates stay text.
func scalarValue(n *yaml.Node) (any, error) {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null", "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, fmt.Errorf("%q is not a valid %s; put it in quotes if it is text", n.Value, tag[2:])
		}
		switch v := v.(type) {
		case nil, bool, int, int64:
			return FieldValue(v), nil
		case float64:
			// Infinities and NaN have no JSON form.
			if v-v == 0 {
				return FieldValue(v), nil
			}
			return nil, fmt.Errorf("%s is not a number that a definition can hold; put it in quotes if it is text",
				n.Value)
		}
		return nil, fmt.Errorf("number %s is too large to be kept exactly; put it in quotes", n.Value)
	default:
		return nil, fmt.Errorf("tag %s is not supported; remove it", tag)
	}
}

// valueOf returns the plain value of a node that passed validate.
func valueOf(n *yaml.Node) any {
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = valueOf(item)
		}
		return list
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = valueOf(n.Content[i+1])
		}
		return m
	}
	v, _ := scalarValue(n)
	return v
}

// yamlEntry returns the value of a mapping's key, nil if it lacks the key or is no mapping.
func yamlEntry(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func yamlScalar(n *yaml.Node, key string) string {
	if v := yamlEntry(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}
