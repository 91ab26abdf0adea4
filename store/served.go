package store

import (
	"context"
	"database/sql/driver"
	"math"
	"sort"
)

// Expectations of an append through the served log besides a revision.
const (
	AnyRevision Revision = -2 // nothing
	SomeStream  Revision = -4 // that the stream has records
)

// Written is the place of an append, or of an earlier one that it repeats.
type Written struct {
	Revision Revision // of the last event
	Position Position
	Revived  bool // all records of the stream had been dropped
}

// ServedLog is a log with the operations that other programs need besides Heddle's own [Log]: streams of any
// name, appends that expect little, reading backwards, dropping all records.
type ServedLog interface {
	Log
	// Write is Append for any stream name, any size and [AnyRevision] or [SomeStream].
	Write(ctx context.Context, stream string, expected Revision, events []Event) (Written, error)
	// Drop deletes the records before a revision, even the last one, if the stream is as expected; a missing
	// one counts as empty.
	Drop(ctx context.Context, stream string, expected, before Revision) error
	// Bury is Remove if the stream is as expected; it works for a missing one, too.
	Bury(ctx context.Context, stream string, expected Revision) error
	// Page yields the next records in (after, until] that match a filter, and whether that was all.
	Page(after, until Position, f Filter) (page []Recorded, all bool, err error)
	// PageBack yields the records before a position, the newest first.
	PageBack(before Position, most int) ([]Recorded, error)
	// PageDown yields the stream's records up to a revision, the newest first.
	PageDown(stream string, from Revision, most int) ([]Recorded, error)
	// SystemStreams returns the names of the streams that begin with a prefix that itself begins with $.
	SystemStreams(prefix string) ([]string, error)
	// End returns the log's last position.
	End() Position
}

// Write implements [ServedLog].
func (s *SQLite) Write(ctx context.Context, stream string, expected Revision, events []Event) (Written, error) {
	r := &request{stream: stream, expected: expected, events: events, do: (*writer).append}
	position, err := s.writer.submit(ctx, r)
	return Written{r.revision, position, r.revived}, err
}

// Drop implements [ServedLog].
func (s *SQLite) Drop(ctx context.Context, stream string, expected, before Revision) error {
	_, err := s.writer.submit(ctx, &request{stream: stream, expected: expected, before: before, whole: true,
		do: (*writer).truncate})
	return err
}

// Bury implements [ServedLog].
func (s *SQLite) Bury(ctx context.Context, stream string, expected Revision) error {
	_, err := s.writer.submit(ctx, &request{stream: stream, expected: expected, whole: true, do: (*writer).remove})
	return err
}

// End implements [ServedLog].
func (s *SQLite) End() Position { return s.tail.end() }

// PageBack implements [ServedLog].
func (s *SQLite) PageBack(before Position, most int) (page []Recorded, err error) {
	size := 0
	err = s.read(followColumns+`events e JOIN streams s ON s.id = e.stream
		WHERE e.position < ? ORDER BY e.position DESC LIMIT ?`, func(row []driver.Value) bool {
		page = append(page, recorded(row[1].(string), row[0], row[2], row[3:]))
		size += len(page[len(page)-1].Data)
		return size < PageBytes
	}, int64(min(before, math.MaxInt64)), int64(min(most, PageRecords)))
	return page, err
}

// PageDown implements [ServedLog].
func (s *SQLite) PageDown(stream string, from Revision, most int) (page []Recorded, err error) {
	size, removed := 0, false
	err = s.read(`SELECT s.removed, e.position, e.revision, e.id, e.kind, e.meta, e.data, e.created, e.binary
		FROM streams s LEFT JOIN events e ON e.stream = s.id AND e.revision <= ?2
		WHERE s.name = ?1 ORDER BY e.revision DESC LIMIT ?3`, func(row []driver.Value) bool {
		removed = row[0].(int64) != 0
		if row[1] != nil {
			page = append(page, recorded(stream, row[1], row[2], row[3:]))
			size += len(page[len(page)-1].Data)
		}
		return size < PageBytes
	}, stream, int64(from), int64(min(most, PageRecords)))
	if err == nil && removed {
		err = RefuseRemoved(stream)
	}
	return page, err
}

// SystemStreams implements [ServedLog].
func (s *SQLite) SystemStreams(prefix string) (names []string, err error) {
	err = s.read(`SELECT name FROM streams WHERE name >= ? AND name < ? AND removed = 0`,
		func(row []driver.Value) bool {
			names = append(names, row[0].(string))
			return true
		}, prefix, prefix+"\U0010ffff")
	return names, err
}

// Drop implements [ServedLog].
func (m *Memory) Drop(_ context.Context, stream string, expected, before Revision) error {
	return m.truncate(stream, expected, before, true)
}

// Bury implements [ServedLog].
func (m *Memory) Bury(_ context.Context, stream string, expected Revision) error {
	return m.remove(stream, expected, true)
}

// End implements [ServedLog].
func (m *Memory) End() Position { return m.tail.end() }

// PageBack implements [ServedLog].
func (m *Memory) PageBack(before Position, most int) ([]Recorded, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return reversedPage(m.all[:sort.Search(len(m.all), func(i int) bool { return m.all[i].Position >= before })],
		most), nil
}

// PageDown implements [ServedLog].
func (m *Memory) PageDown(stream string, from Revision, most int) ([]Recorded, error) {
	records, err := m.records(stream, 0)
	if err != nil {
		return nil, err
	}
	return reversedPage(records[:sort.Search(len(records), func(i int) bool { return records[i].Revision > from })],
		most), nil
}

func reversedPage(records []Recorded, most int) (page []Recorded) {
	for i := len(records) - 1; i >= 0 && len(page) < min(most, PageRecords); i-- {
		page = append(page, records[i])
	}
	return page
}

// SystemStreams implements [ServedLog].
func (m *Memory) SystemStreams(prefix string) (names []string, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for name, s := range m.streams {
		if !s.removed && len(name) > len(prefix) && name[:len(prefix)] == prefix {
			names = append(names, name)
		}
	}
	return names, nil
}
