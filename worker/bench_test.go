package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/store"
	"heddle/worker/queue"
	"heddle/worker/queue/redistest"
)

// BenchmarkEnqueue offers tasks to an embedded Redis in which about as many wait already.
func BenchmarkEnqueue(b *testing.B) {
	for _, backlog := range []int{0, maxQueuedEmbedded, maxQueued, 50_000} {
		b.Run(fmt.Sprint("backlog=", backlog), func(b *testing.B) {
			q, err := queue.Open("embedded", 1, time.Second, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			client := q.NewClient()
			defer func() { _ = client.Close() }()
			for i := range backlog {
				if err := q.Enqueue(b.Context(), queue.TaskID(fmt.Sprint("waiting", i), 0)); err != nil {
					b.Fatal(err)
				}
			}
			const few = 64 // the backlog grows by no more
			for i := 0; b.Loop(); i++ {
				if err := q.Enqueue(b.Context(), queue.TaskID(fmt.Sprint("run", i), 0)); err != nil {
					b.Fatal(err)
				}
				if i%few == few-1 {
					b.StopTimer()
					if err := client.LTrim(b.Context(), "asynq:{"+queue.Name+"}:pending", few, -1).Err(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkBarePath measures the least that a run costs: HTTP, a durable append, Asynq, another durable append,
// the answer; no engine, no views. "heddle bench run" is to be compared with it on the same machine, and
// "redis=none" shows how much of it is the queue's. The processor time is that of the callers too, but
// not that of a real Redis.
func BenchmarkBarePath(b *testing.B) {
	for _, kind := range []string{"none", "embedded", "real"} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprint("redis=", kind, "/callers=", callers), func(b *testing.B) {
				address := kind
				if kind == "real" {
					if os.Getenv("HEDDLE_TEST_REDIS") == "" {
						b.Skip("HEDDLE_TEST_REDIS is not set: not run on a real redis-server")
					}
					address = redistest.Real(b).Address
				}
				benchmarkBarePath(b, address, callers)
			})
		}
	}
}

func benchmarkBarePath(b *testing.B, address string, callers int) {
	log, err := store.OpenSQLite(filepath.Join(b.TempDir(), "log.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	event := func() store.Event {
		return store.Event{ID: uuid.Must(uuid.NewV7()), Kind: "E", Meta: []byte(strings.Repeat("m", 256)),
			Data: []byte(strings.Repeat("d", 256))}
	}
	work, stop := bareQueue(b, address, func(ctx context.Context, task string) error {
		_, err := log.Append(ctx, "run-"+task, 0, event(), event())
		return err
	})
	defer stop()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		task := uuid.NewString()
		if _, err := log.Append(r.Context(), "run-"+task, store.NoStream, event()); err != nil {
			b.Error(err)
		}
		if err := work(r.Context(), task); err != nil {
			b.Error(err)
		}
		_, _ = io.WriteString(rw, task)
	}))
	defer server.Close()
	b.ResetTimer()
	before := processorTime()
	callAll(b, server.URL, callers)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-µs/run")
}

// bareQueue returns a function that has a task handled, through the queue on a Redis unless that is "none", and
// waits for it.
func bareQueue(b *testing.B, address string, handle func(context.Context, string) error) (work func(context.Context,
	string) error, stop func()) {
	if address == "none" {
		return handle, func() {}
	}
	q, err := queue.Open(address, 32, time.Second, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	var waiting sync.Map
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- q.Serve(ctx, ctx, cancel, func(ctx context.Context, task string) error {
			if err := handle(ctx, task); err != nil {
				return err
			}
			done, _ := waiting.Load(task)
			close(done.(chan struct{}))
			return nil
		})
	}()
	work = func(ctx context.Context, task string) error {
		done := make(chan struct{})
		waiting.Store(task, done)
		defer waiting.Delete(task)
		if err := q.Enqueue(ctx, task); err != nil {
			return err
		}
		<-done
		return nil
	}
	return work, func() {
		cancel()
		<-served
		q.Close()
	}
}

// callAll has b.N calls made by so many at once.
func callAll(b *testing.B, url string, callers int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	var begun atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for begun.Add(1) <= int64(b.N) {
				answer, err := client.Post(url, "text/plain", strings.NewReader("x"))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	group.Wait()
}

// processorTime returns the processor time that this process has used.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
