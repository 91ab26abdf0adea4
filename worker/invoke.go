package worker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/refusal"
)

// Invoke implements [component.Step]. The id of the run that it starts is derived from the step's place, so that a
// step repeated after a crash meets the same run.
func (s *stepContext) Invoke(ctx context.Context, flow string, data any) (any, error) {
	x := s.x
	instance, _ := x.w.View.Instances.Get(x.run.Organization, x.run.Queued.Instance)
	to, err := x.flowNamed(ctx, instance, flow)
	if err != nil {
		return nil, err
	}
	begin := start{target: to, run: domain.DeriveID("invoke", x.run.ID, s.writer(), to.flow.ID),
		invoke:    domain.InvokedByFlow,
		invokedBy: s.invokedBy(), marks: x.payloadMarks(), synchronous: flow != "" && to.flow.Flag("isSynchronous")}
	if begin.delivery, err = invocation(data); err != nil {
		return nil, err
	}
	if begin.here = begin.synchronous; begin.here {
		return x.invoke(ctx, begin)
	}
	_, err = x.w.accept(x.w.as(ctx, x.run.Organization, begin.run), begin)
	return map[string]any{"executionId": begin.run}, err
}

// invokedBy names the step as the caller of another run.
func (s *stepContext) invokedBy() *domain.InvokedBy {
	by := &domain.InvokedBy{Execution: s.x.run.ID, Path: s.path, Depth: 1}
	if above := s.x.run.Queued.InvokedBy; above != nil {
		by.Depth += above.Depth
	}
	return by
}

// flowNamed finds a flow of the instance as it is deployed now; for no name it is the run's own.
func (x *attempt) flowNamed(ctx context.Context, instance domain.Instance, name string) (target, error) {
	if name == "" {
		return x.w.targetFlow(ctx, instance, x.flow.ID)
	}
	definition, err := x.w.definition(ctx, &target{instance: instance, version: instance.Deployed})
	if err != nil {
		return target{}, err
	}
	var names []string
	for _, flow := range definition.Flows() {
		if flow.Name() == name {
			return x.w.targetFlow(ctx, instance, flow.ID)
		}
		names = append(names, fmt.Sprintf("%q", flow.Name()))
	}
	return target{}, refusal.ForField(refusal.NotFound, "flowName", "the instance has no flow %q; it has %s", name,
		strings.Join(names, ", "))
}

// invocation returns the delivery of a request with the data as its body: bytes as they are, everything else as
// JSON.
func invocation(data any) (*component.Delivery, error) {
	d := &component.Delivery{Method: "POST", Headers: map[string]any{}, QueryParameters: map[string]any{},
		ContentType: "application/octet-stream", Data: data}
	if _, binary := data.([]byte); binary {
		return d, nil
	}
	text, err := value.JSON(data)
	d.ContentType, d.Data = "application/json", string(text)
	return d, err
}

// nesting is the context key of the number of runs that wait for each other.
type nesting struct{}

// invoke starts a run, executes it here and returns its result. If it only waited, runs that wait could keep every
// worker from the runs that they wait for.
func (x *attempt) invoke(ctx context.Context, begin start) (any, error) {
	depth, _ := ctx.Value(nesting{}).(int)
	if depth >= x.w.MaxNested {
		return nil, refusal.Exceed("HEDDLE_MAX_NESTED", "flows that wait for each other may be %d deep", x.w.MaxNested)
	}
	ended := x.w.waiters.await(begin.run)
	defer ended.stop()
	run, err := x.w.accept(x.w.as(ctx, x.run.Organization, begin.run), begin)
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(x.w.SyncTimeout)
	if run.Claims == 0 {
		limited, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		own, release := apart(context.WithValue(limited, nesting{}, depth+1))
		if err := x.w.carryOut(own, run.ID, 0); err != nil {
			x.w.Logger.Debug("an invoked run goes on elsewhere", "run", run.ID, "error", err)
		}
		release()
	}
	if run.Finished == nil {
		if run, err = x.w.whenEnded(ctx, until, run.ID, ended); err != nil {
			return nil, err
		}
	}
	if run.Finished.Result != domain.Completed {
		return nil, fmt.Errorf("flow %q failed in execution %s: %s", begin.flow.Name(), run.ID, run.Finished.Error)
	}
	last := run.Last()
	if last == nil {
		return nil, nil
	}
	data, err := x.w.Blobs.Load(ctx, last.Output)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	val, err := value.Decode(x.secrets.under(x.w, run.ID).reveal(data))
	if text, isText := val.(string); isText && isJSON(last.ContentType) { // as who asks by HTTP reads it
		if read, bad := value.ParseJSON([]byte(text)); bad == nil {
			val = read
		}
	}
	return val, err
}

// apart returns a context that ends when ctx does, but without its reason: that its caller was canceled or has run
// out of time does not end the run that it called.
func apart(ctx context.Context) (context.Context, func()) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return own, func() { stop(); cancel() }
}
