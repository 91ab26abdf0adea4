package main

import (
	"context"
	"os"
	"runtime/debug"
	sampled "runtime/metrics"
	"time"
)

// While what lives is small, memory is cheap and collecting garbage is not: executions make much of
// it. The collector then waits until the heap is three times what lives, else as Go does by default.
const (
	smallHeap    = 48 << 20 // bytes that live
	smallPercent = 200
	percent      = 100
)

// tuneCollector keeps the garbage collector's setting fit until ctx ends. Who sets GOGC is left alone.
func tuneCollector(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	live := []sampled.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for set := percent; ; {
		want := percent
		if sampled.Read(live); live[0].Value.Uint64() < smallHeap {
			want = smallPercent
		}
		if want != set {
			debug.SetGCPercent(want)
			set = want
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
