package builtin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
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
		actions = append(actions, updateActions(p.scope, p.infix, p.label, p.shared)...)
	}
	actions = append(actions, component.NewAction("getPersistDataUsageMetrics", "Get persist data usage metrics",
		"Gives for each scope how many keys it has and how many bytes their values take as JSON.", usageMetrics))
	register(component.Component{
		Key: "persist-data", Label: "Persist data", Category: "Data",
		Description: "Keeps values beyond a step: for the execution, its flow, the instance or the integration. " +
			"No change by another execution gets lost, and a step that is repeated after a crash changes nothing twice.",
		Actions: actions,
	})
}

type saveValueInputs struct {
	Key     string           `key:"keyInput" label:"Key" doc:"Name to keep the value under."`
	Value   any              `key:"valueInput" label:"Value" doc:"The value to keep."`
	Dynamic []value.KeyValue `key:"dynamicValues" label:"Keys and values" doc:"Several values at once. If there are any, key and value are ignored."`
}

type getValueInputs struct {
	Key     string `key:"keyInput" label:"Key" doc:"Name that the value is kept under." required:"true"`
	Default any    `key:"defaultValueInput" label:"Default value" doc:"The result if nothing is kept under the key."`
}

type removeValueInputs struct {
	Key  string `key:"keyInput" label:"Key" doc:"Name that the value is kept under."`
	Keys []any  `key:"multipleKeys" label:"Multiple keys" doc:"Several names at once. If there are any, the key is ignored."`
}

// persistActions returns the actions of one scope. None is an effect in the engine's sense although they write:
// a write names run and step, so repeating it after a crash changes nothing.
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
			"Forgets the values that are kept under a key or several, if there are any. "+about,
			func(ctx context.Context, step component.Step, in removeValueInputs) (component.Result, error) {
				return component.Result{}, removeValues(ctx, step.State(scope), in)
			}),
		component.NewAction("list"+infix+"Keys", label+" - List keys",
			"Lists the keys that values are kept under, in alphabetical order. "+about,
			func(ctx context.Context, step component.Step, _ struct{}) (component.Result, error) {
				return listKeys(ctx, step.State(scope))
			}),
		component.NewAction("remove"+infix+"State", label+" - Clear all state",
			"Forgets all values. "+about,
			func(ctx context.Context, step component.Step, _ struct{}) (component.Result, error) {
				return component.Result{}, clearState(ctx, step.State(scope))
			}),
		component.NewAction("save"+infix+"CurrentTime", label+" - Save current time",
			"Keeps the current time in UTC under a key. "+about+" The result is an object with the key and the value.",
			func(ctx context.Context, step component.Step, in keyInputs) (component.Result, error) {
				return saveValue(ctx, step.State(scope),
					saveValueInputs{Key: in.Key, Value: time.Now().UTC().Format(isoMillis)})
			}),
	}
}

func saveValue(ctx context.Context, state component.State, in saveValueInputs) (component.Result, error) {
	if len(in.Dynamic) == 0 {
		if in.Key == "" {
			return component.Result{}, refusal.ForField(refusal.Invalid, "keyInput", "Key is required")
		}
		return component.Result{Data: map[string]any{"key": in.Key, "value": in.Value}}, state.Set(ctx,
			in.Key, in.Value)
	}
	saved := make(map[string]any, len(in.Dynamic))
	for _, pair := range in.Dynamic {
		if pair.Key == "" {
			return component.Result{}, refusal.ForField(refusal.Invalid, "dynamicValues", "every value needs a key")
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

func removeValues(ctx context.Context, state component.State, in removeValueInputs) error {
	keys := in.Keys
	if len(keys) == 0 {
		keys = []any{in.Key}
	}
	for _, key := range keys {
		if value.Text(key) == "" {
			return refusal.ForField(refusal.Invalid, "keyInput", "Key is required")
		}
	}
	for _, key := range keys {
		if err := state.Remove(ctx, value.Text(key)); err != nil {
			return err
		}
	}
	return nil
}

func listKeys(ctx context.Context, state component.State) (component.Result, error) {
	values, err := state.All(ctx)
	keys := make([]any, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		keys = append(keys, key)
	}
	return component.Result{Data: keys}, err
}

func clearState(ctx context.Context, state component.State) error {
	values, err := state.All(ctx)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := state.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func usageMetrics(ctx context.Context, step component.Step, _ struct{}) (component.Result, error) {
	usage := map[string]any{}
	for _, p := range persisted {
		values, err := step.State(p.scope).All(ctx)
		if err != nil {
			return component.Result{}, err
		}
		size := 0
		for key, val := range values {
			form, err := value.Encode(val)
			if err != nil {
				return component.Result{}, err
			}
			size += len(key) + len(form)
		}
		usage[string(p.scope)] = map[string]any{"keys": float64(len(values)), "bytes": float64(size)}
	}
	return component.Result{Data: usage}, nil
}
