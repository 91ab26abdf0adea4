package worker

import (
	"context"
	"fmt"

	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/projections"
	"heddle/store"
	"heddle/worker/expression"
)

// queuePolicy decides which runs of a flow in an instance may go on, by the flow's queueConfig. The zero policy
// admits all.
type queuePolicy struct {
	limit     int            // runs under way at once, 0 for any number
	singleton bool           // a run that finds another is dropped
	duplicate map[string]any // the input whose value no two waiting runs may have; nil for none
}

// waitingMost is how many waiting runs of a flow are compared with each other.
const waitingMost = 1000

func policyOf(flow *definition.Part) queuePolicy {
	config := flow.Map("queueConfig")
	var p queuePolicy
	fifo, _ := config["usesFifoQueue"].(bool)
	if p.limit = min(wholeNumber(config["concurrencyLimit"]), definition.MaxConcurrencyLimit); p.limit == 0 && fifo {
		p.limit = 1
	}
	if p.singleton, _ = config["singletonExecutions"].(bool); p.singleton {
		p.limit = 1
	}
	p.duplicate, _ = config["dedupeIdField"].(map[string]any)
	return p
}

func (p queuePolicy) all() bool { return p.limit == 0 && p.duplicate == nil }

// unfinished is a run as a policy sees it.
type unfinished struct {
	run       string
	began     bool
	duplicate string
}

// admit decides which unfinished runs of one flow, the oldest first, may go on and which are dropped.
func (p queuePolicy) admit(runs []unfinished) (admitted, dropped []string) {
	seen := map[string]bool{}
	for _, r := range runs {
		twice := r.duplicate != "" && seen[r.duplicate]
		switch {
		case !r.began && (twice || p.singleton && len(admitted) > 0):
			dropped = append(dropped, r.run)
			continue
		case r.began || p.limit == 0 || len(admitted) < p.limit:
			admitted = append(admitted, r.run)
		}
		seen[r.duplicate] = true
	}
	return admitted, dropped
}

// queueKey identifies the queue of a policy: a flow in an instance.
type queueKey struct{ instance, flow string }

// policyFor returns the policy of a run's flow as it is deployed now, since a queue may hold runs of several
// versions; if the flow is no longer deployed, as the run's version has it. Test runs have none.
func (d *dispatcher) policyFor(ctx context.Context, e projections.Execution) (queuePolicy, error) {
	if e.Version == "" {
		return queuePolicy{}, nil
	}
	instance, _ := d.w.View.Instances.Get(e.Organization, e.Instance)
	integration, _ := d.w.View.Integrations.Get(e.Organization, e.Integration)
	for _, id := range []string{instance.Deployed, e.Version} {
		version, ok := integration.Version(id)
		if !ok {
			continue
		}
		definition, err := d.w.Definitions.Get(ctx, e.Organization, version.Definition)
		if err != nil {
			return queuePolicy{}, err
		}
		if flow := definition.Flow(e.Flow); flow != nil {
			return policyOf(flow), nil
		}
	}
	return queuePolicy{}, nil // the run will say so
}

// admit offers the runs of a flow that its policy admits, as of a position, and drops duplicates.
func (d *dispatcher) admit(ctx context.Context, key queueKey, p queuePolicy, asOf store.Position) error {
	page, err := d.w.Runs.UnfinishedOf(ctx, key.instance, key.flow, asOf, waitingMost)
	if err != nil {
		return err
	}
	byID := make(map[string]projections.Execution, len(page))
	runs := make([]unfinished, len(page))
	for i, e := range page {
		byID[e.ID] = e
		runs[i] = unfinished{run: e.ID, began: e.Claims > 0}
		if p.duplicate != nil {
			if runs[i].duplicate, err = duplicateOf(ctx, d.w.Log, e.ID); err != nil {
				return err
			}
		}
	}
	admitted, dropped := p.admit(runs)
	for _, run := range dropped {
		if err := d.w.changeWhileRunning(ctx, byID[run], domain.Run.Drop); err != nil {
			return err
		}
	}
	for _, run := range admitted {
		if _, err := d.offer(ctx, byID[run]); err != nil {
			return err
		}
	}
	return nil
}

// duplicateOf returns the value by which a run is another's duplicate. Only the stream's first record is read: a run
// that has begun may be long.
func duplicateOf(ctx context.Context, log store.Log, run string) (string, error) {
	for rec, err := range log.Read(ctx, domain.Runs.Stream(run), 0) {
		if err != nil {
			return "", err
		}
		event, err := domain.Runs.Decode(rec.Kind, rec.Data)
		if err != nil {
			return "", err
		}
		if queued, is := event.(domain.RunQueued); is {
			return queued.Duplicate, nil
		}
	}
	return "", nil
}

// wakeNext has the dispatcher look for the next run of a flow when one has left its queue. If that fails, the sweep
// does it.
func (x *attempt) wakeNext(ctx context.Context) {
	if x.flow == nil || policyOf(x.flow).all() {
		return
	}
	of := x.run.Queued
	p, err := x.w.dispatcher.policyFor(ctx, projections.Execution{Organization: x.run.Organization,
		Instance: of.Instance, Integration: of.Integration, Version: of.Version, Flow: of.Flow})
	if err == nil && !p.all() {
		x.w.dispatcher.wake(queueKey{of.Instance, of.Flow}, p, x.handle.Position())
	}
}

// wake has the dispatcher look at a flow now instead of at the next tick.
func (d *dispatcher) wake(key queueKey, p queuePolicy, asOf store.Position) {
	d.mu.Lock()
	d.woken[key] = woken{p, max(asOf, d.woken[key].asOf)}
	d.mu.Unlock()
	signal(d.awake)
}

// woken is a flow's policy, and the position from which the dispatcher looks at its runs.
type woken struct {
	policy queuePolicy
	asOf   store.Position
}

func (d *dispatcher) admitWoken(ctx context.Context) error {
	d.mu.Lock()
	all := d.woken
	d.woken = map[queueKey]woken{}
	d.mu.Unlock()
	for key, k := range all {
		if err := d.admit(ctx, key, k.policy, k.asOf); err != nil {
			return err
		}
	}
	return nil
}

// fromTrigger resolves an input against the trigger's result; an unresolvable one is "": the run itself reports it.
func (f preflight) fromTrigger(ctx context.Context, input map[string]any, first performed) string {
	if input == nil {
		return ""
	}
	result := first.result
	if !first.asked {
		var err error
		if result, err = f.w.receive(ctx, f.run, f.start.delivery, true); err != nil {
			return ""
		}
	}
	scope := expression.NewScope(nil)
	scope.Set(definition.Identifier(f.start.flow.Trigger().Name()), result.Data)
	val, err := expression.Resolve(input, scope)
	if err != nil || val == nil || val == "" {
		return ""
	}
	return fmt.Sprintf("%.200s", value.Text(val))
}
