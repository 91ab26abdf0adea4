package worker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"heddle/domain"
)

// testRedis is the Redis that a test runs on: embedded, or a real server of its own.
type testRedis struct {
	address string
	t       testing.TB
	socket  string
	server  *exec.Cmd
}

// eachRedis runs a test on the embedded Redis, and on a real one if HEDDLE_TEST_REDIS says that
// redis-server is installed.
func eachRedis(t *testing.T, test func(*testing.T, *testRedis)) {
	t.Run("embedded", func(t *testing.T) { test(t, &testRedis{address: "embedded", t: t}) })
	t.Run("real", func(t *testing.T) {
		if os.Getenv("HEDDLE_TEST_REDIS") == "" {
			t.Skip("HEDDLE_TEST_REDIS is not set: not run on a real redis-server")
		}
		test(t, realRedis(t))
	})
}

// realRedis is a real server, on a socket, which ends with the test.
func realRedis(t testing.TB) *testRedis {
	folder, err := os.MkdirTemp("", "redis") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	r := &testRedis{t: t, socket: filepath.Join(folder, "s")}
	r.address = "redis-socket://" + r.socket
	r.start()
	t.Cleanup(func() {
		r.kill()
		_ = os.RemoveAll(folder)
	})
	return r
}

// start runs an empty server and waits until it answers.
func (r *testRedis) start() {
	r.t.Helper()
	r.server = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(r.socket))
	if err := r.server.Start(); err != nil {
		r.t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket})
	defer func() { _ = client.Close() }()
	for client.Ping(r.t.Context()).Err() != nil {
		if r.t.Context().Err() != nil {
			r.t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kill ends the server as kill -9 does; all it held is lost.
func (r *testRedis) kill() {
	_ = r.server.Process.Kill()
	_ = r.server.Wait()
}

// lose empties the Redis that a worker uses.
func (r *testRedis) lose(w *Worker) {
	client := w.queue.conn.make()
	defer func() { _ = client.Close() }()
	if err := client.FlushAll(r.t.Context()).Err(); err != nil {
		r.t.Error(err)
	}
}

// Redis may be emptied at any time: every run still ends, and each step that reached outside was done once.
func TestRedisFlushed(t *testing.T) { eachRedis(t, testRedisFlushed) }

func testRedisFlushed(t *testing.T, redis *testRedis) {
	h := newHouse(t)
	h.Redis, h.Lease = redis.address, 300*time.Millisecond
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
				redis.lose(h.Worker)
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
func (h *house) forgetAllOffers() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.offered)
}

// A real server that is killed and comes back empty, and one that is away for a while.
func TestRedisKilled(t *testing.T) {
	eachRedis(t, func(t *testing.T, redis *testRedis) {
		if redis.server == nil {
			t.Skip("the embedded Redis ends with its process only; cmd/heddle kills that")
		}
		h := newHouse(t)
		h.Redis = redis.address
		_, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "effect", ""))))
		h.start()
		var started []string
		for range 3 {
			for range 10 {
				started = append(started, h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
			}
			redis.kill()
			for range 5 {
				started = append(started, h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
			}
			redis.start()
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
	h := newHouse(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", step("one", "effect", ""))))
	h.start()
	e := h.queue.conn.embedded
	for i := range 5 {
		before := e.server.Load()
		e.replace()
		if e.server.Load() == before || e.offered.Load() != 0 || !e.empty() {
			t.Fatal("the server is not another, empty one")
		}
		if a := h.post(urls["Main"], "", ""); a.Code != 200 {
			t.Errorf("after replacement %d answered %d %s", i, a.Code, a.Body)
		}
	}
	if got := fmt.Sprint(h.probe.count("one")); got != "5" {
		t.Errorf("done %s times", got)
	}
}

// A client's connections to a server that is replaced are no errors to whoever uses them next.
func TestEmbeddedReplacedUnnoticed(t *testing.T) {
	conn := embedded()
	defer conn.close()
	client := conn.make()
	defer func() { _ = client.Close() }()
	for range 20 {
		var all sync.WaitGroup
		for range 4 { // so many connections
			all.Go(func() {
				if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		conn.embedded.replace()
		if n, err := client.Exists(t.Context(), "key").Result(); err != nil || n != 0 {
			t.Fatalf("the new server has %d keys, %v", n, err)
		}
	}
}

// What the embedded Redis held when it was replaced is offered at once, not when the offers have grown old.
func TestEmbeddedReplacedOffersAgain(t *testing.T) {
	h := newHouse(t)
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	defer h.queue.close()
	h.remember("queued/0", offered{until: time.Now().Add(reoffer)})
	h.remember("not-due/0", offered{until: time.Now().Add(time.Hour)})
	h.queue.conn.embedded.replace()
	if _, kept := h.offered["not-due/0"]; len(h.offered) != 1 || !kept {
		t.Errorf("remembered are %v", h.offered)
	}
	select {
	case <-h.drained:
	default:
		t.Error("the dispatcher is not told")
	}
}
