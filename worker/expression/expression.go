package expression

import (
	"context"

	"heddle/component/value"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Resolve returns the value of an input, which is a map of type and value as a definition holds it. It returns a
// value list as []any, a key/value list as []component.KeyValue, and a list of conditions as []component.KeyValue
// of branch name and condition, whose operands wait, see [value.Operand]. A reference to something absent is nil;
// only an input that cannot be read is an error.
func Resolve(input any, scope *Scope) (any, error) {
	in, ok := input.(map[string]any)
	if !ok {
		return nil, refusal.New(refusal.Invalid, "an input must be a map of type and value, not %s", value.Text(input))
	}
	text, isText := in["value"].(string)
	kind, _ := in["type"].(string)
	if kind != "value" && kind != "complex" && !isText && in["value"] != nil {
		return nil, refusal.New(refusal.Invalid, "the value of an input of type %s must be text, not %s", kind,
			value.Text(in["value"]))
	}
	switch kind {
	case "value":
		return in["value"], nil
	case "reference":
		return reference(text, scope)
	case "configVar":
		return scope.config[text], nil // an empty key means that none was chosen
	case "template":
		return render(text, scope)
	case "complex":
		return complexValue(in["value"], scope)
	}
	return nil, refusal.New(refusal.Invalid,
		"an input is of type value, reference, configVar, template or complex, not %q", kind)
}

func reference(text string, scope *Scope) (any, error) {
	if text == "" {
		return nil, nil
	}
	path, err := definition.ParsePath(text)
	if err != nil {
		return nil, err
	}
	return scope.Lookup(path), nil
}

func render(text string, scope *Scope) (any, error) {
	out := value.NewBudget(value.WithLimits(context.Background(), scope.Limits)).NewOutput()
	for _, part := range definition.ParseTemplate(text) {
		text := part.Text
		switch part.Kind {
		case definition.ConfigVarSegment:
			text = value.Text(scope.config[part.Text])
		case definition.PathSegment:
			v, err := reference(part.Text, scope)
			if err != nil {
				return nil, err
			}
			text = value.Text(v)
		}
		if _, err := out.WriteString(text); err != nil {
			return nil, err
		}
	}
	return out.Result()
}

// complexValue resolves a list. The file does not say of which kind it is, but elements of key/value lists and of
// condition lists have names, and those of value lists have none.
func complexValue(val any, scope *Scope) (any, error) {
	list, ok := val.([]any)
	if !ok && val != nil && val != "" {
		return nil, refusal.New(refusal.Invalid, "the value of an input of type complex must be a list, not %s",
			value.Text(val))
	}
	pairs := make([]value.KeyValue, 0, len(list))
	named := false
	for _, element := range list {
		key, hasName, err := elementName(element, scope)
		if err != nil {
			return nil, err
		}
		v, err := elementValue(element, scope)
		if err != nil {
			return nil, err
		}
		named = named || hasName
		pairs = append(pairs, value.KeyValue{Key: key, Value: v})
	}
	if named {
		return pairs, nil
	}
	values := make([]any, len(pairs))
	for i, pair := range pairs {
		values[i] = pair.Value
	}
	return values, nil
}

// elementName returns the name of a list's element, which can be an input of its own.
func elementName(element any, scope *Scope) (name string, ok bool, err error) {
	in, _ := element.(map[string]any)
	switch x := in["name"].(type) {
	case nil:
		return "", false, nil
	case map[string]any:
		v, err := Resolve(x, scope)
		return value.Text(v), true, err
	default:
		return value.Text(x), true, nil
	}
}

// elementValue resolves an element. A list that begins with an operator is a condition.
func elementValue(element any, scope *Scope) (any, error) {
	if in, _ := element.(map[string]any); in["type"] == "complex" {
		if list, _ := in["value"].([]any); len(list) > 0 {
			if _, isOperator := list[0].(string); isOperator {
				return condition(list, scope), nil
			}
		}
	}
	return Resolve(element, scope)
}

// condition returns a condition as it is, with operands that resolve themselves when asked: evaluation stops early,
// and an operand that nobody asks for must not fail.
func condition(list []any, scope *Scope) []any {
	out := make([]any, len(list))
	for i, part := range list {
		switch x := part.(type) {
		case []any:
			out[i] = condition(x, scope)
		case map[string]any:
			out[i] = value.Operand(func() (any, error) { return Resolve(x, scope) })
		default:
			out[i] = part
		}
	}
	return out
}
