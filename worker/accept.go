package worker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// start is everything that makes a run begin.
type start struct {
	target
	run         string              // its id: the same for the same delivery or tick, which begins it once
	delivery    *component.Delivery // what came, or stands for it
	digest      string              // see domain.RunQueued
	invoke      domain.InvokeType
	invokedBy   *domain.InvokedBy
	synchronous bool
	marks       *masker // of what the delivery has, nil where it came from outside
	here        bool    // the caller does it, so that it need not be offered
	admits      bool    // the trigger is asked first whether it lets the caller in
}

// errRemoved refuses to start a run that ended so long ago that its history is gone.
var errRemoved = refusal.New(refusal.NotFound, "the execution of this %s has been removed; use another key", keyHeader)

// accept makes the run durable and offers it. A failed offer is no reason to refuse: the sweep repeats it. accept
// returns the run as it stands, which may be older than this call.
func (w *Worker) accept(ctx context.Context, s start) (domain.Run, error) {
	queued := domain.RunQueued{Instance: s.instance.ID, Integration: s.instance.Integration,
		Customer: s.instance.Customer, Version: s.version, Definition: s.definition,
		Flow: s.flow.ID, FlowName: s.flow.Name(), Invoke: s.invoke,
		Synchronous: s.synchronous, Digest: s.digest, InvokedBy: s.invokedBy}
	if s.instance.System && s.invoke == domain.InvokedByWebhook {
		queued.Invoke = domain.InvokedByFlowTest
	}
	policy := policyOf(s.flow)
	request, _ := s.flow.Map("retryConfig")["uniqueRequestIdField"].(map[string]any)
	if s.instance.System || s.synchronous { // somebody waits for it, now
		policy.limit, policy.duplicate, request = 0, nil, nil
	}
	r := domain.Run{ID: s.run, Organization: s.instance.Organization, Queued: queued, QueuedAt: now()}
	ask := preflight{w, r, s}
	first, err := ask.perform(ctx, policy.duplicate != nil || request != nil)
	if err != nil {
		return r, err
	}
	data, err := s.delivery.Encode()
	if err != nil {
		return r, err
	}
	if s.marks != nil {
		var first string
		data, first = s.marks.mask(data)
		queued.Marked = first != ""
	}
	if queued.Payload, err = w.keep(ctx, s.run, "payload"+s.digest, data); err != nil {
		return r, err
	}
	r.Queued = queued
	queued.Answer = first.answer
	ask.run = r
	queued.Duplicate = ask.fromTrigger(ctx, policy.duplicate, first)
	queued.Request = ask.fromTrigger(ctx, request, first)
	handle := store.Fresh(w.Log, domain.Runs, s.run)
	run, _, err := handle.Change(ctx, func(r domain.Run) (domain.Changes[domain.Run], error) {
		return r.Queue(queued, first.steps...)
	})
	if refusal.CodeOf(err) == refusal.NotFound { // its stream was removed; so is the payload that has just been kept
		return run, cmp.Or[error](w.Blobs.DeleteAll(ctx, "run/"+s.run+"/"), errRemoved)
	}
	if err != nil || run.Claims > 0 || run.Finished != nil {
		return run, err
	}
	w.supersede(ctx, run, handle.Position())
	if !policy.all() {
		w.dispatcher.wake(queueKey{s.instance.ID, s.flow.ID}, policy, handle.Position())
		return run, nil
	}
	if s.here || w.dispatcher.backlog.full.Load() {
		return run, nil
	}
	a := accepted{handle: handle}
	// A request's parts, which are texts and bytes, read back as they are, but for what is not UTF-8.
	if s.admits && bytes.Equal(run.Queued.Payload.Inline, data) && !bytes.Contains(data, []byte(`\ufffd`)) {
		a.delivery = s.delivery
	}
	if err := w.dispatcher.enqueue(context.WithoutCancel(ctx), s.run, 0, a); err != nil {
		w.Logger.Warn("offering a run failed; the sweep does it", "run", s.run, "error", err)
	}
	return run, nil
}

// answerNow writes the asynchronous answer: the trigger's own, or the execution's id.
func (q request) answerNow(ctx context.Context, r domain.Run) {
	response, err := q.w.ownResponse(ctx, r)
	if err != nil { // the run will say so too, where it can be seen
		q.w.Logger.Info("a trigger's own answer is left out", "run", r.ID, "error", err)
	}
	if response == nil {
		response = &component.Response{}
	}
	a := answer{status: response.StatusCode, contentType: response.ContentType, headers: response.Headers,
		body: []byte(response.Body)}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if len(a.body) == 0 {
		a.body, _ = json.Marshal(map[string]string{"executionId": r.ID}) // strings always have a JSON form
	}
	if json.Valid(a.body) {
		a.typed("application/json")
	}
	a.typed("text/plain; charset=utf-8")
	a.write(q.rw)
}

// ownResponse returns the flow's own answer to asynchronous callers, nil if its trigger has none.
func (w *Worker) ownResponse(ctx context.Context, r domain.Run) (*component.Response, error) {
	delivery, err := w.deliveryOf(ctx, r.Queued.Payload, nil)
	if err != nil {
		return nil, err
	}
	result, err := w.receive(ctx, r, delivery, false)
	return result.Response, err
}

// deliveryOf reads the delivery that a run was started with, and puts the marked secrets back into it.
func (w *Worker) deliveryOf(ctx context.Context, payload domain.Content, marks *masker) (*component.Delivery, error) {
	data, err := w.Blobs.Load(ctx, payload)
	if err != nil || len(data) == 0 {
		return &component.Delivery{}, err
	}
	if marks != nil {
		data = marks.reveal(data)
	}
	stored, err := value.Decode(data)
	delivery, _ := component.ReadDelivery(stored)
	return &delivery, err
}
