package worker

import (
	"context"
	"sync"
	"testing"

	"heddle/store/live"
)

// What one process offers on a Redis that it shares opens the gate of another's dequeues, and not its own.
func TestOffersAreHeardElsewhere(t *testing.T) {
	messages := live.NewMemory()
	open := func(name string) *Worker {
		q := testQueue(t, "redis://127.0.0.1:1") // nothing connects to it
		t.Cleanup(q.close)
		return &Worker{Live: messages, name: name, queue: q, offers: make(chan struct{}, 1)}
	}
	one, other := open("one"), open("other")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard, stop := messages.Subscribe(live.OfferTopic)
	defer stop()
	var loops sync.WaitGroup
	loops.Go(func() { _ = one.hearOffers(ctx) })
	loops.Go(func() { _ = other.hearOffers(ctx) })
	loops.Go(func() { _ = one.tellOffers(ctx) })
	for told := false; !told; { // until the other listens
		one.offers <- struct{}{}
		<-heard
		select {
		case <-other.queue.conn.gate.offers:
			told = true
		default:
		}
	}
	for range lookers - 1 {
		<-other.queue.conn.gate.offers
	}
	cancel()
	loops.Wait()
	if n := len(one.queue.conn.gate.offers); n != 0 {
		t.Errorf("%d of its own offers are looked for twice", n)
	}
	alone := &Worker{queue: testQueue(t, "embedded")}
	defer alone.queue.close()
	if err := alone.tellOffers(t.Context()); err != nil {
		t.Error(err)
	}
	if err := alone.hearOffers(t.Context()); err != nil {
		t.Error(err)
	}
}

// A process that executes nothing leaves what it accepts, and what its flows' policies admit, to others.
func TestAcceptsOnly(t *testing.T) {
	eachRedis(t, func(t *testing.T, redis *testRedis) {
		h := newHouse(t)
		h.Redis, h.AcceptsOnly = redis.address, true
		_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", "")),
			flow("Queued", "    queueConfig: {usesFifoQueue: true}\n", "", step("two", "effect", ""))))
		h.start()
		client := h.queue.conn.make()
		defer func() { _ = client.Close() }()
		for i, name := range []string{"Main", "Queued", "Queued"} {
			h.post(urls[name], "", "")
			for want := int64(min(i+1, 2)); client.LLen(t.Context(), "asynq:{"+queueName+"}:pending").Val() != want; {
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
