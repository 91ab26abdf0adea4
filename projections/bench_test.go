package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/store"
)

// encode makes an event ready to append, without a handle: the fastest way to fill a log.
func encode[S any](b *testing.B, c *domain.Category[S], e domain.Event[S]) store.Event {
	b.Helper()
	encoded, err := c.Encode(e)
	if err != nil {
		b.Fatal(err)
	}
	id := uuid.Must(uuid.NewV7())
	meta, err := json.Marshal(domain.Meta{ID: id, Organization: "019b0a3e-7c00-7000-8000-000000000001",
		Actor: "019b0a3e-7c00-7000-8000-000000000002", Token: "019b0a3e-7c00-7000-8000-000000000003",
		Remote: "192.0.2.1", Time: time.Now().UTC(), Correlation: id.String(), Previous: strings.Repeat("0", 64)})
	if err != nil {
		b.Fatal(err)
	}
	return store.Event{ID: id, Kind: encoded.Kind, Meta: meta, Data: encoded.Data}
}

func appendAll(b *testing.B, log store.Log, stream string, expected store.Revision, events ...store.Event) {
	b.Helper()
	if _, err := log.Append(b.Context(), stream, expected, events...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReplay rebuilds the view from a SQLite file. Events are 512 bytes of data, half of them
// edits of a step in drafts, the others of customers and instances.
func BenchmarkReplay(b *testing.B) {
	log, err := store.OpenSQLite(filepath.Join(b.TempDir(), "log.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	total := 0
	for n := range 1000 {
		id := uuid.NewString()
		edits := []store.Event{encode(b, domain.Drafts, domain.DraftOpened{Integration: id, Main: true,
			Definition: node("Draft")})}
		for range 99 {
			edits = append(edits,
				encode(b, domain.Drafts,
					domain.DraftEdited{Changes: []definition.Change{{Op: definition.SetOp, Node: "send",
						Path:  []string{"inputs", "message"},
						Value: map[string]any{"type": "value", "value": strings.Repeat("x", 400)}}}}))
		}
		appendAll(b, log, domain.Drafts.Stream(id), store.NoStream, edits...)
		config := []store.Event{encode(b, domain.Instances, domain.InstanceCreated{Name: "Instance", Integration: id})}
		for range 49 {
			config = append(config, encode(b, domain.Instances, domain.InstanceConfigured{Values: []domain.ConfigValue{
				{Variable: id, Key: "Endpoint", Value: strings.Repeat("v", 410)}}}))
		}
		appendAll(b, log, domain.Instances.Stream(id), store.NoStream, config...)
		for m := range 50 {
			appendAll(b, log, domain.Customers.Stream(fmt.Sprintf("%s-%d-%d", id, n, m)), store.NoStream,
				encode(b, domain.Customers,
					domain.CustomerCreated{Name: "Customer", Description: strings.Repeat("d", 400), ExternalID: "x",
						Key: make([]byte, 32)}))
		}
		total += 200
	}
	before := processorTime(b)
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		v := NewView(log, quiet)
		done := make(chan error, 1)
		go func() { done <- v.Run(ctx) }()
		<-v.CaughtUp()
		cancel()
		<-done
	}
	b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	// steadier where cores are shared
	b.ReportMetric(float64(total)*float64(b.N)/(processorTime(b)-before).Seconds(), "events/cpu-s")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
