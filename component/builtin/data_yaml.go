package builtin

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"heddle/component/value"
	"heddle/domain/refusal"
)

const yamlDoc = "YAML is one document without aliases; dates are ISO text, and keys are text."

const (
	maxYAMLDepth  = 500
	maxYAMLTags   = 100 // directives, each of which the library compares with every other one
	yamlNodeBytes = 200 // the library's memory for each value or key
)

func readYAML(budget *value.Budget, in dataInputs) (any, error) {
	text, err := requiredText(budget, in.Data, "YAML")
	if err != nil {
		return nil, err
	}
	if strings.Count(text, "\n%TAG") > maxYAMLTags {
		return nil, refusal.ForField(refusal.Invalid, "data",
			"Data has more than %d YAML directives %%TAG: leave them out", maxYAMLTags)
	}
	if err := budget.Hold(yamlNodes(text)*yamlNodeBytes + 2*len(text)); err != nil {
		return nil, err
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(budget.Reader(text))
	if err = decoder.Decode(&document); err == io.EOF {
		return nil, nil // nothing, or comments only
	}
	if err == nil {
		err = decoder.Decode(&second)
	}
	if err != io.EOF && (err != nil || second.Content[0].ShortTag() != "!!null") {
		if err == nil {
			err = errors.New("it has more than one document: part them first")
		}
		return nil, refusal.ForField(refusal.Invalid, "data", "Data is not YAML: %s", excerpt(err.Error(), 300))
	}
	return yamlReader{budget}.value(&document, 0)
}

// yamlNodes returns about the largest possible number of values and keys in YAML, by the characters that
// separate them.
func yamlNodes(text string) int {
	nodes := 1
	for i := range len(text) {
		switch text[i] {
		case '\n', '\r', '[', '{', ',', '?', '*':
			nodes++
		case ':', '-':
			if i+1 == len(text) || !plainAfter[text[i+1]] {
				nodes++
			}
		}
	}
	return nodes
}

// plainAfter are the bytes that, behind a colon or a dash, leave it a part of a text.
var plainAfter = func() (is [256]bool) {
	for c := range is {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
		is[c] = letter || c >= '0' && c <= '9' || c == '/' || c == '_' || c == '.' || c == '-'
	}
	return is
}()

// yamlReader converts nodes to values itself: the library compares each key of a mapping with every other one.
type yamlReader struct{ budget *value.Budget }

func (r yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if depth > maxYAMLDepth {
		return nil, refusal.ForField(refusal.Invalid, "data", "Data is nested deeper than %d levels", maxYAMLDepth)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return r.value(n.Content[0], depth)
	case yaml.AliasNode:
		return nil, refusal.ForField(refusal.Invalid, "data", "Data has YAML aliases, which are not read")
	case yaml.SequenceNode:
		return r.list(n, depth)
	case yaml.MappingNode:
		return r.object(n, depth)
	}
	return yamlScalar(n)
}

func (r yamlReader) list(n *yaml.Node, depth int) (any, error) {
	if err := r.budget.Hold(len(n.Content) * value.SlotBytes); err != nil {
		return nil, err
	}
	list := make([]any, len(n.Content))
	for i, inner := range n.Content {
		var err error
		if list[i], err = r.value(inner, depth+1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r yamlReader) object(n *yaml.Node, depth int) (any, error) {
	if err := r.budget.Hold(value.ObjectBytes(len(n.Content) / 2)); err != nil {
		return nil, err
	}
	object := make(map[string]any, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		name, err := yamlKey(key)
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, refusal.ForField(refusal.Invalid, "data",
				"Data is not YAML: line %d: the key %q is there twice", key.Line, excerpt(name, 40))
		}
		if object[name], err = r.value(value, depth+1); err != nil {
			return nil, err
		}
	}
	for _, from := range merged {
		if err := r.merge(object, from, depth+1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// merge adds the value of the key <<: an object, or a list of them, whose keys do not replace existing ones.
func (r yamlReader) merge(object map[string]any, from *yaml.Node, depth int) error {
	value, err := r.value(from, depth)
	if err != nil {
		return err
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	for _, one := range list {
		inner, isObject := one.(map[string]any)
		if !isObject {
			return refusal.ForField(refusal.Invalid, "data",
				"Data is not YAML: line %d: << takes an object, or a list of objects", from.Line)
		}
		for name, value := range inner {
			if _, there := object[name]; !there {
				object[name] = value
			}
		}
	}
	return nil
}

func yamlKey(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		return "", refusal.ForField(refusal.Invalid, "data", "Data has YAML aliases, which are not read")
	}
	if n.Kind != yaml.ScalarNode {
		return "", refusal.ForField(refusal.Invalid, "data",
			"line %d: a key is a list or an object; only text can be one", n.Line)
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float":
		return n.Value, nil // as it is written: 007 is not 7
	}
	val, err := yamlScalar(n)
	return value.Text(val), err
}

func yamlScalar(n *yaml.Node) (any, error) {
	tag := n.ShortTag()
	if tag == "!!str" || tag == "!!int" && leadingZero(n.Value) {
		return n.Value, nil
	}
	if value, ok := commonScalar(tag, n.Value); ok {
		return value, nil
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return nil, refusal.ForField(refusal.Invalid, "data", "Data is not YAML: %s", excerpt(err.Error(), 300))
	}
	switch x := value.(type) {
	case nil, bool, string, float64:
		return x, nil
	case int:
		return float64(x), nil
	case int64:
		return float64(x), nil
	case uint64:
		return float64(x), nil
	case time.Time:
		return x.UTC().Format(isoMillis), nil
	}
	return nil, refusal.ForField(refusal.Invalid, "data",
		"line %d: %q is of a kind that is not read", n.Line, excerpt(n.Value, 40))
}

// commonScalar reads the most frequent scalars without a decoder, which the library makes for each.
func commonScalar(tag, text string) (any, bool) {
	switch {
	case tag == "!!null" && (text == "null" || text == "~" || text == ""):
		return nil, true
	case tag == "!!bool" && (text == "true" || text == "false"):
		return text == "true", true
	case tag == "!!int" || tag == "!!float":
		if strings.Trim(text, "0123456789.-") == "" {
			n, err := strconv.ParseFloat(text, 64)
			return n, err == nil
		}
	}
	return nil, false
}

// leadingZero reports whether text is digits that begin with 0, such as a postal code: the library takes them
// for an octal number.
func leadingZero(text string) bool {
	return len(text) > 1 && text[0] == '0' && strings.Trim(text, "0123456789") == ""
}

func writeYAML(budget *value.Budget, v any) (string, error) {
	compact, err := writeJSON(budget, unquoted(budget, v)) // only plain values are left
	if err != nil {
		return "", err
	}
	plain, _ := readJSON(budget, compact)
	out := budget.NewOutput() // deep inside, each line begins with many spaces
	if err := encodeYAML(out, quoted(plain)); err != nil && budget.Err() == nil {
		return "", refusal.ForField(refusal.Invalid, "data", "Data cannot be written as YAML: %s",
			excerpt(err.Error(), 300))
	}
	return out.Result()
}

// quoted quotes text that the library would write as lines but read as other text.
func quoted(v any) any {
	switch x := v.(type) {
	case string:
		if strings.Contains(x, "\n") && strings.ContainsRune("\n\t ", rune(x[0])) {
			return quotedNode(x)
		}
	case []any:
		for i := range x {
			x[i] = quoted(x[i])
		}
	case map[string]any:
		for key := range x {
			x[key] = quoted(x[key])
		}
	}
	return v
}

func quotedNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text}
}

func encodeYAML(to io.Writer, v any) error {
	encoder := yaml.NewEncoder(to)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	return encoder.Close()
}
