package builtin

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

type createObjectInputs struct {
	Pairs []value.KeyValue `key:"keyValueInput" label:"Key and value pairs" doc:"The keys with their values; of a key given twice, the last one counts."`
}

type combineInputs struct {
	Pairs []value.KeyValue `key:"collections" label:"Collections" required:"true" doc:"The keys with their collections; of a key given twice, the last one counts."`
}

type addKeyInputs struct {
	Object any    `key:"object" label:"Object" doc:"The object; if empty, a new one."`
	Key    string `key:"key" label:"Key" required:"true" doc:"The key to set."`
	Value  any    `key:"value" label:"Value" doc:"The value to set."`
	Path   string `key:"objectPath" label:"Insert path" doc:"Where inside the object to set it, such as order.items[0].customer; the object itself if empty. Objects that are missing on the way are made."`
}

type addKeysInputs struct {
	Object  any              `key:"object" label:"Object" doc:"The object; if empty, a new one."`
	Path    string           `key:"objectPath" label:"Insert path" doc:"Where inside the object to set them, such as order.items[0].customer; the object itself if empty. Objects that are missing on the way are made."`
	Dynamic any              `key:"dynamicFields" label:"Dynamic keys and values" doc:"An object, or a list of keys with values. If it is not empty, the keys and values below are ignored."`
	Pairs   []value.KeyValue `key:"keyValueListInput" label:"Keys and values" doc:"The keys to set, with their values."`
}

type toObjectInputs struct {
	Pairs []value.KeyValue `key:"keyValueList" label:"Key/value list" required:"true" doc:"A list of objects with key and value."`
}

type fromObjectInputs struct {
	Object any `key:"object" label:"Object" required:"true" doc:"The object."`
}

type fieldMappingInputs struct {
	Keys   []value.KeyValue `key:"keyMappings" label:"Key mappings" doc:"For each field, the key that it gets."`
	Values []value.KeyValue `key:"valueMappings" label:"Value mappings" doc:"For each field, its value."`
}

func objectActions() []component.Action {
	return []component.Action{
		component.NewAction("addKey", "Add key/value to object", "Gives an object with one key set.",
			pure(func(budget *value.Budget, in addKeyInputs) (any, error) {
				return withKeys(budget, in.Object, in.Path, map[string]any{in.Key: in.Value})
			})),
		component.NewAction("addMultipleKeys", "Add multiple keys/values to object",
			"Gives an object with several keys set.", pure(addKeys)),
		component.NewAction("combineCollections", "Combine collection (deprecated)",
			"Makes an object of keys with collections, as Create object does.",
			pure(func(_ *value.Budget, in combineInputs) (any, error) {
				return objectFrom(in.Pairs), nil
			})),
		component.NewAction("createObject", "Create object", "Makes an object of keys with values.",
			pure(func(_ *value.Budget, in createObjectInputs) (any, error) {
				return objectFrom(in.Pairs), nil
			})),
		component.NewAction("fieldValueMapping", "Field value mapping",
			"Pairs two mappings by their fields and gives a list of objects with key and value, in the order of the key mappings; the value is null where there is none.",
			pure(fieldMapping)),
		component.NewAction("fromObject", "Object to key value pair list",
			"Gives an object's keys with their values as a list, in alphabetical order.", pure(fromObject)),
		component.NewAction("toObject", "Key value pair list to object",
			"Makes an object of a list of keys with values.",
			pure(func(_ *value.Budget, in toObjectInputs) (any, error) {
				return objectFrom(in.Pairs), nil
			})),
	}
}

func addKeys(budget *value.Budget, in addKeysInputs) (any, error) {
	added := objectFrom(in.Pairs)
	switch dynamic := unquoted(budget, in.Dynamic).(type) {
	case nil:
	case map[string]any:
		added = dynamic
	case []any:
		added = map[string]any{}
		for _, element := range dynamic {
			pair, ok := element.(map[string]any)
			if _, hasKey := pair["key"]; !ok || !hasKey {
				return nil, refusal.ForField(refusal.Invalid, "dynamicFields", "every element needs a key and a value")
			}
			added[budget.Text(pair["key"])] = pair["value"]
		}
	default:
		if dynamic != "" {
			return nil, refusal.ForField(refusal.Invalid, "dynamicFields",
				"an object or a list of keys with values is needed, not %s", shape(dynamic))
		}
	}
	return withKeys(budget, in.Object, in.Path, added)
}

// withKeys copies the parts that it changes: other steps hold the object, too.
func withKeys(budget *value.Budget, v any, path string, added map[string]any) (any, error) {
	object, err := objectOf(budget, "object", v)
	if err != nil {
		return nil, err
	}
	if len(path) > longestPath {
		return nil, refusal.ForField(refusal.Invalid, "objectPath",
			"Insert path may have %d bytes, not %d", longestPath, len(path))
	}
	names := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	return withKeysAt(budget, object, names, added)
}

// longestPath keeps paths from leading deeper than values may be.
const longestPath = 2 * value.MaxDepth

// withKeysAt sets keys in the object that a path leads to.
func withKeysAt(budget *value.Budget, v any, path []string, added map[string]any) (any, error) {
	if list, isList := v.([]any); isList && len(path) > 0 {
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(list) {
			return nil, refusal.ForField(refusal.Invalid, "objectPath",
				"the path leads into a list of %d, which has no element %q; begin with 0", len(list),
				excerpt(path[0], 40))
		}
		changed := slices.Clone(list)
		changed[i], err = withKeysAt(budget, list[i], path[1:], added)
		return changed, err
	}
	object, err := objectOf(budget, "objectPath", v)
	if err != nil {
		return nil, err
	}
	changed := maps.Clone(object)
	if len(path) == 0 {
		maps.Copy(changed, added)
		return changed, nil
	}
	changed[path[0]], err = withKeysAt(budget, object[path[0]], path[1:], added)
	return changed, err
}

func fromObject(budget *value.Budget, in fromObjectInputs) (any, error) {
	object, err := objectOf(budget, "object", in.Object)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		list = append(list, map[string]any{"key": key, "value": object[key]})
	}
	return list, nil
}

func fieldMapping(budget *value.Budget, in fieldMappingInputs) (any, error) {
	values := objectFrom(in.Values)
	list := make([]any, len(in.Keys))
	for i, pair := range in.Keys {
		list[i] = map[string]any{"key": budget.Text(pair.Value), "value": values[pair.Key]}
	}
	return list, nil
}
