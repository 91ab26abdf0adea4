package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"heddle/domain/refusal"
	"heddle/store"
)

// metaPrefix begins the name of the stream that holds another one's metadata.
const metaPrefix = "$$"

// limit is a stream's retention by its metadata.
type limit struct {
	count store.Revision
	age   time.Duration
}

// limits are those of all streams that have some.
type limits struct {
	mu      sync.RWMutex
	streams map[string]limit
}

func (l *limits) of(stream string) limit {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.streams[stream]
}

func (l *limits) set(stream string, one limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if delete(l.streams, stream); one != (limit{}) {
		l.streams[stream] = one
	}
}

// streamMetadata is the part of a stream's metadata that the server acts on.
type streamMetadata struct {
	MaxCount int64 `json:"$maxCount"`
	MaxAge   int64 `json:"$maxAge"` // seconds
	Before   int64 `json:"$tb"`
}

func (m streamMetadata) limit() limit {
	return limit{store.Revision(max(m.MaxCount, 0)),
		time.Duration(min(max(m.MaxAge, 0), math.MaxInt64/int64(time.Second))) * time.Second}
}

// loadLimits reads the newest metadata of every stream that has any.
func (s *Server) loadLimits(context.Context) error {
	names, err := s.log.SystemStreams(metaPrefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		newest, err := s.log.PageDown(name, math.MaxInt64, 1)
		if err != nil {
			return err
		}
		var m streamMetadata
		if len(newest) == 1 && json.Unmarshal(newest[0].Data, &m) == nil {
			s.limits.set(strings.TrimPrefix(name, metaPrefix), m.limit())
		}
	}
	return nil
}

// writable refuses names that no stream may have.
func (s *Server) writable(name string) error {
	if name == "" || name == "$all" || len(name) > maxServedName || strings.HasPrefix(name, metaPrefix+metaPrefix) {
		return refusal.New(refusal.Invalid, "%.80q is not the name of a stream", name)
	}
	return nil
}

const maxServedName = 1024 // bytes

// put appends, and applies metadata among the events: it takes effect before the append is answered.
func (s *Server) put(ctx context.Context, name string, expected store.Revision,
	events []store.Event) (store.Written, error) {
	if err := s.writable(name); err != nil {
		return store.Written{}, err
	}
	if len(events) == 0 {
		return s.nothing(name, expected)
	}
	described, isMetadata := strings.CutPrefix(name, metaPrefix)
	var m streamMetadata
	if isMetadata {
		if err := json.Unmarshal(events[len(events)-1].Data, &m); err != nil {
			return store.Written{}, refusal.New(refusal.Invalid, "the metadata of %s can't be read: %v", described, err)
		}
		if _, err := s.log.PageDown(described, math.MaxInt64, 1); err != nil {
			return store.Written{}, err
		}
	}
	w, err := s.log.Write(ctx, name, expected, events)
	if err != nil {
		return w, err
	}
	if w.Revived {
		err = s.rememberTruncation(ctx, name, w.Revision-store.Revision(len(events))+1)
	}
	if isMetadata && err == nil {
		s.limits.set(described, m.limit())
		if err = s.log.Drop(ctx, name, store.AnyRevision, w.Revision); err == nil && m.Before > 0 {
			// only the newest counts
			err = s.log.Drop(ctx, described, store.AnyRevision, store.Revision(m.Before))
		}
		name = described
	}
	if err == nil {
		err = s.trim(ctx, name)
	}
	return w, err
}

// nothing answers an append without events: it only checks the expected revision.
func (s *Server) nothing(name string, expected store.Revision) (store.Written, error) {
	newest, err := s.log.PageDown(name, math.MaxInt64, 1)
	if err != nil {
		return store.Written{}, err
	}
	actual := store.NoStream
	if len(newest) == 1 {
		actual = newest[0].Revision
	}
	if expected >= store.NoStream && expected != actual || expected == store.SomeStream && actual == store.NoStream {
		return store.Written{}, &store.ConflictError{Stream: name, Expected: expected, Actual: actual}
	}
	return store.Written{Revision: actual, Position: s.log.End()}, nil
}

// trim drops the records beyond a stream's limits.
func (s *Server) trim(ctx context.Context, name string) error {
	l := s.limits.of(name)
	if l == (limit{}) {
		return nil
	}
	newest, err := s.log.PageDown(name, math.MaxInt64, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	before := store.Revision(0)
	if l.count > 0 {
		before = newest[0].Revision - l.count + 1
	}
	// A clock that is ahead hides records, which come back when it is corrected. It must not drop them: dropped
	// records must also be old compared with the stream's newest record.
	if oldest := min(s.oldest(name), newest[0].Created-l.age.Microseconds()); oldest > 0 {
		for r, err := range s.log.Read(ctx, name, before) {
			if err != nil {
				return err
			}
			if r.Created >= oldest {
				break
			}
			before = r.Revision + 1
		}
	}
	if before <= 0 {
		return nil
	}
	return s.log.Drop(ctx, name, store.AnyRevision, before)
}

// rememberTruncation writes into a stream's metadata up to where it was dropped, as clients expect to find it,
// and keeps the rest of it.
func (s *Server) rememberTruncation(ctx context.Context, name string, before store.Revision) error {
	if strings.HasPrefix(name, metaPrefix) {
		return nil
	}
	newest, err := s.log.PageDown(metaPrefix+name, math.MaxInt64, 1)
	if err != nil {
		return err
	}
	all := map[string]any{}
	if len(newest) == 1 {
		if err := json.Unmarshal(newest[0].Data, &all); err != nil {
			return fmt.Errorf("reading the metadata of %s: %w", name, err)
		}
	}
	all["$tb"] = int64(before)
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return s.keepNewest(ctx, metaPrefix+name, "$metadata", data)
}
