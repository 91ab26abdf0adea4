package worker

import (
	"context"
	"net/http"

	"heddle/component"
	"heddle/domain"
)

// receive asks a run's trigger, before the run, what it makes of what was delivered. All it is given comes
// from the run, so that a delivery that comes again is answered as the first time. Only what is wanted whole
// holds the body as a value, which takes long to read.
func (w *Worker) receive(ctx context.Context, r domain.Run, delivery map[string]any, whole bool) (component.Result, error) {
	definition, err := w.Definitions.Get(ctx, r.Organization, r.Queued.Definition)
	if err != nil {
		return component.Result{}, err
	}
	instance, _ := w.View.Instances.Get(r.Organization, r.Queued.Instance)
	flow := definition.Flow(r.Queued.Flow)
	ref := flow.Trigger().Action()
	trigger, err := w.Components.LookupTrigger(ref.Component, ref.Key)
	if err != nil {
		return component.Result{}, err
	}
	config, err := w.configValues(definition, instance)
	if err != nil {
		return component.Result{}, err
	}
	inputs, err := resolveInputs(flow.Trigger(), newScope(config))
	switch {
	case err != nil:
		return component.Result{}, err
	case trigger.Perform == nil && whole:
		return trigger.Receive(ctx, payloadOf(nil, delivery), inputs)
	case trigger.Perform == nil:
		return trigger.Receive(ctx, delivery, inputs)
	}
	x := &execution{Worker: w, run: r, flow: flow, config: config}
	x.run.StartedAt = r.QueuedAt
	x.facts = x.gatherFacts(definition, instance)
	return trigger.Perform(ctx, before{x}, x.payloadOf(delivery), inputs)
}

// before is the step of a trigger that is asked before its run.
type before struct{ x *execution }

var _ component.Step = before{}

func (b before) IdempotencyKey() string                { return "" }
func (b before) ID() string                            { return b.x.flow.Trigger().ID }
func (b before) Reach() error                          { return errBefore }
func (b before) Log(string, string)                    {}
func (b before) State(component.Scope) component.State { return nowhere{} }
func (b before) HTTP() *http.Client                    { return nil }
func (b before) Facts() map[string]any                 { return b.x.context() }
func (b before) Results() map[string]any               { return map[string]any{} }
func (b before) Payload() any                          { return nil }

var errBefore = domain.Refuse(domain.Invalid, "a trigger has no effects outside its execution")

// Script implements [component.Step].
func (b before) Script(ctx context.Context, call component.ScriptCall) (any, error) {
	return RunScript(ctx, call, b.x.Options.Script)
}

// Invoke implements [component.Step].
func (b before) Invoke(context.Context, string, any) (any, error) { return nil, errBefore }

// nowhere is a scope without values that keeps none.
type nowhere struct{}

func (nowhere) Get(context.Context, string) (any, bool, error) { return nil, false, nil }
func (nowhere) All(context.Context) (map[string]any, error)    { return map[string]any{}, nil }
func (nowhere) Set(context.Context, string, any) error         { return nil }
func (nowhere) Remove(context.Context, string) error           { return nil }
func (nowhere) Update(_ context.Context, _ string, change func(any, bool) (any, error)) (any, error) {
	return change(nil, false)
}
