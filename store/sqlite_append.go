package store

import (
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// head is the writer's knowledge of a stream.
type head struct {
	id       int64 // of its row, 0 if there is none
	category int64
	revision Revision
	first    Revision // records before it are gone; the one after revision if all are
	removed  bool
}

const (
	selectHead = `SELECT s.id, s.removed, ifnull((SELECT max(revision) FROM events WHERE stream = s.id), s.first - 1), s.first
		FROM streams s WHERE s.name = ?`
	insertStream = `INSERT INTO streams (name) VALUES (?)`
	selectIDs    = `SELECT position, id FROM events WHERE stream = ? AND revision > ? AND revision <= ? ORDER BY revision`
)

const insertRows = 16 // most events in one statement; one for each event takes 10 to 30 % more processor time

// insertEvents inserts as many events as its index says.
var insertEvents = func() (sql [insertRows + 1]string) {
	const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	for n := 1; n <= insertRows; n++ {
		sql[n] = "INSERT INTO events (position, stream, revision, category, id, kind, meta, data, created, binary) VALUES " +
			row + strings.Repeat(", "+row, n-1)
	}
	return sql
}()

// head reads the head of a stream.
func (w *writer) head(stream string) (head, error) {
	if h, ok := w.heads.Get(stream); ok {
		return h, nil
	}
	h := head{revision: NoStream}
	err := w.conn.query(selectHead, func(row []driver.Value) bool {
		h.id, h.removed, h.revision, h.first = row[0].(int64), row[1].(int64) != 0, Revision(row[2].(int64)),
			Revision(row[3].(int64))
		return false
	}, stream)
	if err == nil && h.id != 0 {
		h.category, err = w.category(Recorded{Stream: stream}.Category())
	}
	return h, err
}

// append checks everything before it writes anything, so that a refusal leaves nothing behind.
func (w *writer) append(r *request) (Position, error) {
	_, warm := w.heads.Get(r.stream)
	h, err := w.head(r.stream)
	switch {
	case err != nil:
		return 0, err
	case h.removed:
		return 0, RefuseRemoved(r.stream)
	}
	if r.expected < NoStream {
		if !warm {
			err = w.remember(h)
		}
		if place, ok := w.recent.Get(r.events[0].ID); ok && place.stream == h.id {
			r.expected = place.revision - 1
		}
	}
	if err != nil {
		return 0, err
	}
	if !h.is(r.expected) {
		return w.repeated(h, r)
	}
	if h.id == 0 {
		if h, err = w.create(r.stream); err != nil {
			return 0, err
		}
	}
	w.recent.Put(r.events[0].ID, place{h.id, h.revision + 1})
	r.revived = h.empty() && h.first > 0
	created := time.Now().UnixMicro()
	for events := range slices.Chunk(r.events, insertRows) {
		w.row = w.row[:0]
		for i := range events {
			e := &events[i]
			h.revision++
			w.last++
			w.row = append(w.row, int64(w.last), h.id, int64(h.revision), h.category,
				e.ID[:], e.Kind, notNull(e.Meta), notNull(e.Data), created, e.Binary)
			w.appended = append(w.appended, Recorded{Event: e.asRead(), Stream: r.stream, Revision: h.revision,
				Position: w.last, Created: created})
		}
		if err := w.conn.exec(insertEvents[len(events)], w.row...); err != nil {
			return 0, err
		}
	}
	w.heads.Put(r.stream, h)
	w.grown[Recorded{Stream: r.stream}.Category()] = w.last
	r.revision = h.revision
	return w.last, nil
}

const remembered = 256 // records of a stream at its first append since the start

// remember reads the records that an append without an expected revision may repeat.
func (w *writer) remember(h head) error {
	return w.conn.query(`SELECT revision, id FROM events WHERE stream = ? AND revision > ?`,
		func(row []driver.Value) bool {
			w.recent.Put(uuid.UUID(row[1].([]byte)), place{h.id, Revision(row[0].(int64))})
			return true
		}, h.id, int64(h.revision)-remembered)
}

// place is where an append went, to recognize a repeat whose caller expects no revision.
type place struct {
	stream   int64
	revision Revision
}

// empty reports whether all records were dropped, or never existed.
func (h head) empty() bool { return h.revision < h.first }

// is reports whether the stream is as an append expects it. One whose records were all dropped may be begun
// again.
func (h head) is(expected Revision) bool {
	switch expected {
	case AnyRevision:
		return true
	case SomeStream:
		return !h.empty()
	case NoStream:
		return h.empty()
	}
	return h.revision == expected
}

// repeated returns the result of an append that was made before, and refuses any other.
func (w *writer) repeated(h head, r *request) (Position, error) {
	var ids []uuid.UUID
	var last Position
	err := w.conn.query(selectIDs, func(row []driver.Value) bool {
		last = Position(row[0].(int64))
		ids = append(ids, uuid.UUID(row[1].([]byte)))
		return true
	}, h.id, int64(r.expected), int64(r.expected)+int64(len(r.events)))
	switch {
	case err != nil:
		return 0, err
	case sameIDs(ids, r.events):
		r.revision = r.expected + Revision(len(ids))
		return last, nil
	}
	return 0, &ConflictError{Stream: r.stream, Expected: r.expected, Actual: h.revision}
}

func (w *writer) create(stream string) (head, error) {
	category, err := w.category(Recorded{Stream: stream}.Category())
	if err != nil {
		return head{}, err
	}
	id, err := w.conn.insert(insertStream, stream)
	return head{id: id, category: category, revision: NoStream}, err
}

// category returns the number that a category's records are indexed under.
func (w *writer) category(name string) (int64, error) {
	if id, ok := w.categories[name]; ok {
		return id, nil
	}
	id, err := w.conn.number("SELECT id FROM categories WHERE name = ?", name)
	if err == nil && id == 0 {
		id, err = w.conn.insert("INSERT INTO categories (name) VALUES (?)", name)
	}
	if err != nil {
		return 0, err
	}
	w.categories[name] = id
	return id, nil
}

// asRead returns the event as it is read: an empty blob comes as nil.
func (e Event) asRead() Event {
	if len(e.Meta) == 0 {
		e.Meta = nil
	}
	if len(e.Data) == 0 {
		e.Data = nil
	}
	return e
}

// notNull distinguishes an empty slice from SQL's NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
