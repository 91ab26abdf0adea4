package eventstore

import (
	"context"
	"iter"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"heddle/store"
	"heddle/store/storetest"
)

// TestRealEventStoreDB runs the suite on the server that HEDDLE_TEST_ESDB names. It must take appends of
// 16 MiB (--max-append-size).
func TestRealEventStoreDB(t *testing.T) {
	address := os.Getenv("HEDDLE_TEST_ESDB")
	if address == "" {
		t.Skip("HEDDLE_TEST_ESDB is not set: the suite does not run on a real EventStoreDB")
	}
	storetest.Log(t, func(t *testing.T) store.Log {
		log := &scoped{Client: openClient(t, address), scope: "-" + uuid.NewString(), gone: map[string]store.Revision{}}
		log.from = storetest.MustAppend(t, log, "scope-begins", store.NoStream, storetest.Event("Begins"))
		return log
	})
}

// scoped is a part of a log that others use too: its streams have a suffix, it begins at a position, and
// removed or truncated records are invisible as they would be after a scavenge.
type scoped struct {
	*Client
	scope string
	from  store.Position
	mu    sync.Mutex
	gone  map[string]store.Revision // revisions before this one
}

func (s *scoped) name(stream string) string {
	if !strings.Contains(stream, "-") {
		return stream
	}
	return stream + s.scope
}

func (s *scoped) Read(ctx context.Context, stream string, from store.Revision) iter.Seq2[store.Recorded, error] {
	return func(yield func(store.Recorded, error) bool) {
		for r, err := range s.Client.Read(ctx, s.name(stream), from) {
			r.Stream = strings.TrimSuffix(r.Stream, s.scope)
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s *scoped) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	return s.Client.Append(ctx, s.name(stream), expected, events...)
}

func (s *scoped) Follow(ctx context.Context, after store.Position,
	filter store.Filter) iter.Seq2[store.Recorded, error] {
	return func(yield func(store.Recorded, error) bool) {
		s.mu.Lock()
		gone := maps.Clone(s.gone)
		s.mu.Unlock()
		for r, err := range s.Client.Follow(ctx, max(after, s.from), filter) {
			if name, own := strings.CutSuffix(r.Stream, s.scope); own && r.Revision >= gone[name] {
				r.Stream = name
			} else if err == nil && !r.Mark() {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s *scoped) Remove(ctx context.Context, stream string) error {
	return s.forget(stream, 1<<60, s.Client.Remove(ctx, s.name(stream)))
}

func (s *scoped) Truncate(ctx context.Context, stream string, before store.Revision) error {
	newest, _, err := s.readPage(ctx, s.name(stream), endOfStream, 1)
	if err == nil && len(newest) == 1 {
		before = min(before, newest[0].Revision)
	}
	return s.forget(stream, before, s.Client.Truncate(ctx, s.name(stream), before))
}

func (s *scoped) forget(stream string, before store.Revision, err error) error {
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone[stream] = max(s.gone[stream], before)
	}
	return err
}
