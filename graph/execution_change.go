package graph

import (
	"context"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/live"
)

// cancelExecution ends an execution and tells those who work on it or wait for it.
func (r *Resolver) cancelExecution(ctx context.Context, input CancelExecutionInput) (InstanceExecutionResult, error) {
	e, ok, err := r.execution(ctx, input.ID)
	if err != nil || !ok {
		return e, firstOf(err, refusal.Missing("execution"))
	}
	var ends bool
	run, position, err := store.Change(ctx, r.Log, domain.Runs, e.Execution.ID,
		func(run domain.Run) (domain.Changes[domain.Run], error) {
			changes, err := run.Cancel()
			ends = len(changes) > 0
			return changes, err
		})
	if err != nil {
		return e, err
	}
	if ends && r.OnCancel != nil {
		r.OnCancel(run.FinishedAt.Sub(run.QueuedAt))
	}
	for topic, message := range map[string]string{live.CancelTopic: run.ID, live.EndTopic(run.ID): ""} {
		if err := r.Live.Publish(ctx, topic, []byte(message)); err != nil {
			r.Logger.Warn("telling of a canceled execution failed; its worker finds out at its next record", "run",
				run.ID, "error", err)
		}
	}
	r.Runs.Settle(ctx, position)
	return InstanceExecutionResult{fromStream(run)}, nil
}

// replayExecution runs an execution's flow again, with its payload, in what is deployed now. The
// worker's sweep offers it.
func (r *Resolver) replayExecution(ctx context.Context, input ReplayExecutionInput) (InstanceExecutionResult, error) {
	e, ok, err := r.execution(ctx, input.ID)
	if err != nil || !ok {
		return e, firstOf(err, refusal.Missing("execution"))
	}
	old, _, err := store.Load(ctx, r.Log, domain.Runs, e.Execution.ID)
	if err != nil {
		return e, err
	}
	queued, err := r.replayed(ctx, old)
	if err != nil {
		return e, err
	}
	id := newID()
	data, err := r.Blobs.Load(ctx, old.Queued.Payload)
	if err != nil {
		return e, err
	}
	if queued.Payload, err = r.Blobs.Keep(ctx, "run/"+id+"/"+domain.DeriveID("payload"), data); err != nil {
		return e, err
	}
	run, position, err := store.Change(ctx, r.Log, domain.Runs, id,
		func(s domain.Run) (domain.Changes[domain.Run], error) { return s.Queue(queued) })
	if err != nil {
		return e, err
	}
	r.Runs.Settle(ctx, position)
	return InstanceExecutionResult{fromStream(run)}, nil
}

// replayed returns the event that queues the run again: in the version that is deployed now, if that has the flow.
func (r *Resolver) replayed(ctx context.Context, old domain.Run) (domain.RunQueued, error) {
	queued := old.Queued
	queued.ReplayOf, queued.Digest, queued.Synchronous, queued.InvokedBy, queued.Duplicate, queued.Answer = old.ID, "",
		false, nil, "", nil
	instance, ok := r.View.Instances.Get(old.Organization, queued.Instance)
	if why, runs := instance.Runs(); !ok || !runs {
		return queued, refusal.ForField(refusal.Invalid, "id", "nothing runs there: %s", why)
	}
	if instance.System {
		return queued, nil // a test of the draft is repeated as it was
	}
	i, err := r.integrationOf(instance, instance.Deployed)
	if err != nil {
		return queued, err
	}
	content, err := r.content(ctx, i)
	if err != nil {
		return queued, err
	}
	flow := content.Find(queued.Flow)
	if flow == nil {
		return queued, refusal.ForField(refusal.Invalid, "id", "the version that is deployed now has not the flow %q",
			queued.FlowName)
	}
	queued.Version, queued.Definition, queued.FlowName = i.version.ID, i.version.Definition, flow.Name()
	return queued, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
