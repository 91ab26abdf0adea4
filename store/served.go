package store

import (
	"context"
	"database/sql/driver"
	"math"
	"sort"
)

// What an append through the served log may expect besides a revision.
const (
	anyRevision Revision = -2 // nothing
	someStream  Revision = -4 // that the stream has records
)

// written is where an append went, or had gone when it was made before.
type written struct {
	revision Revision // of the last event
	position Position
	revived  bool // all records of the stream had been dropped
}

// served is what a log can do besides [Log], so that others may be served more than Heddle itself
// needs: streams of any name, appends that expect little, reading backwards, dropping all records.
type served interface {
	Log
	// write is Append for any stream name, any size and anyRevision or someStream.
	write(ctx context.Context, stream string, expected Revision, events []Event) (written, error)
	// drop deletes the records before a revision, the last one too, if the stream is as expected; one
	// that does not exist counts as empty.
	drop(ctx context.Context, stream string, expected, before Revision) error
	// bury is Remove if the stream is as expected, for one that does not exist too.
	bury(ctx context.Context, stream string, expected Revision) error
	page(after, until Position, f Filter) (page []Recorded, all bool, err error)
	// pageBack yields the records before a position, the newest first.
	pageBack(before Position, most int) ([]Recorded, error)
	// pageDown yields the stream's records up to a revision, the newest first.
	pageDown(stream string, from Revision, most int) ([]Recorded, error)
	// systemStreams are the names of the streams that begin with a prefix that itself begins with $.
	systemStreams(prefix string) ([]string, error)
	end() Position
}

func (s *SQLite) write(ctx context.Context, stream string, expected Revision, events []Event) (written, error) {
	r := &request{stream: stream, expected: expected, events: events, do: (*writer).append}
	position, err := s.writer.submit(ctx, r)
	return written{r.revision, position, r.revived}, err
}

func (s *SQLite) drop(ctx context.Context, stream string, expected, before Revision) error {
	_, err := s.writer.submit(ctx, &request{stream: stream, expected: expected, before: before, whole: true, do: (*writer).truncate})
	return err
}

func (s *SQLite) bury(ctx context.Context, stream string, expected Revision) error {
	_, err := s.writer.submit(ctx, &request{stream: stream, expected: expected, whole: true, do: (*writer).remove})
	return err
}

func (s *SQLite) end() Position { return s.tail.end() }

func (s *SQLite) pageBack(before Position, most int) (page []Recorded, err error) {
	size := 0
	err = s.read(followColumns+`events e JOIN streams s ON s.id = e.stream
		WHERE e.position < ? ORDER BY e.position DESC LIMIT ?`, func(row []driver.Value) bool {
		page = append(page, recorded(row[1].(string), row[0], row[2], row[3:]))
		size += len(page[len(page)-1].Data)
		return size < pageBytes
	}, int64(min(before, math.MaxInt64)), int64(min(most, pageRecords)))
	return page, err
}

func (s *SQLite) pageDown(stream string, from Revision, most int) (page []Recorded, err error) {
	size, removed := 0, false
	err = s.read(`SELECT s.removed, e.position, e.revision, e.id, e.kind, e.meta, e.data, e.created, e.binary
		FROM streams s LEFT JOIN events e ON e.stream = s.id AND e.revision <= ?2
		WHERE s.name = ?1 ORDER BY e.revision DESC LIMIT ?3`, func(row []driver.Value) bool {
		removed = row[0].(int64) != 0
		if row[1] != nil {
			page = append(page, recorded(stream, row[1], row[2], row[3:]))
			size += len(page[len(page)-1].Data)
		}
		return size < pageBytes
	}, stream, int64(from), int64(min(most, pageRecords)))
	if err == nil && removed {
		err = refuseRemoved(stream)
	}
	return page, err
}

func (s *SQLite) systemStreams(prefix string) (names []string, err error) {
	err = s.read(`SELECT name FROM streams WHERE name >= ? AND name < ? AND removed = 0`, func(row []driver.Value) bool {
		names = append(names, row[0].(string))
		return true
	}, prefix, prefix+"\U0010ffff")
	return names, err
}

func (m *Memory) drop(_ context.Context, stream string, expected, before Revision) error {
	return m.truncate(stream, expected, before, true)
}

func (m *Memory) bury(_ context.Context, stream string, expected Revision) error {
	return m.remove(stream, expected, true)
}

func (m *Memory) end() Position { return m.tail.end() }

func (m *Memory) pageBack(before Position, most int) ([]Recorded, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return reversedPage(m.all[:sort.Search(len(m.all), func(i int) bool { return m.all[i].Position >= before })], most), nil
}

func (m *Memory) pageDown(stream string, from Revision, most int) ([]Recorded, error) {
	records, err := m.records(stream, 0)
	if err != nil {
		return nil, err
	}
	return reversedPage(records[:sort.Search(len(records), func(i int) bool { return records[i].Revision > from })], most), nil
}

func reversedPage(records []Recorded, most int) (page []Recorded) {
	for i := len(records) - 1; i >= 0 && len(page) < min(most, pageRecords); i-- {
		page = append(page, records[i])
	}
	return page
}

func (m *Memory) systemStreams(prefix string) (names []string, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for name, s := range m.streams {
		if !s.removed && len(name) > len(prefix) && name[:len(prefix)] == prefix {
			names = append(names, name)
		}
	}
	return names, nil
}
