package worker

import (
	"context"
	"sync/atomic"
)

// maxQueued is how many runs wait in the queue. What comes in beyond that waits in the log, where it
// is safe anyway, and is offered by the sweep in its turn. The embedded Redis takes longer for each
// task the more of them wait.
const (
	maxQueued         = 4096
	maxQueuedEmbedded = 1024
)

// backlog knows whether the queue is full, as of the last sweep.
type backlog struct {
	most  int // runs that are to wait in the queue
	full  atomic.Bool
	taken atomic.Int64 // tasks that were taken here since

	waiting   atomic.Int64 // tasks in the queue, as of then
	reachable atomic.Bool  // whether Redis answered, then
}

// took tells of a task that was taken, and whether it is time to fill the queue again.
func (b *backlog) took() (refill bool) {
	return b.taken.Add(1) == int64(b.most/2) && b.full.Load()
}

// room tells how many more runs the queue may hold.
func (w *Worker) room(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	waiting, err := w.queue.Waiting(ctx)
	w.backlog.waiting.Store(int64(waiting))
	w.backlog.taken.Store(0)
	return w.backlog.most - waiting, err
}
