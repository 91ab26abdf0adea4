package builtin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"heddle/component"
	"heddle/domain"
)

// persisted names each scope as the format does in its action keys, and for people.
var persisted = []struct {
	scope                component.Scope
	infix, label, shared string
}{
	{component.ExecutionScope, "Execution", "Execution", "lives as long as the execution"},
	{component.FlowScope, "Instance", "Flow", "is shared by all executions of the flow in this instance"},
	{component.CrossFlowScope, "CrossFlow", "Cross flow", "is shared by all flows of this instance"},
	{component.IntegrationScope, "Integration", "Integration", "is shared by all instances of the integration"},
}

func init() {
	var actions []component.Action
	for _, p := range persisted {
		actions = append(actions, persistActions(p.scope, p.infix, p.label, p.shared)...)
	}
	register(component.Component{
		Key: "persist-data", Label: "Persist data", Category: "Data",
		Description: "Keeps values beyond a step: for the execution, its flow, the instance or the integration.",
		Actions:     actions,
	})
}

type saveValueInputs struct {
	Key     string               `key:"keyInput" label:"Key" doc:"Name to keep the value under."`
	Value   any                  `key:"valueInput" label:"Value" doc:"The value to keep."`
	Dynamic []component.KeyValue `key:"dynamicValues" label:"Keys and values" doc:"Several values at once. If there are any, key and value are ignored."`
}

type getValueInputs struct {
	Key     string `key:"keyInput" label:"Key" doc:"Name that the value is kept under." required:"true"`
	Default any    `key:"defaultValueInput" label:"Default value" doc:"The result if nothing is kept under the key."`
}

type removeValueInputs struct {
	Key string `key:"keyInput" label:"Key" doc:"Name that the value is kept under." required:"true"`
}

// persistActions makes the actions of one scope. None is an effect in the engine's sense although
// they write: a write names run and step, so repeating it after a crash changes nothing.
func persistActions(scope component.Scope, infix, label, shared string) []component.Action {
	about := fmt.Sprintf("The value %s.", shared)
	return []component.Action{
		component.NewAction("save"+infix+"Value", label+" - Save value",
			"Keeps a value under a key. "+about+" The result is an object with the key and the value.",
			func(ctx context.Context, step component.Step, in saveValueInputs) (component.Result, error) {
				return saveValue(ctx, step.State(scope), in)
			}),
		component.NewAction("get"+infix+"Value", label+" - Get value",
			"Gives the value that is kept under a key, or a default. "+about,
			func(ctx context.Context, step component.Step, in getValueInputs) (component.Result, error) {
				return getValue(ctx, step.State(scope), in)
			}),
		component.NewAction("remove"+infix+"Value", label+" - Remove value",
			"Forgets the value that is kept under a key, if there is one. "+about,
			func(ctx context.Context, step component.Step, in removeValueInputs) (component.Result, error) {
				return component.Result{}, step.State(scope).Remove(ctx, in.Key)
			}),
	}
}

func saveValue(ctx context.Context, state component.State, in saveValueInputs) (component.Result, error) {
	if len(in.Dynamic) == 0 {
		if in.Key == "" {
			return component.Result{}, domain.RefuseField(domain.Invalid, "keyInput", "Key is required")
		}
		return component.Result{Data: map[string]any{"key": in.Key, "value": in.Value}}, state.Set(ctx, in.Key, in.Value)
	}
	saved := make(map[string]any, len(in.Dynamic))
	for _, pair := range in.Dynamic {
		if pair.Key == "" {
			return component.Result{}, domain.RefuseField(domain.Invalid, "dynamicValues", "every value needs a key")
		}
		saved[pair.Key] = pair.Value
	}
	for _, key := range slices.Sorted(maps.Keys(saved)) { // each once: a step's first write of a key stands
		if err := state.Set(ctx, key, saved[key]); err != nil {
			return component.Result{}, err
		}
	}
	return component.Result{Data: map[string]any{"value": saved}}, nil
}

func getValue(ctx context.Context, state component.State, in getValueInputs) (component.Result, error) {
	value, found, err := state.Get(ctx, in.Key)
	if err != nil {
		return component.Result{}, err
	}
	if !found {
		value = in.Default
	}
	return component.Result{Data: value}, nil
}
