package worker

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"heddle/domain"
	"heddle/worker/queue/redistest"
)

// lose empties the Redis that a worker uses.
func lose(t *testing.T, w *Worker) {
	client := w.queue.NewClient()
	defer func() { _ = client.Close() }()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// Redis may be emptied at any time: every run still ends, and each step that reached outside was done once.
func TestRedisFlushed(t *testing.T) { redistest.Each(t, testRedisFlushed) }

func testRedisFlushed(t *testing.T, redis *redistest.Server) {
	h := newHarness(t)
	h.Redis, h.Lease = redis.Address, 300*time.Millisecond
	_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", "")+step("two", "effect", ""))))
	h.start()
	const runs = 100
	stop, flushing := make(chan struct{}), sync.WaitGroup{}
	flushing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				lose(t, h.Worker)
			}
		}
	})
	var started []string
	for range runs {
		started = append(started, h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	}
	close(stop)
	flushing.Wait()
	h.forgetAllOffers()
	for _, run := range started {
		if r := h.ended(run); r.Finished.Result != domain.Completed || paths(r) != "hook one two" {
			t.Errorf("ended %+v after %s", r.Finished, paths(r))
		}
	}
	if one, two := h.probe.count("one"), h.probe.count("two"); one != runs || two != runs {
		t.Errorf("done %d and %d times", one, two)
	}
}

// forgetAllOffers spares a test the time that an offer is trusted.
func (h *harness) forgetAllOffers() {
	h.dispatcher.mu.Lock()
	defer h.dispatcher.mu.Unlock()
	clear(h.dispatcher.offered)
}

// A real server that is killed and comes back empty, and one that is away for a while.
func TestRedisKilled(t *testing.T) {
	redistest.Each(t, func(t *testing.T, redis *redistest.Server) {
		if redis.Embedded() {
			t.Skip("the embedded Redis ends with its process only; cmd/heddle kills that")
		}
		h := newHarness(t)
		h.Redis = redis.Address
		_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", ""))))
		h.start()
		var started []string
		for range 3 {
			for range 10 {
				started = append(started, h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
			}
			redis.Kill()
			for range 5 {
				started = append(started, h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
			}
			redis.Start()
		}
		h.forgetAllOffers()
		for _, run := range started {
			if r := h.ended(run); r.Finished.Result != domain.Completed {
				t.Errorf("ended %+v", r.Finished)
			}
		}
		if n := h.probe.count("one"); n != len(started) {
			t.Errorf("done %d times, want %d", n, len(started))
		}
	})
}

// The embedded Redis is replaced by an empty one: what it held is offered again, and it goes on.
func TestEmbeddedReplaced(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", step("one", "effect", ""))))
	h.start()
	client := h.queue.NewClient()
	defer func() { _ = client.Close() }()
	for i := range 5 {
		if err := client.Set(t.Context(), "mark", i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		h.queue.Replace()
		if n, err := client.Exists(t.Context(), "mark").Result(); n != 0 || err != nil {
			t.Fatalf("the server is not another one: %d, %v", n, err)
		}
		if a := h.post(urls["Main"], "", ""); a.Code != 200 {
			t.Errorf("after replacement %d answered %d %s", i, a.Code, a.Body)
		}
	}
	if got := fmt.Sprint(h.probe.count("one")); got != "5" {
		t.Errorf("done %s times", got)
	}
}

// What the embedded Redis held when it was replaced is offered at once, not when the offers have grown old.
func TestEmbeddedReplacedOffersAgain(t *testing.T) {
	h := newHarness(t)
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	defer h.queue.Close()
	h.dispatcher.remember("queued/0", offered{until: time.Now().Add(reoffer)})
	h.dispatcher.remember("not-due/0", offered{until: time.Now().Add(time.Hour)})
	h.queue.Replace()
	if _, kept := h.dispatcher.offered["not-due/0"]; len(h.dispatcher.offered) != 1 || !kept {
		t.Errorf("remembered are %v", h.dispatcher.offered)
	}
	select {
	case <-h.dispatcher.drained:
	default:
		t.Error("the dispatcher is not told")
	}
}
