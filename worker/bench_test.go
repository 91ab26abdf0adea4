package worker

import (
	"fmt"
	"log/slog"
	"testing"
	"time"
)

// BenchmarkEnqueue offers tasks to an embedded Redis in which as many wait already.
func BenchmarkEnqueue(b *testing.B) {
	for _, backlog := range []int{0, maxQueued, 50_000} {
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
			for i := 0; b.Loop(); i++ {
				if err := q.enqueue(b.Context(), taskID(fmt.Sprint("run", i), 0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
