package worker

import (
	"cmp"
	"context"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/worker/expression"
)

// receive asks a run's trigger what it makes of a delivery. All inputs come from the run, so that a repeated
// delivery is answered as the first time. Only whole parses the body, which takes long. A trigger that performs is
// not asked: it has left its answer in the run.
func (w *Worker) receive(ctx context.Context, r domain.Run, delivery *component.Delivery, whole bool,
) (component.Result, error) {
	definition, err := w.Definitions.Get(ctx, r.Organization, r.Queued.Definition)
	if err != nil {
		return component.Result{}, err
	}
	instance, _ := w.View.Instances.Get(r.Organization, r.Queued.Instance)
	step := definition.Flow(r.Queued.Flow).Trigger()
	trigger, err := w.triggerOf(step)
	if err != nil {
		return component.Result{}, err
	}
	if trigger.Perform != nil {
		response, err := w.keptResponse(ctx, r)
		return component.Result{Response: response}, err
	}
	config, err := configValues(w.keeper(), definition, instance)
	if err != nil {
		return component.Result{}, err
	}
	inputs, err := resolveInputs(step, expression.NewScope(config))
	ctx = w.limited(ctx)
	switch {
	case err != nil:
		return component.Result{}, err
	case whole:
		payload := payloadOf(nil, delivery)
		if err := w.addBody(payload); err != nil {
			return component.Result{}, err
		}
		return trigger.Receive(ctx, payload, inputs)
	}
	return trigger.Receive(ctx, delivery.Values(), inputs)
}

func (w *Worker) triggerOf(step *definition.Part) (component.Trigger, error) {
	ref := step.Action()
	return w.Components.LookupTrigger(ref.Component, ref.Key)
}

// keptResponse returns the answer that a trigger has left in the run, nil for none.
func (w *Worker) keptResponse(ctx context.Context, r domain.Run) (*component.Response, error) {
	a := r.Queued.Answer
	if a == nil {
		return nil, nil
	}
	body, err := w.Blobs.Load(ctx, a.Body)
	if err != nil {
		return nil, err
	}
	val, err := value.Decode(body)
	return &component.Response{StatusCode: a.StatusCode, ContentType: a.ContentType, Headers: a.Headers,
		Body: value.Text(val)}, err
}

// performed is the outcome of a trigger that performs before its run is accepted.
type performed struct {
	asked  bool // the trigger is one that performs
	result component.Result
	answer *domain.Answer
	steps  []domain.StepFinished // its step, none if the run is to do it
}

// preflight calls a trigger before its run is accepted.
type preflight struct {
	w     *Worker
	run   domain.Run // as it is to be accepted
	start start
}

