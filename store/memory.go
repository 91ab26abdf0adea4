package store

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Memory is a [Log] that lasts as long as the process; tests use it.
type Memory struct {
	Shared

	tail    *tail
	closing chan struct{}
	once    sync.Once

	mu      sync.RWMutex
	last    Position
	all     []Recorded // in order of position; never edited in place, so readers may keep a slice of it
	streams map[string]*memoryStream
}

type memoryStream struct {
	records []Recorded // never edited in place
	next    Revision
	removed bool
}

func (s *memoryStream) is(expected Revision) bool {
	return head{revision: s.next - 1, first: s.next - Revision(len(s.records))}.is(expected)
}

// NewMemory returns an empty log.
func NewMemory() *Memory {
	return &Memory{tail: newTail(0), closing: make(chan struct{}), streams: map[string]*memoryStream{}}
}

// Read implements [Log].
func (m *Memory) Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		records, err := m.records(stream, from)
		if err != nil {
			yield(Recorded{}, err)
			return
		}
		for _, r := range records {
			if ctx.Err() != nil {
				yield(Recorded{}, ctx.Err())
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *Memory) records(stream string, from Revision) ([]Recorded, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.streams[stream]
	switch {
	case m.closed():
		return nil, ErrClosed
	case s == nil:
		return nil, nil
	case s.removed:
		return nil, RefuseRemoved(stream)
	}
	at := sort.Search(len(s.records), func(i int) bool { return s.records[i].Revision >= from })
	return s.records[at:], nil
}

// Append implements [Log].
func (m *Memory) Append(ctx context.Context, stream string, expected Revision, events ...Event) (Position, error) {
	if err := CheckAppend(stream, expected, events); err != nil {
		return 0, err
	}
	w, err := m.Write(ctx, stream, expected, events)
	return w.Position, err
}

// Write implements [ServedLog].
func (m *Memory) Write(ctx context.Context, stream string, expected Revision, events []Event) (Written, error) {
	if err := ctx.Err(); err != nil {
		return Written{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[stream]
	if s == nil {
		s = &memoryStream{}
	}
	if at := slices.IndexFunc(s.records, func(r Recorded) bool { return r.ID == events[0].ID }); at >= 0 &&
		expected < NoStream {
		expected = s.records[at].Revision - 1
	}
	switch {
	case m.closed():
		return Written{}, ErrClosed
	case s.removed:
		return Written{}, RefuseRemoved(stream)
	case !s.is(expected):
		return s.repeated(stream, expected, events)
	}
	m.streams[stream] = s
	revived := len(s.records) == 0 && s.next > 0
	created := time.Now().UnixMicro()
	for _, e := range events {
		m.last++
		e.Meta, e.Data = bytes.Clone(e.Meta), bytes.Clone(e.Data)
		r := Recorded{Event: e, Stream: stream, Revision: s.next, Position: m.last, Created: created}
		s.next++
		s.records = append(s.records, r)
		m.all = append(m.all, r)
	}
	m.tail.publish(map[string]Position{Recorded{Stream: stream}.Category(): m.last})
	return Written{Revision: s.next - 1, Position: m.last, Revived: revived}, nil
}

// repeated returns the result of an append that was made before, and refuses any other.
func (s *memoryStream) repeated(stream string, expected Revision, events []Event) (Written, error) {
	conflict := &ConflictError{Stream: stream, Expected: expected, Actual: s.next - 1}
	at := sort.Search(len(s.records), func(i int) bool { return s.records[i].Revision > expected })
	if at+len(events) > len(s.records) || s.records[at].Revision != expected+1 {
		return Written{}, conflict
	}
	var ids []uuid.UUID
	for _, r := range s.records[at : at+len(events)] {
		ids = append(ids, r.ID)
	}
	if !sameIDs(ids, events) {
		return Written{}, conflict
	}
	last := s.records[at+len(events)-1]
	return Written{Revision: last.Revision, Position: last.Position}, nil
}

// Follow implements [Log].
func (m *Memory) Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error] {
	return follow(ctx, m.tail, m.closing, m.Page, after, filter)
}

// Page implements [ServedLog].
func (m *Memory) Page(after, until Position, f Filter) ([]Recorded, bool, error) {
	m.mu.RLock()
	all := m.all
	m.mu.RUnlock()
	at := sort.Search(len(all), func(i int) bool { return all[i].Position > after })
	var page []Recorded
	for _, r := range all[at:] {
		if r.Position > until {
			break
		}
		if f.Takes(r) {
			if page = append(page, r); len(page) == PageRecords {
				return page, false, nil
			}
		}
	}
	return page, true, nil
}

// Remove implements [Log].
func (m *Memory) Remove(_ context.Context, stream string) error {
	return m.remove(stream, AnyRevision, false)
}

func (m *Memory) remove(stream string, expected Revision, whole bool) error {
	return m.edit(stream, expected, whole, func(s *memoryStream) {
		s.records, s.removed = nil, true
		m.all = slices.DeleteFunc(slices.Clone(m.all), func(r Recorded) bool { return r.Stream == stream })
	})
}

// Truncate implements [Log].
func (m *Memory) Truncate(_ context.Context, stream string, before Revision) error {
	return m.truncate(stream, AnyRevision, before, false)
}

func (m *Memory) truncate(stream string, expected, before Revision, whole bool) error {
	var removed bool
	err := m.edit(stream, expected, whole, func(s *memoryStream) {
		if removed = s.removed; removed {
			return
		}
		if !whole {
			before = min(before, s.next-1)
		}
		gone := func(r Recorded) bool { return r.Stream == stream && r.Revision < before }
		s.records = slices.DeleteFunc(slices.Clone(s.records), gone)
		m.all = slices.DeleteFunc(slices.Clone(m.all), gone)
	})
	if removed {
		return RefuseRemoved(stream)
	}
	return err
}

func (m *Memory) edit(stream string, expected Revision, whole bool, edit func(*memoryStream)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed() {
		return ErrClosed
	}
	s := m.streams[stream]
	if s == nil {
		if !whole {
			return RefuseUnknown(stream)
		}
		s = &memoryStream{}
	}
	if !s.removed && !s.is(expected) {
		return &ConflictError{Stream: stream, Expected: expected, Actual: s.next - 1}
	}
	if edit(s); s.removed {
		m.streams[stream] = s
	}
	return nil
}

// Close implements [Log].
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.closing) })
	return nil
}

func (m *Memory) closed() bool {
	select {
	case <-m.closing:
		return true
	default:
		return false
	}
}
