package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
	"heddle/store/storetest"
)

func blankEvents(n int) []store.Event {
	events := make([]store.Event, n)
	for i := range events {
		events[i] = storetest.BlankEvent()
	}
	return events
}

// BenchmarkAppend has one writer append to one stream. It alternates with a bare write and fsync for
// comparison, since other load on the machine comes and goes.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("events=", n), func(b *testing.B) {
			log := storetest.SQLite(b, filepath.Join(b.TempDir(), "events.db"))
			events := make([][]store.Event, b.N)
			for i := range events {
				events[i] = blankEvents(n)
			}
			var own, raw, cpu time.Duration
			b.ResetTimer()
			const turn = 500
			for i := 0; i < b.N; i += turn {
				rounds := min(turn, b.N-i)
				start, before := time.Now(), storetest.ProcessorTime(b)
				for j := i; j < i+rounds; j++ {
					storetest.MustAppend(b, log, "run-1", store.Revision(j*n)-1, events[j]...)
				}
				own, cpu = own+time.Since(start), cpu+storetest.ProcessorTime(b)-before
				b.StopTimer()
				raw += storetest.RawSync(b, n, rounds) * time.Duration(rounds)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N*n)/own.Seconds(), "events/s")
			b.ReportMetric(float64(b.N*n)/cpu.Seconds(), "events/cpu-s")
			b.ReportMetric(100*raw.Seconds()/own.Seconds(), "%raw")
		})
	}
}

// BenchmarkAppendNewStreams appends as queued runs do: every append makes a stream.
func BenchmarkAppendNewStreams(b *testing.B) {
	log := storetest.SQLite(b, filepath.Join(b.TempDir(), "events.db"))
	before := storetest.ProcessorTime(b)
	for b.Loop() {
		storetest.MustAppend(b, log, "run-"+uuid.NewString(), store.NoStream, storetest.BlankEvent())
	}
	storetest.Report(b, b.N, "events", before)
}

func BenchmarkAppendConcurrent(b *testing.B) {
	for _, c := range []struct{ writers, events int }{{4, 1}, {16, 1}, {64, 1}, {4, 16}, {16, 16}} {
		name := fmt.Sprint("writers=", c.writers)
		if c.events > 1 {
			name += fmt.Sprint(",events=", c.events)
		}
		b.Run(name, func(b *testing.B) {
			var commits, appends atomic.Int64
			log := storetest.SQLite(b, filepath.Join(b.TempDir(), "events.db"), store.OnCommit(func(c store.Commit) {
				commits.Add(1)
				appends.Add(int64(c.Appends))
			}))
			var started atomic.Int64
			before := storetest.ProcessorTime(b)
			b.ResetTimer()
			var writing sync.WaitGroup
			for w := range c.writers {
				writing.Go(func() {
					for at := store.NoStream; started.Add(1) <= int64(b.N); at += store.Revision(c.events) {
						if _, err := log.Append(context.Background(), fmt.Sprint("run-", w), at,
							blankEvents(c.events)...); err != nil {
							b.Error(err)
						}
					}
				})
			}
			writing.Wait()
			storetest.Report(b, b.N*c.events, "events", before)
			b.ReportMetric(float64(appends.Load())/float64(commits.Load()), "appends/commit")
		})
	}
}

// filledLog returns a log with streams of 20 events each, one in ten of them a draft.
func filledLog(b *testing.B, streams int) *store.SQLite {
	log := storetest.SQLite(b, filepath.Join(b.TempDir(), "events.db"))
	for i := range streams {
		category := "run"
		if i%10 == 0 {
			category = "draft"
		}
		storetest.MustAppend(b, log, fmt.Sprintf("%s-%s", category, domain.DeriveID(fmt.Sprint(i))), store.NoStream,
			blankEvents(20)...)
	}
	return log
}

func BenchmarkRead(b *testing.B) {
	log := filledLog(b, 5000)
	events, before := 0, storetest.ProcessorTime(b)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		stream := fmt.Sprint("run-", domain.DeriveID(fmt.Sprint((i*10+1)%5000)))
		for _, err := range log.Read(context.Background(), stream, 0) {
			if err != nil {
				b.Fatal(err)
			}
			events++
		}
	}
	storetest.Report(b, events, "events", before)
}

func BenchmarkFollow(b *testing.B) {
	log := filledLog(b, 10000)
	for name, f := range map[string]store.Filter{"all": {},
		"drafts of 10%": {Categories: []string{"draft", "user", "customer"}}} {
		b.Run(name, func(b *testing.B) {
			events, before := 0, storetest.ProcessorTime(b)
			for b.Loop() {
				all, _ := caughtUpCount(b, log, f)
				events += all
			}
			storetest.Report(b, events, "events", before)
		})
	}
}

func caughtUpCount(b *testing.B, log store.Log, f store.Filter) (n int, mark store.Position) {
	for r, err := range log.Follow(context.Background(), 0, f) {
		if err != nil {
			b.Fatal(err)
		}
		if r.Mark() {
			return n, r.Position
		}
		n++
	}
	return n, 0
}

// BenchmarkFold measures all of a view's start: read, decode data and meta, fold.
func BenchmarkFold(b *testing.B) {
	log := storetest.SQLite(b, filepath.Join(b.TempDir(), "events.db"))
	for i := range 500 {
		_, _, err := store.Change(as("ann"), log, tallies, fmt.Sprint(i), func(tally) (domain.Changes[tally], error) {
			changes := make(domain.Changes[tally], 100)
			for j := range changes {
				changes[j] = counted{"somebody who counts"}
			}
			return changes, nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	events, before := 0, storetest.ProcessorTime(b)
	for b.Loop() {
		states := map[string]tally{}
		for r, err := range log.Follow(context.Background(), 0, store.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			if r.Mark() {
				break
			}
			event, err := tallies.Decode(r.Kind, r.Data)
			if err != nil {
				b.Fatal(err)
			}
			meta, err := store.MetaOf(r)
			if err != nil {
				b.Fatal(err)
			}
			states[r.Stream] = event.Evolve(states[r.Stream], meta)
			events++
		}
	}
	storetest.Report(b, events, "events", before)
}

// BenchmarkChange has writers change one stream that grows long.
func BenchmarkChange(b *testing.B) {
	for _, writers := range []int{1, 50} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			log := storetest.SQLite(b, filepath.Join(b.TempDir(), "events.db"))
			var changes atomic.Int64
			before := storetest.ProcessorTime(b)
			b.ResetTimer()
			var writing sync.WaitGroup
			for range writers {
				writing.Go(func() {
					for changes.Add(1) <= int64(b.N) {
						if _, _, err := store.Change(as("ann"), log, tallies, "1", count); err != nil {
							b.Error(err)
						}
					}
				})
			}
			writing.Wait()
			storetest.Report(b, b.N, "changes", before)
		})
	}
}
