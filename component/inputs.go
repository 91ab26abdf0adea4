package component

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"heddle/component/value"
	"heddle/domain/refusal"
)

// field is one input of a struct of inputs. It is read by reflection once, when the action is made.
type field struct {
	Input
	index []int
	kind  value.Kind
}

// fieldsOf reads the inputs off the struct I and the structs embedded in it.
func fieldsOf[I any]() []field {
	t := reflect.TypeFor[I]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("component: inputs must be a struct, not %s", t))
	}
	seen := map[string]bool{}
	var fields []field
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous {
			continue
		}
		f := fieldOf(t, sf)
		if seen[f.Key] {
			panic(fmt.Sprintf("component: two inputs of %s have the key %q", t, f.Key))
		}
		seen[f.Key] = true
		fields = append(fields, f)
	}
	return fields
}

func fieldOf(t reflect.Type, sf reflect.StructField) field {
	k, ok := value.KindOf(sf.Type)
	f := field{index: sf.Index, kind: k, Input: Input{
		Key: sf.Tag.Get("key"), Label: sf.Tag.Get("label"), Description: sf.Tag.Get("doc"),
		Type: sf.Tag.Get("type"), Default: sf.Tag.Get("default"), Required: sf.Tag.Get("required") == "true",
	}}
	if !ok || !sf.IsExported() || f.Key == "" || f.Label == "" || f.Description == "" {
		panic(fmt.Sprintf("component: field %s of %s needs a type that inputs can have and the tags key, label and doc",
			sf.Name, t))
	}
	if f.Type == "" {
		f.Type = k.Name
	}
	if options := sf.Tag.Get("options"); options != "" {
		f.Options = strings.Split(options, ",")
	}
	if f.Default != "" {
		if _, err := f.coerce(value.NewBudget(context.Background()), f.Default); err != nil {
			panic(fmt.Sprintf("component: default of field %s of %s: %v", sf.Name, t, err))
		}
	}
	return f
}

// describe returns the catalogue's view of the fields.
func describe(fields []field) []Input {
	inputs := make([]Input, len(fields))
	for i, f := range fields {
		inputs[i] = f.Input
	}
	return inputs
}

// decode fills a struct of inputs from resolved values. It ignores inputs that the struct does not have:
// definitions outlive the components that they were written for.
func decode[I any](ctx context.Context, fields []field, raw map[string]any) (I, error) {
	var inputs I
	budget := value.NewBudget(ctx)
	into := reflect.ValueOf(&inputs).Elem()
	for _, f := range fields {
		v, err := f.coerce(budget, raw[f.Key])
		if err != nil {
			return inputs, err
		}
		if v != nil {
			into.FieldByIndex(f.index).Set(reflect.ValueOf(v))
		}
	}
	return inputs, nil
}

// coerce converts a resolved value to the field's type. Literals always arrive as strings, and an empty one
// means that the input was not set.
func (f field) coerce(b *value.Budget, v any) (any, error) {
	if v == nil || v == "" {
		if f.Required {
			return nil, refusal.ForField(refusal.Invalid, f.Key, "%s is required", f.Label)
		}
		if f.Default != "" {
			v = f.Default
		}
	}
	if v == nil {
		return nil, nil
	}
	out, ok := f.kind.From(b, v)
	if b.Err() != nil {
		return nil, b.Err()
	}
	if !ok {
		return nil, refusal.ForField(refusal.Invalid, f.Key, "%s must be %s, not %s", f.Label, f.kind.Wants,
			value.Brief(v))
	}
	if s, isText := out.(string); isText && s != "" && f.Options != nil && !slices.Contains(f.Options, s) {
		if i := slices.IndexFunc(f.Options, func(option string) bool { return strings.EqualFold(option, s) }); i >= 0 {
			return f.Options[i], nil // values come from elsewhere, too
		}
		return nil, refusal.ForField(refusal.Invalid, f.Key, "%s must be one of %s, not %s", f.Label,
			strings.Join(f.Options, ", "), value.Brief(v))
	}
	return out, nil
}
