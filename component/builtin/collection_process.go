package builtin

import (
	"context"
	"strconv"

	"heddle/component"
	"heddle/domain/refusal"
)

type inOrderInputs struct {
	Collection string `key:"collectionId" label:"Collection ID" required:"true" doc:"Tells collections apart that are processed at the same time."`
	Length     int    `key:"collectionLength" label:"Collection length" required:"true" doc:"How many items the collection has. After the last one, nothing is kept of it."`
	Item       any    `key:"item" label:"Item" doc:"The item that has arrived."`
	Index      int    `key:"itemIndex" label:"Item index" required:"true" doc:"The place of the item, counted from 0."`
}

func processActions() []component.Action {
	return []component.Action{
		component.NewAction("processInOrder", "Process in order",
			"Keeps items that arrive too early, for the flow. When the next one in order arrives, the branch Process gets the list of it and those kept behind it; otherwise the branch Skip gets the item.",
			processInOrder).WithBranches(),
		component.NewAction("validateJsonSchema", "Validate JSON schema",
			"Checks a value by a JSON Schema and gives it, read. What does not fit fails the step, which says where.",
			pure(validateSchema)),
	}
}

// processInOrder keeps, under one key, the next index, the waiting items, and the items handed out last, so
// that a step repeated after a crash hands out the same.
func processInOrder(ctx context.Context, step component.Step, in inOrderInputs) (component.Result, error) {
	if in.Index < 0 || in.Index >= in.Length {
		return component.Result{}, refusal.ForField(refusal.Invalid, "itemIndex",
			"Item index must be from 0 to %d, not %d", in.Length-1, in.Index)
	}
	state, key := step.State(component.FlowScope), "processInOrder/"+in.Collection
	kept, err := state.Update(ctx, key, func(old any, _ bool) (any, error) {
		next, _ := mapOf(old)["next"].(float64)
		waiting := map[string]any{strconv.Itoa(in.Index): in.Item}
		for index, item := range mapOf(mapOf(old)["waiting"]) {
			waiting[index] = item
		}
		ready := []any{}
		for item, there := waiting[strconv.Itoa(int(next))]; there; item, there = waiting[strconv.Itoa(int(next))] {
			ready = append(ready, item)
			delete(waiting, strconv.Itoa(int(next)))
			next++
		}
		return map[string]any{"next": next, "waiting": waiting, "ready": ready}, nil
	})
	if err != nil {
		return component.Result{}, err
	}
	ready, _ := mapOf(kept)["ready"].([]any)
	if len(ready) == 0 {
		return component.Result{Data: in.Item, Branch: "Skip"}, nil
	}
	if next, _ := mapOf(kept)["next"].(float64); int(next) >= in.Length {
		err = state.Remove(ctx, key)
	}
	return component.Result{Data: ready, Branch: "Process"}, err
}
