package worker

import (
	"context"
	"sync"
	"time"

	"heddle/component"
	"heddle/domain"
	"heddle/projections"
	"heddle/store"
	"heddle/worker/queue"
)

// reoffer is how long an offer is trusted before it is made again: the queue may have been emptied.
const reoffer = 10 * time.Second

// enqueueTimeout is how long a Redis that is away holds up an offer, and with it the caller of a trigger.
const enqueueTimeout = 500 * time.Millisecond

// sweepPage is how many unfinished runs are looked at together.
const sweepPage = 500

// dispatcher offers runs to the workers, through the queue, and remembers which of them need no new offer.
type dispatcher struct {
	w       *Worker
	backlog backlog
	drained chan struct{} // one slot: the queue has room again
	awake   chan struct{} // one slot: the dispatcher is to look now
	offers  chan struct{} // one slot: other processes are to hear that something was offered

	mu      sync.Mutex
	offered map[string]offered // by task
	woken   map[queueKey]woken // flows to look at
}

// open readies the dispatcher for a queue that holds at most so many runs.
func (d *dispatcher) open(w *Worker, most int) {
	d.w, d.backlog.most = w, most
	d.offered, d.woken = map[string]offered{}, map[queueKey]woken{}
	d.drained, d.awake, d.offers = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
}

// signal fills a channel's one slot. If it is full, the receiver is going to look anyway.
func signal(slot chan<- struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

// sweep offers every unfinished run that nobody works on, again and again until ctx ends. It makes Redis
// disposable: whatever was in it is offered again. A process that executes nothing looks only at the
// flows for which it has accepted runs.
func (d *dispatcher) sweep(ctx context.Context) error {
	select {
	case <-d.w.Runs.CaughtUp():
	case <-ctx.Done():
		return ctx.Err()
	}
	tick := time.NewTicker(d.w.Sweep)
	defer tick.Stop()
	all := make(chan struct{}, 1) // the first time at once
	all <- struct{}{}
	for {
		var err error
		select {
		case <-all:
			err = d.sweepOnce(ctx)
		case <-tick.C:
			err = d.sweepOnce(ctx)
		case <-d.awake:
			err = d.admitWoken(ctx)
		case <-d.drained:
			err = d.sweepOnce(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil && ctx.Err() == nil {
			d.w.Logger.Warn("offering unfinished runs failed; trying again", "error", err)
		}
	}
}

func (d *dispatcher) sweepOnce(ctx context.Context) error {
	d.forgetOffers()
	room, err := d.room(ctx)
	d.backlog.reachable.Store(err == nil)
	if err != nil {
		return err
	}
	if d.w.AcceptsOnly {
		d.backlog.full.Store(room <= 0)
		return nil
	}
	policies := map[queueKey]*queuePolicy{} // of flows that this sweep has met; nil for one that can't be read
	var after store.Position
	for {
		page, err := d.w.Runs.Unfinished(ctx, after, sweepPage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if room <= 0 {
				d.backlog.full.Store(true)
				return nil
			}
			made, err := d.sweepRun(ctx, policies, e)
			if err != nil {
				return err
			}
			if after = e.Position; made {
				room--
			}
		}
		if len(page) < sweepPage {
			d.backlog.full.Store(false)
			return nil
		}
	}
}

// sweepRun offers a run, or, if its flow has a policy, those of its runs that may go on. A policy that
// can't be read keeps the runs waiting: none could be executed without the definition that holds it.
// made reports whether the run is new in the queue.
func (d *dispatcher) sweepRun(ctx context.Context, policies map[queueKey]*queuePolicy, e projections.Execution,
) (made bool, err error) {
	key := queueKey{e.Instance, e.Flow}
	p, met := policies[key]
	if !met {
		read, err := d.policyFor(ctx, e)
		if err != nil {
			d.w.Logger.Warn("reading a flow's queueConfig failed; its runs wait", "instance", e.Instance, "error", err)
			policies[key] = nil
			return false, ctx.Err()
		}
		p = &read
		policies[key] = p
		if !p.all() {
			return false, d.admit(ctx, key, *p, 0)
		}
	}
	if p == nil || !p.all() {
		return false, nil
	}
	return d.offer(ctx, e)
}

// offer puts a run into the queue unless it is there, is not due or somebody works on it.
func (d *dispatcher) offer(ctx context.Context, e projections.Execution) (made bool, err error) {
	if d.w.claims.busy(e.ID) || d.isOffered(queue.TaskID(e.ID, e.Claims)) {
		return false, nil
	}
	for _, claim := range []int{e.Claims, e.Claims + 1} { // the next one may have begun and recorded nothing yet
		if _, alive, err := d.w.Live.Get(ctx, claimKey(e.ID, claim)); err != nil || alive {
			return false, err
		}
	}
	return true, d.enqueue(ctx, e.ID, e.Claims, accepted{})
}

// offered is a run that this process need not offer again.
type offered struct {
	until time.Time // it is in the queue, or not due
	accepted
}

// accepted is a run as this process accepted it, so that its worker need not read it again.
type accepted struct {
	handle   *store.Handle[domain.Run] // as the run stood then
	delivery *component.Delivery       // what it was started with; nil where that is to be read
}

// enqueue offers a run. The state that this process has of it is handed to its own worker if that takes the run.
func (d *dispatcher) enqueue(ctx context.Context, run string, claims int, a accepted) error {
	id := queue.TaskID(run, claims)
	d.remember(id, offered{time.Now().Add(reoffer), a})
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	err := d.w.queue.Enqueue(ctx, id)
	if err != nil {
		d.remember(id, offered{})
		return err
	}
	signal(d.offers)
	return nil
}

// postpone keeps a run from being offered before it is due.
func (d *dispatcher) postpone(run string, n *postponed) {
	d.remember(queue.TaskID(run, n.claims), offered{until: n.due})
}

func (d *dispatcher) isOffered(task string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.offered[task].until.IsZero()
}

// remember keeps an offer; the zero offer forgets it.
func (d *dispatcher) remember(task string, o offered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.until.IsZero() {
		delete(d.offered, task)
	} else {
		d.offered[task] = o
	}
}

// take returns what this process has of a run that it accepted, to one caller: a handle is for one.
func (d *dispatcher) take(run string, claims int) (a accepted, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	task := queue.TaskID(run, claims)
	o := d.offered[task]
	if o.handle == nil {
		return accepted{}, false
	}
	d.offered[task] = offered{until: o.until}
	return o.accepted, true
}

// offerAgain has the dispatcher offer every run that nobody works on, because the queue was emptied.
func (d *dispatcher) offerAgain() {
	d.mu.Lock()
	for task, o := range d.offered {
		if time.Until(o.until) <= reoffer { // what is not due by then is in no queue
			delete(d.offered, task)
		}
	}
	d.mu.Unlock()
	signal(d.drained)
}

func (d *dispatcher) forgetOffers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for task, o := range d.offered {
		if now.After(o.until) {
			delete(d.offered, task)
		}
	}
}
