package component

import (
	"context"
	"reflect"

	"heddle/component/value"
)

// NewAction makes an action whose inputs are the fields of the struct I. Each field has the tags
//
//	key:"timeout" label:"Timeout" doc:"what it means" default:"30" required:"true" options:"a,b" type:"code"
//
// of which key, label and doc must be given. The field's Go type determines the input's: string, bool, int,
// float64, any for data of any shape, []any for a value list, []KeyValue for a key/value list. The tag type is
// for types that Go does not distinguish (code, connection, conditions).
//
// NewAction panics if I is no such struct: that is a mistake in a program, found when it starts.
func NewAction[I any](key, label, description string, perform func(context.Context, Step, I) (Result, error)) Action {
	fields := fieldsOf[I]()
	return Action{
		Key: key, Label: label, Description: description, Inputs: describe(fields),
		Perform: func(ctx context.Context, step Step, raw map[string]any) (Result, error) {
			inputs, err := decode[I](ctx, fields, raw)
			if err != nil {
				return Result{}, err
			}
			return perform(ctx, step, inputs)
		},
	}
}

// NewTrigger makes a trigger whose inputs are the fields of the struct I, as with [NewAction].
func NewTrigger[I any](key, label, description string, receive func(ctx context.Context, payload map[string]any,
	inputs I) (Result, error)) Trigger {
	fields := fieldsOf[I]()
	return Trigger{
		Key: key, Label: label, Description: description, Inputs: describe(fields),
		Receive: func(ctx context.Context, payload, raw map[string]any) (Result, error) {
			inputs, err := decode[I](ctx, fields, raw)
			if err != nil {
				return Result{}, err
			}
			return receive(ctx, payload, inputs)
		},
	}
}

// NewPerformedTrigger makes a trigger that needs a [Step], with inputs as with [NewAction].
func NewPerformedTrigger[I any](key, label, description string,
	perform func(ctx context.Context, step Step, payload map[string]any, inputs I) (Result, error)) Trigger {
	fields := fieldsOf[I]()
	return Trigger{
		Key: key, Label: label, Description: description, Inputs: describe(fields),
		Perform: func(ctx context.Context, step Step, payload, raw map[string]any) (Result, error) {
			inputs, err := decode[I](ctx, fields, raw)
			if err != nil {
				return Result{}, err
			}
			return perform(ctx, step, payload, inputs)
		},
	}
}

// Do calls the trigger's Perform or Receive, whichever it has.
func (t Trigger) Do(ctx context.Context, step Step, payload, inputs map[string]any) (Result, error) {
	if t.Perform != nil {
		return t.Perform(ctx, step, payload, inputs)
	}
	return t.Receive(ctx, payload, inputs)
}

// WithEffect returns a copy of the action that is marked as reaching outside the run.
func (a Action) WithEffect() Action {
	a.Effect = true
	return a
}

// WithBranches returns a copy of the action whose result chooses a branch.
func (a Action) WithBranches() Action {
	a.Branches = true
	return a
}

// WithStop returns a copy of the action that ends the run as a success.
func (a Action) WithStop() Action {
	a.Stop = true
	return a
}

// WithLoop returns a copy of the action that runs the step's own steps for each item of its result.
func (a Action) WithLoop() Action {
	a.Loop = true
	return a
}

// WithBreak returns a copy of the action that ends the innermost loop.
func (a Action) WithBreak() Action {
	a.Break = true
	return a
}

// Starting returns a copy of the trigger that starts runs in another way than by webhook.
func (t Trigger) Starting(by Start) Trigger {
	t.Start = by
	return t
}

// FromRaw returns a copy of the trigger that needs only the raw body.
func (t Trigger) FromRaw() Trigger {
	t.Raw = true
	return t
}

// Deploys reports whether the trigger starts its flow at each deploy of the instance, by the resolved value of
// its StartInput.
func (t Trigger) Deploys(val any) (bool, error) {
	for _, in := range t.Inputs {
		if in.Key == t.StartInput {
			truth, _ := value.KindOf(reflect.TypeFor[bool]())
			on, err := field{Input: in, kind: truth}.coerce(value.NewBudget(context.Background()), val)
			is, _ := on.(bool)
			return is, err
		}
	}
	return t.Start == StartDeploy, nil
}
