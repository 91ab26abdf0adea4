package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/store"
)

// BenchmarkEnqueue offers tasks to an embedded Redis in which about as many wait already.
func BenchmarkEnqueue(b *testing.B) {
	for _, backlog := range []int{0, maxQueuedEmbedded, maxQueued, 50_000} {
		b.Run(fmt.Sprint("backlog=", backlog), func(b *testing.B) {
			q, err := openQueue("embedded", 1, time.Second, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer q.close()
			for i := range backlog {
				if err := q.enqueue(b.Context(), taskID(fmt.Sprint("waiting", i), 0)); err != nil {
					b.Fatal(err)
				}
			}
			const few = 64 // the backlog grows by no more
			for i := 0; b.Loop(); i++ {
				if err := q.enqueue(b.Context(), taskID(fmt.Sprint("run", i), 0)); err != nil {
					b.Fatal(err)
				}
				if i%few == few-1 {
					b.StopTimer()
					if err := q.redis.LTrim(b.Context(), "asynq:{"+queueName+"}:pending", few, -1).Err(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkBarePath is what a run costs at least: HTTP, a durable append, Asynq, another durable append,
// the answer; no engine, no views. "heddle bench run" is to be compared with it on the same machine.
func BenchmarkBarePath(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			log, err := store.OpenSQLite(filepath.Join(b.TempDir(), "log.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = log.Close() }()
			q, err := openQueue("embedded", 32, time.Second, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer q.close()
			event := func() store.Event {
				return store.Event{ID: uuid.Must(uuid.NewV7()), Kind: "E", Meta: []byte(strings.Repeat("m", 256)), Data: []byte(strings.Repeat("d", 256))}
			}
			var waiting sync.Map
			ctx, cancel := context.WithCancel(context.Background())
			served := make(chan error, 1)
			go func() {
				served <- q.serve(ctx, ctx, cancel, func(ctx context.Context, task string) error {
					if _, err := log.Append(ctx, "run-"+task, 0, event(), event()); err != nil {
						return err
					}
					done, _ := waiting.Load(task)
					close(done.(chan struct{}))
					return nil
				})
			}()
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				task, done := uuid.NewString(), make(chan struct{})
				waiting.Store(task, done)
				defer waiting.Delete(task)
				if _, err := log.Append(r.Context(), "run-"+task, store.NoStream, event()); err != nil {
					b.Error(err)
				}
				if err := q.enqueue(r.Context(), task); err != nil {
					b.Error(err)
				}
				<-done
				_, _ = io.WriteString(rw, task)
			}))
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
			b.ResetTimer()
			calls := make(chan struct{}, b.N)
			for range b.N {
				calls <- struct{}{}
			}
			close(calls)
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for range calls {
						answer, err := client.Post(server.URL, "text/plain", strings.NewReader("x"))
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
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
			cancel()
			<-served
		})
	}
}
