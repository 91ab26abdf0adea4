package builtin

import (
	"time"

	"gopkg.in/yaml.v3"

	"heddle/component"
	"heddle/domain"
)

const yamlDoc = "YAML is one document without aliases; dates are ISO text, and keys are text."

func readYAML(in dataInputs) (any, error) {
	text, err := requiredText(in.Data, "YAML")
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	var value any
	if err = yaml.Unmarshal([]byte(text), &document); err == nil && aliased(&document) {
		return nil, domain.RefuseField(domain.Invalid, "data", "Data has YAML aliases, which are not read")
	}
	if err == nil {
		err = document.Decode(&value)
	}
	if err != nil {
		return nil, domain.RefuseField(domain.Invalid, "data", "Data is not YAML: %v", err)
	}
	return fromYAML(value), nil
}

func aliased(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, inner := range n.Content {
		if aliased(inner) {
			return true
		}
	}
	return false
}

func fromYAML(v any) any {
	switch x := v.(type) {
	case int:
		return float64(x)
	case int64:
		return float64(x)
	case uint64:
		return float64(x)
	case time.Time:
		return x.UTC().Format(isoMillis)
	case []any:
		for i := range x {
			x[i] = fromYAML(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = fromYAML(x[k])
		}
	case map[any]any:
		object := make(map[string]any, len(x))
		for k, inner := range x {
			object[component.Text(fromYAML(k))] = fromYAML(inner)
		}
		return object
	}
	return v
}

func writeYAML(v any) (string, error) {
	compact, err := writeJSON(unquoted(v)) // which leaves plain values only
	if err != nil {
		return "", err
	}
	plain, _ := readJSON(compact)
	b, err := yaml.Marshal(plain)
	if err != nil {
		return "", domain.RefuseField(domain.Invalid, "data", "Data cannot be written as YAML: %v", err)
	}
	return string(b), nil
}
