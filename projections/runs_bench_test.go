package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
)

// BenchmarkRunIndex builds the index of a log of runs with two steps each, of which one in ten logs two lines
// and one in fifty fails, as fast as it can.
func BenchmarkRunIndex(b *testing.B) {
	log := store.NewMemory()
	const total = 20_000
	instances := make([]string, 50)
	for n := range instances {
		instances[n] = uuid.NewString()
	}
	version, flow := uuid.NewString(), uuid.NewString()
	for n := range total {
		appendAll(b, log, domain.Runs.Stream(uuid.NewString()), store.NoStream,
			benchRun(b, n, instances[n%len(instances)], version, flow)...)
	}
	before := processorTime(b)
	for b.Loop() {
		x, err := OpenRunIndex(b.Context(), filepath.Join(b.TempDir(), "runs.db"), log, quiet)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- x.Run(ctx) }()
		<-x.CaughtUp()
		cancel()
		<-done
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(total)/float64(b.N), "µs-cpu/run")
}

func benchRun(b *testing.B, n int, instance, version, flow string) []store.Event {
	step := domain.StepFinished{Claim: 1, Path: "hook", Step: flow, Name: "Hook", Started: time.Now(),
		Ended:  time.Now(),
		Output: domain.Content{Inline: json.RawMessage(`{"body":"` + strings.Repeat("x", 200) + `"}`), Size: 211}}
	second := step
	second.Path, second.Name = "send", "Send order"
	end := domain.RunFinished{Claim: 1, Result: domain.Completed}
	if n%10 == 0 {
		second.Log = []domain.LogLine{{Severity: "INFO", Message: fmt.Sprintf("order %d was sent to the warehouse", n)},
			{Severity: "WARN", Message: "it took long"}}
	}
	if n%50 == 0 {
		second.Error = fmt.Sprintf("HTTP 503 from the warehouse for order %d", n)
		end.Result, end.Error = domain.Failed, "Send order: "+second.Error
	}
	return []store.Event{encode(b, domain.Runs, domain.RunQueued{Instance: instance, Integration: flow,
		Customer: instance, Version: version, Definition: strings.Repeat("0", 64), Flow: flow, FlowName: "Orders",
		Invoke: domain.InvokedByWebhook, Payload: step.Output}),
		encode(b, domain.Runs, domain.RunClaimed{Claim: 1, Worker: version}), encode(b, domain.Runs, step),
		encode(b, domain.Runs, second), encode(b, domain.Runs, end)}
}
