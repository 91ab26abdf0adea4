package worker

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"heddle/store/live"
	"heddle/worker/queue"
	"heddle/worker/queue/redistest"
)

// What one process offers on a Redis that it shares opens the gate of another's dequeues, and not its own.
func TestOffersAreHeardElsewhere(t *testing.T) {
	messages := live.NewMemory()
	open := func(name string) *Worker {
		q := openQueue(t, "redis://127.0.0.1:1") // nothing connects to it
		t.Cleanup(q.Close)
		w := &Worker{Live: messages, name: name}
		w.use(q, maxQueued)
		return w
	}
	one, other := open("one"), open("other")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard, stop := messages.Subscribe(live.OfferTopic)
	defer stop()
	var loops sync.WaitGroup
	loops.Go(func() { _ = one.dispatcher.hearOffers(ctx) })
	loops.Go(func() { _ = other.dispatcher.hearOffers(ctx) })
	loops.Go(func() { _ = one.dispatcher.announceOffers(ctx) })
	for told := false; !told; { // until the other listens
		one.dispatcher.offers <- struct{}{}
		<-heard
		select {
		case <-other.queue.Woken():
			told = true
		default:
		}
	}
	for range queue.Lookers - 1 {
		<-other.queue.Woken()
	}
	cancel()
	loops.Wait()
	if n := len(one.queue.Woken()); n != 0 {
		t.Errorf("%d of its own offers are looked for twice", n)
	}
	alone := &Worker{}
	alone.use(openQueue(t, "embedded"), maxQueuedEmbedded)
	defer alone.queue.Close()
	if err := alone.dispatcher.announceOffers(t.Context()); err != nil {
		t.Error(err)
	}
	if err := alone.dispatcher.hearOffers(t.Context()); err != nil {
		t.Error(err)
	}
}

// A process that executes nothing leaves what it accepts, and what its flows' policies admit, to others.
func TestAcceptsOnly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, redis *redistest.Server) {
		h := newHarness(t)
		h.Redis, h.AcceptsOnly = redis.Address, true
		_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", "")),
			flow("Queued", "    queueConfig: {usesFifoQueue: true}\n", "", step("two", "effect", ""))))
		h.start()
		client := h.queue.NewClient()
		defer func() { _ = client.Close() }()
		for i, name := range []string{"Main", "Queued", "Queued"} {
			h.post(urls[name], "", "")
			for want := int64(min(i+1, 2)); client.LLen(t.Context(), "asynq:{"+queue.Name+"}:pending").Val() != want; {
				if t.Context().Err() != nil {
					t.Fatalf("%d runs are not offered", want)
				}
			}
		}
		if h.probe.count("one")+h.probe.count("two") != 0 {
			t.Error("it executes")
		}
	})
}

func openQueue(t *testing.T, address string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(address, 4, 100*time.Millisecond, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}
