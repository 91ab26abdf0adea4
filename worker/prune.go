package worker

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
)

const (
	pruneEvery  = time.Minute // between two looks for expired runs
	pruneBatch  = 256         // executions that are removed together
	pruneAtOnce = 16          // removals that may share one commit of the log
)

// pruner removes runs that ended longer ago than they are kept.
type pruner struct {
	w     *Worker
	clock *cautious
}

// run prunes again and again until ctx ends. Every process with an index does so: a stream that another one has
// removed is removed already.
func (p pruner) run(ctx context.Context) error {
	w := p.w
	if w.RunRetention <= 0 {
		return nil
	}
	select {
	case <-w.Runs.CaughtUp():
	case <-ctx.Done():
		return ctx.Err()
	}
	begin := time.Now()
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		n, err := p.once(ctx, time.Now(), time.Since(begin))
		if err != nil && ctx.Err() == nil {
			w.Logger.Warn("removing old executions failed; trying again", "error", err)
		} else if n > 0 {
			w.Logger.Info("removed old executions", "executions", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once removes the runs that are old by the cautious clock.
func (p pruner) once(ctx context.Context, wall time.Time, running time.Duration) (removed int, err error) {
	w, clock := p.w, p.clock
	if clock.trusted.IsZero() {
		if clock.trusted, err = w.Runs.Trusted(ctx); err != nil {
			return 0, err
		}
	}
	before := clock.ahead
	if clock.look(wall, running); clock.ahead > 0 && before == 0 {
		w.Logger.Warn("the clock is far ahead of all that is known of the time: old executions are removed later and little by little; set the clock right, or leave it if the server was stopped for so long",
			"clock", wall.UTC(), "known", clock.trusted.UTC(), "ahead", clock.ahead.Round(time.Second).String(),
			"removal_waits", clock.settle.String())
	}
	if err := w.Runs.Trust(ctx, clock.trusted); err != nil {
		return 0, err
	}
	return w.RemoveFinishedBefore(ctx, clock.trusted.Add(-w.RunRetention))
}

// RemoveFinishedBefore removes the executions that ended before a time, with everything that they left, and returns
// how many. The stream goes first: from then on nothing names the blobs. The index, which names the rest, goes
// last, so that what a crash leaves is found again.
func (w *Worker) RemoveFinishedBefore(ctx context.Context, before time.Time) (removed int, err error) {
	for {
		old, err := w.Runs.Expired(ctx, before, pruneBatch)
		if err != nil {
			return removed, err
		}
		if len(old) == 0 {
			break
		}
		if err := w.removeRuns(ctx, old); err != nil {
			return removed, err
		}
		if err := w.Runs.Forget(ctx, old); err != nil {
			return removed, err
		}
		removed += len(old)
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, w.Runs.GiveBack(ctx)
}

func (w *Worker) removeRuns(ctx context.Context, old []projections.Execution) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(pruneAtOnce)
	for _, e := range old {
		g.Go(func() error {
			if err := w.Log.Remove(ctx, domain.Runs.Stream(e.ID)); err != nil &&
				refusal.CodeOf(err) != refusal.NotFound {
				return err
			}
			return w.Blobs.DeleteAll(ctx, "run/"+e.ID+"/")
		})
	}
	return g.Wait()
}
