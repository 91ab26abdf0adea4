package worker

import (
	"context"
	"sync/atomic"
)

// maxQueued is how many runs wait in the queue. Further runs wait in the log, where they are safe anyway, until the
// sweep offers them. The embedded Redis takes longer for each task the more of them wait.
const (
	maxQueued         = 4096
	maxQueuedEmbedded = 1024
)

// backlog is the state of the queue as of the last sweep.
type backlog struct {
	most  int // runs that may wait in the queue
	full  atomic.Bool
	taken atomic.Int64 // tasks that were taken here since

	waiting   atomic.Int64 // tasks in the queue, as of then
	reachable atomic.Bool  // whether Redis answered, then
}

// took counts a task that was taken and reports whether to refill the queue.
func (b *backlog) took() (refill bool) {
	return b.taken.Add(1) == int64(b.most/2) && b.full.Load()
}

// room returns how many more runs the queue may hold.
func (d *dispatcher) room(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	waiting, err := d.w.queue.Waiting(ctx)
	d.backlog.waiting.Store(int64(waiting))
	d.backlog.taken.Store(0)
	return d.backlog.most - waiting, err
}
