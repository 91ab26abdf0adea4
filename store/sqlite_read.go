package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"strings"
)

// selectStream finds the stream and a page of its records in one statement, so that the two can't disagree; the
// first row distinguishes a stream without records from a missing one.
const selectStream = `SELECT s.removed, e.position, e.revision, e.id, e.kind, e.meta, e.data, e.created, e.binary
	FROM streams s LEFT JOIN events e ON e.stream = s.id AND e.revision >= ?2
	WHERE s.name = ?1 ORDER BY e.revision LIMIT 512`

// Read implements [Log].
func (s *SQLite) Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		for {
			if ctx.Err() != nil {
				yield(Recorded{}, ctx.Err())
				return
			}
			page, all, err := s.readPage(stream, from)
			if err != nil {
				yield(Recorded{}, err)
				return
			}
			for _, r := range page {
				from = r.Revision + 1
				if !yield(r, nil) {
					return
				}
			}
			if all {
				return
			}
		}
	}
}

func (s *SQLite) readPage(stream string, from Revision) (page []Recorded, all bool, err error) {
	rows, size, removed := 0, 0, false
	err = s.read(selectStream, func(row []driver.Value) bool {
		rows++
		removed = row[0].(int64) != 0
		if row[1] != nil {
			r := recorded(stream, row[1], row[2], row[3:])
			page = append(page, r)
			size += len(r.Meta) + len(r.Data)
		}
		return size < PageBytes
	}, stream, int64(from))
	if err == nil && removed {
		err = RefuseRemoved(stream)
	}
	return page, rows < PageRecords && size < PageBytes, err
}

// Follow implements [Log].
func (s *SQLite) Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error] {
	return follow(ctx, s.tail, s.closing, s.Page, after, filter)
}

// Page implements [ServedLog].
func (s *SQLite) Page(after, until Position, f Filter) (page []Recorded, all bool, err error) {
	if page, all, known := s.tail.page(after, until, f); known {
		return page, all, nil
	}
	args := []any{int64(after), int64(until)}
	for _, category := range f.Categories {
		args = append(args, category)
	}
	size := 0
	err = s.read(selectFollow(len(f.Categories), f.System), func(row []driver.Value) bool {
		if page == nil {
			page = make([]Recorded, 0, min(until-after, PageRecords))
		}
		r := recorded(row[1].(string), row[0], row[2], row[3:])
		page = append(page, r)
		size += len(r.Meta) + len(r.Data)
		return size < PageBytes
	}, args...)
	return page, len(page) < PageRecords && size < PageBytes, err
}

const followColumns = `SELECT e.position, s.name, e.revision, e.id, e.kind, e.meta, e.data, e.created, e.binary FROM `

// selectFollow selects a page of the whole log, or of some categories by merging their indexes:
// SQLite reads each in order and stops at the page's end.
func selectFollow(categories int, system bool) string {
	if categories == 0 {
		which := ` AND s.name NOT GLOB '$*'`
		if system {
			which = ``
		}
		return followColumns + `events e JOIN streams s ON s.id = e.stream
			WHERE e.position > ?1 AND e.position <= ?2` + which + ` ORDER BY e.position LIMIT 512`
	}
	each := make([]string, categories)
	for i := range each {
		each[i] = fmt.Sprintf(`SELECT position AS p FROM events
			WHERE category = (SELECT id FROM categories WHERE name = ?%d) AND position > ?1 AND position <= ?2`, i+3)
	}
	return followColumns + `(` + strings.Join(each, ` UNION ALL `) +
		` ORDER BY p LIMIT 512) CROSS JOIN events e ON e.position = p
		JOIN streams s ON s.id = e.stream ORDER BY p`
}

// recorded takes, after position and revision, the columns id, kind, meta, data, created and binary.
// An empty blob comes as nil.
func recorded(stream string, position, revision driver.Value, row []driver.Value) Recorded {
	r := Recorded{Stream: stream, Position: Position(position.(int64)), Revision: Revision(revision.(int64)),
		Created: row[4].(int64)}
	r.Kind, r.Binary = row[1].(string), row[5].(int64) != 0
	copy(r.ID[:], row[0].([]byte))
	r.Meta, _ = row[2].([]byte)
	r.Data, _ = row[3].([]byte)
	return r
}

// read runs one query on a connection of the pool; the statement is done before it returns.
func (s *SQLite) read(sql string, each func([]driver.Value) bool, args ...any) error {
	var c *conn
	select {
	case <-s.closing:
		return ErrClosed
	case c = <-s.readers:
	}
	defer func() { s.readers <- c }()
	if c == nil {
		opened, err := openConn(s.path, readerPragmas...)
		if err != nil {
			return unavailable(err)
		}
		c = opened
	}
	if err := c.query(sql, each, args...); err != nil {
		return fmt.Errorf("reading the event log: %w", unavailable(err))
	}
	return nil
}
