package worker

import (
	"context"
	"time"

	"heddle/store/live"
)

// announcePause is how long offers gather before other processes hear of the next ones.
const announcePause = 2 * time.Millisecond

// announceOffers tells other processes that something was offered, many offers at once where many are made.
// A process that does not hear of it looks by itself within the time that a dequeue is held.
func (d *dispatcher) announceOffers(ctx context.Context) error {
	if !d.w.queue.Shared() {
		return nil
	}
	for {
		select {
		case <-d.offers:
		case <-ctx.Done():
			return ctx.Err()
		}
		_ = d.w.Live.Publish(ctx, live.OfferTopic, []byte(d.w.name)) // a Redis that is away has lost the offer, too
		time.Sleep(announcePause)
	}
}

// hearOffers has this process look for runs that others have offered.
func (d *dispatcher) hearOffers(ctx context.Context) error {
	if !d.w.queue.Shared() {
		return nil
	}
	announced, stop := d.w.Live.Subscribe(live.OfferTopic)
	defer stop()
	for {
		select {
		case from := <-announced:
			if string(from) != d.w.name {
				d.w.queue.Look()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
