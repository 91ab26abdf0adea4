package worker

import (
	"context"
	"time"

	"heddle/projections"
	"heddle/store"
)

// reoffer is how long an offer is trusted before it is made again: the queue may have been emptied.
const reoffer = 10 * time.Second

// enqueueTimeout is how long a Redis that is away holds up an offer, and with it the caller of a trigger.
const enqueueTimeout = 500 * time.Millisecond

// sweepPage is how many unfinished runs are looked at together.
const sweepPage = 500

// sweep offers every unfinished run that nobody works on, now and then for ever. It makes Redis
// disposable: whatever was in it is offered again.
func (w *Worker) sweep(ctx context.Context) error {
	select {
	case <-w.Runs.CaughtUp():
	case <-ctx.Done():
		return ctx.Err()
	}
	tick := time.NewTicker(w.Sweep)
	defer tick.Stop()
	for {
		if err := w.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			w.Logger.Warn("offering unfinished runs failed; trying again", "error", err)
		}
		select {
		case <-tick.C:
		case <-w.awake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake has the dispatcher look for runs now and not at the next tick only.
func (w *Worker) wake() {
	select {
	case w.awake <- struct{}{}:
	default: // it will
	}
}

func (w *Worker) sweepOnce(ctx context.Context) error {
	w.forgetOffers()
	var after store.Position
	for {
		page, err := w.Runs.Unfinished(ctx, after, sweepPage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := w.offer(ctx, e); err != nil {
				return err
			}
			after = e.Position
		}
		if len(page) < sweepPage {
			return nil
		}
	}
}

// offer puts a run into the queue unless it is there, is not due or somebody works on it.
func (w *Worker) offer(ctx context.Context, e projections.Execution) error {
	id := taskID(e.ID, e.Claims)
	w.mu.Lock()
	skip := w.running[e.ID] != nil || !w.offered[id].IsZero()
	w.mu.Unlock()
	if skip {
		return nil
	}
	for _, claim := range []int{e.Claims, e.Claims + 1} { // the next one may have begun and recorded nothing yet
		if _, alive, err := w.Live.Get(ctx, claimKey(e.ID, claim)); err != nil || alive {
			return err
		}
	}
	return w.enqueue(ctx, e.ID, e.Claims)
}

func (w *Worker) enqueue(ctx context.Context, run string, claims int) error {
	w.offeredUntil(run, claims, time.Now().Add(reoffer))
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	err := w.queue.enqueue(ctx, run, claims)
	if err != nil {
		w.offeredUntil(run, claims, time.Time{})
	}
	return err
}

// postpone keeps a run from being offered before it is due.
func (w *Worker) postpone(run string, n *notYet) { w.offeredUntil(run, n.claims, n.due) }

func (w *Worker) offeredUntil(run string, claims int, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.IsZero() {
		delete(w.offered, taskID(run, claims))
	} else {
		w.offered[taskID(run, claims)] = until
	}
}

func (w *Worker) forgetOffers() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for id, until := range w.offered {
		if now.After(until) {
			delete(w.offered, id)
		}
	}
}

// keepAlive renews the sign of life of every claim that this process holds.
func (w *Worker) keepAlive(ctx context.Context) error {
	tick := time.NewTicker(w.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		w.mu.Lock()
		var keys []string
		for key := range w.claims {
			keys = append(keys, key)
		}
		w.mu.Unlock()
		for _, key := range keys {
			if err := w.Live.Set(ctx, key, []byte(w.name), w.Lease); err != nil {
				w.Logger.Warn("renewing a claim failed", "error", err)
			}
		}
	}
}
