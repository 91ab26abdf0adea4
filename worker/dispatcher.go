package worker

import (
	"context"
	"time"

	"heddle/domain"
	"heddle/projections"
	"heddle/store"
	"heddle/store/live"
	"heddle/worker/queue"
)

// reoffer is how long an offer is trusted before it is made again: the queue may have been emptied.
const reoffer = 10 * time.Second

// enqueueTimeout is how long a Redis that is away holds up an offer, and with it the caller of a trigger.
const enqueueTimeout = 500 * time.Millisecond

// sweepPage is how many unfinished runs are looked at together.
const sweepPage = 500

// sweep offers every unfinished run that nobody works on, now and then for ever. It makes Redis
// disposable: whatever was in it is offered again. A process that executes nothing looks only at the
// flows for which it has accepted runs.
func (w *Worker) sweep(ctx context.Context) error {
	select {
	case <-w.Runs.CaughtUp():
	case <-ctx.Done():
		return ctx.Err()
	}
	tick := time.NewTicker(w.Sweep)
	defer tick.Stop()
	all := make(chan struct{}, 1) // the first time at once
	all <- struct{}{}
	for {
		var err error
		select {
		case <-all:
			err = w.sweepOnce(ctx)
		case <-tick.C:
			err = w.sweepOnce(ctx)
		case <-w.awake:
			err = w.admitWoken(ctx)
		case <-w.drained:
			err = w.sweepOnce(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil && ctx.Err() == nil {
			w.Logger.Warn("offering unfinished runs failed; trying again", "error", err)
		}
	}
}

func (w *Worker) sweepOnce(ctx context.Context) error {
	w.forgetOffers()
	room, err := w.room(ctx)
	w.backlog.reachable.Store(err == nil)
	if err != nil {
		return err
	}
	if w.AcceptsOnly {
		w.backlog.full.Store(room <= 0)
		return nil
	}
	policies := map[queueKey]*policy{} // of flows that this sweep has met; nil for one that can't be read
	var after store.Position
	for {
		page, err := w.Runs.Unfinished(ctx, after, sweepPage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if room <= 0 {
				w.backlog.full.Store(true)
				return nil
			}
			made, err := w.sweepRun(ctx, policies, e)
			if err != nil {
				return err
			}
			if after = e.Position; made {
				room--
			}
		}
		if len(page) < sweepPage {
			w.backlog.full.Store(false)
			return nil
		}
	}
}

// sweepRun offers a run, or, if its flow has a policy, those of its runs that may go on. A policy that
// can't be read keeps the runs waiting: none could be executed without the definition that holds it.
// made tells of a run that is new in the queue.
func (w *Worker) sweepRun(ctx context.Context, policies map[queueKey]*policy, e projections.Execution) (made bool, err error) {
	key := queueKey{e.Instance, e.Flow}
	p, met := policies[key]
	if !met {
		read, err := w.policyFor(ctx, e)
		if err != nil {
			w.Logger.Warn("reading a flow's queueConfig failed; its runs wait", "instance", e.Instance, "error", err)
			policies[key] = nil
			return false, ctx.Err()
		}
		p = &read
		policies[key] = p
		if !p.all() {
			return false, w.admit(ctx, key, *p, 0)
		}
	}
	if p == nil || !p.all() {
		return false, nil
	}
	return w.offer(ctx, e)
}

// offer puts a run into the queue unless it is there, is not due or somebody works on it.
func (w *Worker) offer(ctx context.Context, e projections.Execution) (made bool, err error) {
	id := queue.TaskID(e.ID, e.Claims)
	w.mu.Lock()
	skip := w.running[e.ID] != nil || !w.offered[id].until.IsZero()
	w.mu.Unlock()
	if skip {
		return false, nil
	}
	for _, claim := range []int{e.Claims, e.Claims + 1} { // the next one may have begun and recorded nothing yet
		if _, alive, err := w.Live.Get(ctx, claimKey(e.ID, claim)); err != nil || alive {
			return false, err
		}
	}
	return true, w.enqueue(ctx, e.ID, e.Claims, accepted{})
}

// offered is what a process remembers of a run that needs no new offer.
type offered struct {
	until time.Time // it is in the queue, or not due
	accepted
}

// accepted is a run as this process accepted it, so that its worker need not read it again.
type accepted struct {
	handle   *store.Handle[domain.Run] // as the run stood then
	delivery map[string]any            // what it was started with; nil where that is to be read
}

// enqueue offers a run. What this process has of it is handed to the worker of it that takes the run.
func (w *Worker) enqueue(ctx context.Context, run string, claims int, a accepted) error {
	id := queue.TaskID(run, claims)
	w.remember(id, offered{time.Now().Add(reoffer), a})
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	err := w.queue.Enqueue(ctx, id)
	if err != nil {
		w.remember(id, offered{})
		return err
	}
	select {
	case w.offers <- struct{}{}:
	default: // it will be told
	}
	return nil
}

// tellPause is how long offers gather before other processes hear of the next ones.
const tellPause = 2 * time.Millisecond

// tellOffers tells other processes that something was offered, many offers at once where many are made.
// Should one not hear of it, it looks by itself within the time that a dequeue is held.
func (w *Worker) tellOffers(ctx context.Context) error {
	if !w.queue.Shared() {
		return nil
	}
	for {
		select {
		case <-w.offers:
		case <-ctx.Done():
			return ctx.Err()
		}
		_ = w.Live.Publish(ctx, live.OfferTopic, []byte(w.name)) // a Redis that is away has lost the offer, too
		time.Sleep(tellPause)
	}
}

// hearOffers has this process look for what others have offered.
func (w *Worker) hearOffers(ctx context.Context) error {
	if !w.queue.Shared() {
		return nil
	}
	told, stop := w.Live.Subscribe(live.OfferTopic)
	defer stop()
	for {
		select {
		case from := <-told:
			if string(from) != w.name {
				w.queue.Look()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// postpone keeps a run from being offered before it is due.
func (w *Worker) postpone(run string, n *notYet) {
	w.remember(queue.TaskID(run, n.claims), offered{until: n.due})
}

func (w *Worker) remember(task string, o offered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.until.IsZero() {
		delete(w.offered, task)
	} else {
		w.offered[task] = o
	}
}

// open gives a run that this process accepted as it was then, and any other as it is. What is not
// the newest is found out by the first record.
func (w *Worker) open(ctx context.Context, run string, claims int) (a accepted, err error) {
	task := queue.TaskID(run, claims)
	w.mu.Lock()
	o := w.offered[task]
	if o.handle != nil {
		w.offered[task] = offered{until: o.until} // a handle is for one
	}
	w.mu.Unlock()
	if o.handle != nil {
		return o.accepted, nil
	}
	a.handle, err = store.Open(ctx, w.Log, domain.Runs, run)
	return a, err
}

// offerAgain has the dispatcher offer all that nobody works on, because the queue was emptied.
func (w *Worker) offerAgain() {
	w.mu.Lock()
	for task, o := range w.offered {
		if time.Until(o.until) <= reoffer { // what is not due by then is in no queue
			delete(w.offered, task)
		}
	}
	w.mu.Unlock()
	select {
	case w.drained <- struct{}{}:
	default: // it is told
	}
}

func (w *Worker) forgetOffers() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for task, o := range w.offered {
		if now.After(o.until) {
			delete(w.offered, task)
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
			w.showLife(ctx, key)
		}
	}
}
