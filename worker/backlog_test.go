package worker

import (
	"testing"

	"heddle/domain"
	"heddle/store"
)

// More runs than the queue takes wait in the log, and all of them are done.
func TestBacklog(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", "")))
	h.queueOnly(urls["Main"]) // makes a queue; no worker takes from it
	const more = 200
	for range maxQueuedEmbedded + more - 1 {
		h.post(urls["Main"], "", "")
	}
	offers := func() int {
		waiting, err := h.queue.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return waiting
	}
	if n := offers(); n != maxQueuedEmbedded+more {
		t.Fatalf("%d runs wait in the queue", n)
	}
	for record, err := range h.Log.Follow(t.Context(), 0, store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Mark() { // the end of the log
			if err := h.Runs.Wait(t.Context(), record.Position); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if err := h.dispatcher.sweepOnce(t.Context()); err != nil || !h.dispatcher.backlog.full.Load() {
		t.Fatalf("the queue is not seen as full, %v", err)
	}
	h.post(urls["Main"], "", "")
	if n := offers(); n != maxQueuedEmbedded+more {
		t.Errorf("%d runs wait in a full queue", n)
	}
	again := h.again()
	again.start() // with a queue of its own, which is empty
	for done := 0; done < maxQueuedEmbedded+more+1; {
		done = 0
		for record, err := range h.Log.Follow(h.ctx, 0, store.Filter{Categories: []string{domain.Runs.Name}}) {
			if err != nil {
				t.Fatal(err)
			}
			if record.Kind == "RunFinished" {
				done++
			}
			if record.Mark() || done == maxQueuedEmbedded+more+1 {
				break
			}
		}
	}
}
