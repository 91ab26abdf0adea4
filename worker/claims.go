package worker

import (
	"context"
	"sync"
	"time"

	"heddle/store/live"
	"heddle/worker/queue"
)

// claims are the runs that this process executes, and the signs of life of its claims on them: keys in Live that
// expire after the lease unless they are renewed. They keep other processes from offering the runs.
type claims struct {
	w *Worker

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by run: interrupts the work on it
	held    map[string]bool                    // by claim key: whether its sign of life has been shown
}

func (c *claims) open(w *Worker) {
	c.w, c.running, c.held = w, map[string]context.CancelCauseFunc{}, map[string]bool{}
}

// claimKey names the sign of life of a claim.
func claimKey(run string, claim int) string { return "claim/" + queue.TaskID(run, claim) }

// occupy reports whether the run is now this caller's: at most one in a process executes it.
func (c *claims) occupy(run string, cancel context.CancelCauseFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[run] != nil {
		return false
	}
	c.running[run] = cancel
	return true
}

// busy reports whether this process executes the run.
func (c *claims) busy(run string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[run] != nil
}

// count returns how many runs this process executes.
func (c *claims) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.running)
}

// hold begins a claim, whose sign of life is not shown yet.
func (c *claims) hold(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[key] = false
}

// release ends the work on a run and the claim on it.
func (c *claims) release(run string, claim int) {
	key := claimKey(run, claim)
	c.mu.Lock()
	shown := c.held[key]
	delete(c.running, run)
	delete(c.held, key)
	c.mu.Unlock()
	if shown {
		_ = c.w.Live.Delete(context.Background(), key) // else it expires
	}
}

// showLife shows the sign of life of a claim that is held. That is needed from when the claim is recorded,
// since others may then offer the run under the next one; until then the queue refuses the task, which it
// holds already. So a run that ends at once needs none.
func (c *claims) showLife(ctx context.Context, key string) {
	c.mu.Lock()
	_, held := c.held[key]
	if held {
		c.held[key] = true
	}
	c.mu.Unlock()
	if !held {
		return
	}
	if err := c.w.Live.Set(ctx, key, []byte(c.w.name), c.w.Lease); err != nil {
		c.w.Logger.Warn("showing a claim's sign of life failed", "claim", key, "error", err)
	}
}

// keepAlive renews the signs of life of all claims that this process holds, until ctx ends.
func (c *claims) keepAlive(ctx context.Context) error {
	tick := time.NewTicker(c.w.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
		var keys []string
		for key := range c.held {
			keys = append(keys, key)
		}
		c.mu.Unlock()
		for _, key := range keys {
			c.showLife(ctx, key)
		}
	}
}

// interrupt ends the work on runs that were canceled, until ctx ends. Should it miss one, the run's next record
// is refused all the same.
func (c *claims) interrupt(ctx context.Context) error {
	canceled, stop := c.w.Live.Subscribe(live.CancelTopic)
	defer stop()
	for {
		select {
		case run := <-canceled:
			c.mu.Lock()
			if cancel := c.running[string(run)]; cancel != nil {
				cancel(errCanceled)
			}
			c.mu.Unlock()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