// perform runs a performing trigger before the run is accepted, when it authorizes the caller or its result is
// wanted. It does nothing if the run already exists. If the trigger does not authorize anybody, the run itself
// reports a refusal.
func (f preflight) perform(ctx context.Context, wanted bool) (p performed, err error) {
	w, r, s := f.w, f.run, f.start
	trigger, err := w.triggerOf(s.flow.Trigger())
	if err != nil || trigger.Perform == nil { // the run will say so
		return performed{}, nil
	}
	if p.asked = true; !s.admits && !wanted {
		return p, nil
	}
	there, err := store.Open(ctx, w.Log, domain.Runs, r.ID)
	removed := refusal.CodeOf(err) == refusal.NotFound
	if err != nil && !removed {
		return p, err
	}
	if w.asking != nil { // requests come in any number, and code takes memory
		select {
		case w.asking <- struct{}{}:
			defer func() { <-w.asking }()
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
	if known := removed || there.State().ID != ""; known && s.admits && trigger.Raw {
		err = f.readmit(ctx)
	} else if !known {
		p, err = f.call(ctx)
	}
	if removed && err == nil {
		err = errRemoved
	}
	if refuses(err) && !s.admits {
		return performed{asked: true}, nil
	}
	return p, err
}

// readmit has a trigger that only looks at the request authorize the caller of a repeated one: whoever knows its
// key may not therefore have its answer. Nothing else is done with the result. For a trigger that may do more, the
// request's headers are in the digest, see digest.
func (f preflight) readmit(ctx context.Context) error {
	step, err := f.step(ctx)
	if err != nil {
		return err
	}
	failure, err := step.receiveFirst(ctx, f.start.flow.Trigger(), f.start.delivery, nil)
	if refuses(failure) {
		return failure
	}
	return err
}

// step returns the context of the trigger's step.
func (f preflight) step(ctx context.Context) (*stepContext, error) {
	w, r := f.w, f.run
	def, err := w.Definitions.Get(ctx, r.Organization, r.Queued.Definition)
	if err != nil {
		return nil, err
	}
	x := &attempt{w: w, run: r, flow: f.start.flow, recorded: true, delivered: f.start.digest,
		ctxRun: w.as(context.WithoutCancel(ctx), r.Organization, r.ID)}
	x.run.StartedAt = r.QueuedAt
	if err := x.enter(def, f.start.instance); err != nil {
		return nil, err
	}
	return &stepContext{x: x, path: definition.Identifier(f.start.flow.Trigger().Name()), log: x.newLog()}, nil
}

// refuses reports whether a trigger rejects its caller.
func refuses(err error) bool {
	code := refusal.CodeOf(err)
	return code == refusal.Unauthenticated || code == refusal.Forbidden
}

// call has a run's trigger do its step before the run is accepted: so a caller that it rejects leaves no run, its
// answer is there when the caller is answered, and it runs once. It persists values under the name of the step. The
// error is such a rejection, or the worker's.
func (f preflight) call(ctx context.Context) (p performed, err error) {
	p.asked = true
	run, err := f.step(ctx)
	if err != nil {
		return p, err
	}
	x, step := run.x, f.start.flow.Trigger()
	finished := domain.StepFinished{Path: run.path, Step: step.ID, Name: step.Name(), Started: now()}
	failure, err := run.receiveFirst(ctx, step, f.start.delivery, &p)
	if refuses(failure) {
		return p, failure
	}
	if err != nil || ctx.Err() != nil {
		return p, cmp.Or(err, ctx.Err()) // the caller has gone
	}
	data, unfit := x.encode(p.result)
	failure = cmp.Or(failure, unfit)
	x.w.Observer.step(step.Action().Component, failure, now().Sub(finished.Started))
	if failure != nil {
		p.result = component.Result{}
		x.w.Observer.limit(refusal.LimitOf(failure))
		failure = x.secrets.hide(failure)
		handling := handlingOf(step)
		if handling.retries > 0 {
			return p, nil // the run does it again, as it would after a first attempt
		}
		finished.Error, finished.Ignored = value.Shorten(failure.Error(), maxLogLine), handling.ignores
		run.Log("error", failure.Error())
	} else if finished.Output, err = x.keepOf(ctx, "", finished.Path, run.hideResult(&p.result, data)); err != nil {
		return p, err
	}
	finished.Branch, run.durable = p.result.Branch, false // it is recorded with the run
	if err := run.finish(ctx, &finished); err != nil {
		return p, err
	}
	p.steps = x.pending
	return p, nil
}

// receiveFirst calls the trigger, and keeps in p its result and its answer to an asynchronous caller.
func (s *stepContext) receiveFirst(ctx context.Context, step *definition.Part, delivery *component.Delivery,
	p *performed,
) (failure, err error) {
	x := s.x
	trigger, failure := x.w.triggerOf(step)
	if failure != nil {
		return failure, nil
	}
	ref := step.Action()
	ctx, span := x.beginStep(x.w.limited(ctx), ref.Component, ref.Key, s.path)
	defer func() { endSpan(span, cmp.Or(failure, err)) }()
	inputs, failure := resolveInputs(step, x.scope)
	if failure != nil {
		return failure, nil
	}
	result, failure := s.guarded(func() (component.Result, error) {
		return s.receiveWith(ctx, trigger, delivery, inputs)
	})
	if p == nil {
		return failure, nil
	}
	p.result = result
	response := result.Response
	if failure != nil || response == nil {
		return failure, nil
	}
	if failure := fits(component.Result{ContentType: response.ContentType, Headers: response.Headers}); failure != nil {
		return failure, nil
	}
	for name, value := range response.Headers {
		response.Headers[name] = x.secrets.text(value)
	}
	p.answer = &domain.Answer{StatusCode: response.StatusCode, ContentType: x.secrets.text(response.ContentType),
		Headers: response.Headers}
	body, err := value.Encode(x.secrets.text(response.Body))
	if err == nil {
		p.answer.Body, err = x.keepOf(ctx, "answer/", s.path, body)
	}
	return nil, err
}
