package graph

import (
	"context"
	"time"

	"heddle/app/access"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// logTail feeds the log lines of an execution, or of all executions of an instance.
func (r *Resolver) logTail(ctx context.Context, execution, instance, argument *string) (<-chan *Edge[Log], error) {
	if (deref(execution) == "") == (deref(instance) == "") {
		return nil, refusal.New(refusal.Invalid, "give either executionId or instanceId")
	}
	from, err := after(ctx, argument)
	if err != nil {
		return nil, err
	}
	if id := deref(instance); id != "" {
		if _, ok := r.View.Instances.Get(access.Of(ctx).Organization, id); !ok {
			return nil, refusal.Missing("instance")
		}
		if from.position == 0 {
			from.position = r.Runs.Seen()
		}
		return stream(ctx, func(ctx context.Context, send func(Edge[Log]) bool) error {
			return r.followInstance(ctx, id, from, send)
		}), nil
	}
	if err := r.hasExecution(ctx, *execution); err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, send func(Edge[Log]) bool) error {
		return r.followRun(ctx, *execution, func(h happened) (bool, error) { return r.sendLines(ctx, h, from, send) })
	}), nil
}

// sendLines sends those lines of a record that are behind a place.
func (r *Resolver) sendLines(ctx context.Context, h happened, from feedCursor,
	send func(Edge[Log]) bool) (more bool, err error) {
	if h.Position < from.position || (h.Position == from.position && from.line == 0) {
		return true, nil
	}
	lines, err := r.linesOf(ctx, h)
	if err != nil {
		return false, err
	}
	for i, l := range lines {
		c := feedCursor{h.Position, i + 1}
		if c.position == from.position && c.line <= from.line {
			continue
		}
		if !send(Edge[Log]{Node: l, Cursor: c.String()}) {
			return false, nil
		}
	}
	return true, nil
}

// followInstance reads the log of an instance's runs: first of those that the index says have gone on since the
// cursor, then of those that grow.
func (r *Resolver) followInstance(ctx context.Context, instance string, from feedCursor,
	send func(Edge[Log]) bool) (err error) {
	tail, stop := r.Runs.TailInstance(instance)
	defer stop()
	m := &mixing{log: r.Log, at: from.position, next: map[string]store.Revision{}}
	if from.line > 0 {
		m.at-- // the rest of that record is still to be sent
	}
	tell := func(h happened) (bool, error) { return r.sendLines(ctx, h, from, send) }
	to, lost := r.Runs.Seen(), true
	var grown []string
	for {
		var later *begun
		if lost { // or there is no knowing yet
			grown, to = nil, max(to, r.Runs.Seen())
			if later, err = r.since(ctx, instance, m.at, to); err != nil {
				return err
			}
		}
		if more, err := m.upTo(ctx, grown, later, to, tell); !more || err != nil {
			return err
		}
		select {
		case <-tail.Grown:
		case <-ctx.Done():
			return ctx.Err()
		}
		grown, to, lost = tail.Take()
	}
}

// clockSkew is more than the clocks of processes may differ by.
const clockSkew = time.Minute

// since returns the runs of an instance that may have records between two positions.
func (r *Resolver) since(ctx context.Context, instance string, at, to store.Position) (*begun, error) {
	if err := r.Runs.Wait(ctx, to); err != nil {
		return nil, err
	}
	then, err := r.timeOf(ctx, at, to)
	if err != nil || then.IsZero() {
		return nil, err
	}
	return &begun{find: func(after store.Position, limit int) ([]projections.Execution, error) {
		return r.Runs.EndedSince(ctx, instance, then.Add(-clockSkew), after, limit)
	}}, nil
}

// timeOf returns when what comes after a position began, the zero time when nothing does up to another one.
func (r *Resolver) timeOf(ctx context.Context, after, to store.Position) (time.Time, error) {
	if after >= to {
		return time.Time{}, nil
	}
	for rec, err := range store.Own(r.Log.Follow(ctx, after, store.Filter{})) {
		if err != nil || rec.Mark() || rec.Position > to {
			return time.Time{}, err
		}
		meta, err := store.MetaOf(rec)
		return meta.Time, err
	}
	return time.Time{}, ctx.Err()
}
