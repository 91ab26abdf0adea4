package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"heddle/worker/queue/redistest"
)

func testQueue(t *testing.T, address string) *Queue {
	t.Helper()
	q, err := Open(address, 4, 100*time.Millisecond, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// serveQueue handles tasks until the test ends.
func serveQueue(t *testing.T, q *Queue, handle func(context.Context, string) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	engine, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Serve(ctx, engine, stop, handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("serve ended with %v", err)
		}
		q.Close()
		stop()
	})
}

func TestQueueOffersOnce(t *testing.T) { redistest.Each(t, testQueueOffersOnce) }

func testQueueOffersOnce(t *testing.T, redis *redistest.Server) {
	q := testQueue(t, redis.Address)
	for range 3 {
		if err := q.Enqueue(t.Context(), TaskID("run", 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Enqueue(t.Context(), TaskID("run", 1)); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	serveQueue(t, q, func(_ context.Context, task string) error { got <- task; return nil })
	tasks := []string{<-got, <-got}
	slices.Sort(tasks)
	if !slices.Equal(tasks, []string{"run/0", "run/1"}) {
		t.Errorf("handled %v", tasks)
	}
	for { // done with, the same task may be offered again
		if err := q.Enqueue(t.Context(), TaskID("run", 0)); err != nil {
			t.Fatal(err)
		}
		select {
		case task := <-got:
			if task != "run/0" {
				t.Errorf("handled %s", task)
			}
			return
		case <-time.After(10 * time.Millisecond): // not quite done with yet
		}
	}
}

// TestQueueReplacesWhatIsLost takes a task as a worker does that is then killed: while its lease stands the
// task is not offered again, after that it is, once, to whoever lives.
func TestQueueReplacesWhatIsLost(t *testing.T) { redistest.Each(t, testQueueReplacesWhatIsLost) }

func testQueueReplacesWhatIsLost(t *testing.T, redis *redistest.Server) {
	q := testQueue(t, redis.Address)
	offer := func(want int) {
		t.Helper()
		if err := q.Enqueue(t.Context(), TaskID("run", 0)); err != nil {
			t.Fatal(err)
		}
		if n, err := q.Waiting(t.Context()); err != nil || n != want {
			t.Fatalf("%d tasks wait, want %d (%v)", n, want, err)
		}
	}
	leased := func(until time.Duration) {
		t.Helper()
		if err := q.redis.Do(t.Context(), "ZADD", "asynq:{runs}:lease", time.Now().Add(until).Unix(),
			"run/0").Err(); err != nil {
			t.Fatal(err)
		}
	}
	offer(1)
	for _, command := range [][]any{{"RPOPLPUSH", "asynq:{runs}:pending", "asynq:{runs}:active"},
		{"HSET", "asynq:{runs}:t:run/0", "state", "active"}} {
		if err := q.redis.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	leased(30 * time.Second)
	offer(0)
	leased(-clockSkew / 2)
	offer(0)
	leased(-2 * clockSkew)
	offer(1)
	offer(1)
	got := make(chan string, 1)
	serveQueue(t, q, func(_ context.Context, task string) error { got <- task; return nil })
	if task := <-got; task != "run/0" {
		t.Errorf("handled %s", task)
	}
}

// A wait is no failure: the task comes back as often as it asks, and is never archived.
func TestQueueWaits(t *testing.T) { redistest.Each(t, testQueueWaits) }

func testQueueWaits(t *testing.T, redis *redistest.Server) {
	q := testQueue(t, redis.Address)
	var mu sync.Mutex
	calls := 0
	done := make(chan struct{})
	serveQueue(t, q, func(context.Context, string) error {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls < 3 {
			return &Wait{0, errors.New("not yet")}
		}
		close(done)
		return nil
	})
	if err := q.Enqueue(t.Context(), TaskID("run", 0)); err != nil {
		t.Fatal(err)
	}
	<-done
	info, err := asynq.NewInspectorFromRedisClient(q.redis).GetQueueInfo(Name)
	if err != nil || info.Failed != 0 || info.Archived != 0 {
		t.Errorf("the queue counts %+v, %v", info, err)
	}
}

func TestWaits(t *testing.T) {
	for err, want := range map[error]bool{
		&Wait{0, errors.New("x")}: true, asynq.ErrLeaseExpired: true,
		fmt.Errorf("handling: %w", asynq.ErrLeaseExpired): true,
		context.Canceled: true, errors.New("a failure"): false,
	} {
		if waits(err) != want {
			t.Errorf("waits(%v) is %v", err, !want)
		}
	}
}

// Servers have as many handlers together as there are to be, and each has one at least.
func TestShare(t *testing.T) {
	for _, of := range []struct {
		handlers, servers int
		want              []int
	}{{1, 8, []int{1}}, {2, 2, []int{1, 1}}, {12, 8, []int{2, 2, 2, 2, 1, 1, 1, 1}}, {32, 2, []int{16, 16}}} {
		if got := share(of.handlers, of.servers); !slices.Equal(got, of.want) {
			t.Errorf("%d among %d are %v", of.handlers, of.servers, got)
		}
	}
}

// The clock of the embedded Redis passes: what is to expire does.
func TestEmbeddedClock(t *testing.T) {
	conn := embedded()
	defer conn.close()
	client := conn.make()
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "key", "value", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	for client.Exists(t.Context(), "key").Val() == 1 {
		if t.Context().Err() != nil {
			t.Fatal("the key stayed")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// After a dequeue that found nothing the next one is held until something is offered; other
// commands pass.
func TestGate(t *testing.T) {
	g := newGate()
	var looks, filled atomic.Int32
	process := g.ProcessHook(func(context.Context, redis.Cmder) error {
		looks.Add(1)
		if filled.Load() > 0 {
			return nil
		}
		return redis.Nil
	})
	dequeue := redis.NewCmd(t.Context(), "evalsha", "sha", 4, "asynq:{runs}:pending", "asynq:{runs}:paused",
		"asynq:{runs}:active", "asynq:{runs}:lease")
	other := redis.NewCmd(t.Context(), "evalsha", "sha", 1, "asynq:{runs}:pending")
	if err := process(t.Context(), dequeue); !errors.Is(err, redis.Nil) {
		t.Fatalf("the first dequeue gives %v", err)
	}
	if err := process(t.Context(), other); !errors.Is(err, redis.Nil) || looks.Load() != 2 {
		t.Fatalf("another script gives %v after %d looks", err, looks.Load())
	}
	answered := make(chan error)
	for range 2 {
		go func() { answered <- process(t.Context(), dequeue) }()
	}
	select {
	case err := <-answered:
		t.Fatalf("an empty dequeue was not held: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	g.open() // for one of the two
	if err := <-answered; !errors.Is(err, redis.Nil) || looks.Load() != 3 {
		t.Errorf("after opening: %v after %d looks", err, looks.Load())
	}
	filled.Store(1)
	g.open()
	if err := <-answered; err != nil || looks.Load() != 4 {
		t.Errorf("after opening again: %v after %d looks", err, looks.Load())
	}
	if err := process(t.Context(), dequeue); err != nil { // while there is something none waits
		t.Error(err)
	}
	filled.Store(0)
	_ = process(t.Context(), dequeue)
	g.close()
	if err := process(t.Context(), dequeue); !errors.Is(err, redis.Nil) {
		t.Errorf("a closed gate gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	held := newGate()
	held.empty.Store(true)
	if err := held.ProcessHook(func(context.Context, redis.Cmder) error {
		return redis.Nil
	})(ctx, dequeue); !errors.Is(err, context.Canceled) {
		t.Errorf("a held dequeue whose caller leaves gives %v", err)
	}
}

func TestConnectRefuses(t *testing.T) {
	if _, err := connect("mailto:nobody"); err == nil {
		t.Error("an address that is none is accepted")
	}
}

// While Redis is away, dequeues wait as they do for work, and do not wear out a core.
func TestGateHoldsAfterErrors(t *testing.T) {
	for answer, again := range map[error]bool{errors.New("connection refused"): false, redis.Nil: false,
		proto("NOSCRIPT No matching script"): true, nil: true} {
		g, calls := newGate(), 0
		hook := g.ProcessHook(func(context.Context, redis.Cmder) error { calls++; return answer })
		cmd := redis.NewCmd(t.Context(), "evalsha", "sha", 4, "asynq:{runs}:pending", "asynq:{runs}:paused",
			"asynq:{runs}:active", "asynq:{runs}:lease")
		_ = hook(t.Context(), cmd) // fails with answer
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := hook(gone, cmd); (calls == 2) != again || !again && !errors.Is(err, context.Canceled) {
			t.Errorf("after %v: %d calls, %v", answer, calls, err)
		}
	}
}

// proto is an error that Redis answers.
type proto string

func (e proto) Error() string { return string(e) }
func (proto) RedisError()     {}
