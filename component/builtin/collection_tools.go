package builtin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// The keys of actions and inputs that occur in definitions are as there; others follow the labels in the same
// manner.
func init() {
	register(component.Component{
		Key: "collection-tools", Label: "Collection tools", Category: "Data",
		Description: "Works with lists and objects. A list may also be given as the JSON text of one; an element given as text is taken for what its JSON says, too.",
		Actions:     slices.Concat(listActions(), objectActions(), listCodeActions(), processActions()),
	})
}

type listInputs struct {
	List any `key:"listInput" label:"List" type:"list" required:"true" doc:"The list."`
}

type listCountInputs struct {
	listInputs
	Number int `key:"numberInput" label:"Number of elements" default:"1" doc:"How many elements."`
}

type listElementInputs struct {
	listInputs
	Element any `key:"elementInput" label:"Element" doc:"The element. Lists and objects are the same as others that hold the same."`
}

type twoListsInputs struct {
	listInputs
	Second any `key:"secondListInput" label:"Second list" type:"list" required:"true" doc:"The list to add at the end."`
}

type createListInputs struct {
	Items []any `key:"items" label:"List items" doc:"The elements. A single one that is a list gives that list."`
}

type selectItemInputs struct {
	listInputs
	Index string `key:"indexInput" label:"Index" required:"true" doc:"Which element, counted from 0; 1.0 is the first element of the second, which is a list."`
}

func listActions() []component.Action {
	return []component.Action{
		component.NewAction("append", "Append", "Adds an element at the end of a list.",
			ofList(func(_ *value.Budget, list []any, in listElementInputs) (any, error) {
				return append(slices.Clone(list), in.Element), nil
			})),
		component.NewAction("chunks", "Chunks",
			"Divides a list into lists of so many elements; the last one may have fewer.", ofList(chunks)),
		component.NewAction("concatenate", "Concatenate", "Joins two lists into one.",
			ofList(func(budget *value.Budget, list []any, in twoListsInputs) (any, error) {
				second, err := listOf(budget, "secondListInput", in.Second)
				if err == nil {
					err = budget.Hold(len(second) * value.SlotBytes)
				}
				return slices.Concat(list, second), err
			})),
		component.NewAction("count", "Count", "Counts how often an element is in a list.",
			ofList(func(budget *value.Budget, list []any, in listElementInputs) (any, error) {
				return float64(len(list) - len(without(budget, list, in.Element))), nil
			})),
		component.NewAction("create", "Create list", "Makes a list.", pure(createList)),
		component.NewAction("deduplicate", "De-duplicate", "Keeps the first of elements that are the same.",
			ofList(deduplicate)),
		component.NewAction("first", "First", "Gives the first element, null if there is none.",
			ofList(func(_ *value.Budget, list []any, _ listInputs) (any, error) { return at(list, 0), nil })),
		component.NewAction("flatten", "Flatten",
			"Puts the elements of the lists in a list in their place, one level deep.", ofList(flatten)),
		component.NewAction("last", "Last", "Gives the last element, null if there is none.",
			ofList(func(_ *value.Budget, list []any, _ listInputs) (any, error) {
				return at(list, len(list)-1), nil
			})),
		component.NewAction("length", "Length", "Counts the elements.",
			ofList(func(_ *value.Budget, list []any, _ listInputs) (any, error) { return float64(len(list)), nil })),
		component.NewAction("remove", "Remove", "Leaves out an element wherever it is in a list.",
			ofList(func(budget *value.Budget, list []any, in listElementInputs) (any, error) {
				return without(budget, list, in.Element), nil
			})),
		component.NewAction("selectItemFromList", "Select item from list by index",
			"Gives the element at a place, also in nested lists; null if there is none.", ofList(selectItem)),
		component.NewAction("takeFirst", "Take first", "Gives the first so many elements.",
			ofList(func(_ *value.Budget, list []any, in listCountInputs) (any, error) {
				return list[:min(max(in.Number, 0), len(list))], nil
			})),
		component.NewAction("takeLast", "Take last", "Gives the last so many elements.",
			ofList(func(_ *value.Budget, list []any, in listCountInputs) (any, error) {
				return list[len(list)-min(max(in.Number, 0), len(list)):], nil
			})),
	}
}

// listed is a struct of inputs with a list.
type listed interface {
	list(*value.Budget) ([]any, error)
}

func (in listInputs) list(budget *value.Budget) ([]any, error) {
	return listOf(budget, "listInput", in.List)
}

// ofList adapts a function of a list to an action's function.
func ofList[I listed](do func(budget *value.Budget, list []any, in I) (any, error)) actionFunc[I] {
	return pure(func(budget *value.Budget, in I) (any, error) {
		list, err := in.list(budget)
		if err != nil {
			return nil, err
		}
		if err := budget.Hold(len(list) * value.SlotBytes); err != nil { // most of them make a list
			return nil, err
		}
		return do(budget, list, in)
	})
}

func chunks(budget *value.Budget, list []any, in listCountInputs) (any, error) {
	if in.Number < 1 {
		return nil, refusal.ForField(refusal.Invalid, "numberInput", "Number of elements must be at least 1, not %d",
			in.Number)
	}
	if err := budget.Hold(len(list) / in.Number * (value.ListBytes + value.SlotBytes)); err != nil {
		return nil, err
	}
	all := []any{}
	for chunk := range slices.Chunk(list, in.Number) {
		all = append(all, chunk)
	}
	return all, nil
}

func createList(_ *value.Budget, in createListInputs) (any, error) {
	return append([]any{}, onlyList(in.Items)...), nil
}

// onlyList returns the list that is the only element of one: a list of inputs may be a single reference to a
// list.
func onlyList(list []any) []any {
	if len(list) == 1 {
		if inner, ok := list[0].([]any); ok {
			return inner
		}
	}
	return list
}

// deduplicate compares by stored form, which is the same for equal lists and objects.
func deduplicate(budget *value.Budget, list []any, _ listInputs) (any, error) {
	seen := map[string]bool{}
	kept := []any{}
	for i, element := range list {
		form, err := budget.Encode(element)
		if err == nil {
			err = budget.Hold(value.TextBytes + len(form))
		}
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if !seen[string(form)] {
			seen[string(form)] = true
			kept = append(kept, element)
		}
	}
	return kept, nil
}

func flatten(budget *value.Budget, list []any, _ listInputs) (any, error) {
	flat := []any{}
	for _, element := range list {
		if inner, ok := element.([]any); ok {
			if err := budget.Hold(len(inner) * value.SlotBytes); err != nil {
				return nil, err
			}
			flat = append(flat, inner...)
		} else {
			flat = append(flat, element)
		}
	}
	return flat, nil
}

func without(budget *value.Budget, list []any, element any) []any {
	read := unquoted(budget, element)
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		return value.StrictEqual(v, element) || value.StrictEqual(v, read)
	})
}

func at(list []any, i int) any {
	if i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}

func selectItem(_ *value.Budget, list []any, in selectItemInputs) (any, error) {
	var item any = list
	for _, step := range strings.FieldsFunc(in.Index, func(r rune) bool { return strings.ContainsRune(".,[] ", r) }) {
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 {
			return nil, refusal.ForField(refusal.Invalid, "indexInput",
				"Index must be a whole number from 0, or several with dots between, not %q", excerpt(in.Index, 40))
		}
		inner, _ := item.([]any)
		item = at(inner, i)
	}
	return item, nil
}
