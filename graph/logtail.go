package graph

import (
	"context"

	"heddle/domain"
	"heddle/store"
)

// logTail feeds the log lines of an execution, or of all executions of an instance.
func (r *Resolver) logTail(ctx context.Context, execution, instance, argument *string) (<-chan *Edge[Log], error) {
	if (given(execution) == "") == (given(instance) == "") {
		return nil, domain.Refuse(domain.Invalid, "give either executionId or instanceId")
	}
	from, err := after(ctx, argument)
	if err != nil {
		return nil, err
	}
	if id := given(instance); id != "" {
		if _, ok := r.View.Instances.Get(principalOf(ctx).Organization, id); !ok {
			return nil, missing("instance")
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
func (r *Resolver) sendLines(ctx context.Context, h happened, from feedCursor, send func(Edge[Log]) bool) (more bool, err error) {
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

// followInstance reads the log of all runs and keeps to those of one instance. Which they are it
// learns from the first record of each.
func (r *Resolver) followInstance(ctx context.Context, instance string, from feedCursor, send func(Edge[Log]) bool) error {
	start := from.position
	if from.line > 0 {
		start-- // the rest of that record is still to be sent
	}
	runs := map[string]bool{} // whether they are the instance's
	for rec, err := range r.Log.Follow(ctx, start, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil {
			return err
		}
		if rec.Mark() {
			continue
		}
		mine, known := runs[rec.Stream]
		if !known {
			if mine, err = r.runsOn(ctx, rec.Stream, instance); err != nil {
				return err
			}
			if len(runs) >= maxFollowed {
				clear(runs)
			}
			runs[rec.Stream] = mine
		}
		if rec.Kind == "RunFinished" {
			delete(runs, rec.Stream)
		}
		if !mine {
			continue
		}
		h, err := happened{}.then(rec)
		if err != nil {
			return err
		}
		if more, err := r.sendLines(ctx, h, from, send); !more || err != nil {
			return err
		}
	}
	return nil
}

// maxFollowed is how many runs a feed remembers; of the others it asks again.
const maxFollowed = 10_000

// runsOn tells whether a run is of an instance. What was removed meanwhile is nobody's.
func (r *Resolver) runsOn(ctx context.Context, stream, instance string) (bool, error) {
	for rec, err := range r.Log.Read(ctx, stream, 0) {
		if domain.CodeOf(err) == domain.NotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		first, err := happened{}.then(rec)
		return first.run.Queued.Instance == instance, err
	}
	return false, nil
}
