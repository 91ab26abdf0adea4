package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"strings"
)

// selectStream finds the stream and a page of its records in one statement, so that the two can't
// disagree; the first row tells a stream without records apart from none.
const selectStream = `SELECT s.removed, e.position, e.revision, e.id, e.kind, e.meta, e.data
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
			r := Recorded{Stream: stream, Position: Position(row[1].(int64)), Revision: Revision(row[2].(int64)), Event: event(row[3:])}
			page = append(page, r)
			size += len(r.Meta) + len(r.Data)
		}
		return size < pageBytes
	}, stream, int64(from))
	if err == nil && removed {
		err = refuseRemoved(stream)
	}
	return page, rows < pageRecords && size < pageBytes, err
}

// Follow implements [Log].
func (s *SQLite) Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error] {
	return follow(ctx, s.tail, s.closing, s.followPage, after, filter)
}

func (s *SQLite) followPage(after, until Position, f Filter) (page []Recorded, all bool, err error) {
	args := []any{int64(after), int64(until)}
	for _, category := range f.Categories {
		args = append(args, category)
	}
	size := 0
	err = s.read(selectFollow(len(f.Categories)), func(row []driver.Value) bool {
		r := Recorded{Position: Position(row[0].(int64)), Stream: row[1].(string), Revision: Revision(row[2].(int64)), Event: event(row[3:])}
		page = append(page, r)
		size += len(r.Meta) + len(r.Data)
		return size < pageBytes
	}, args...)
	return page, len(page) < pageRecords && size < pageBytes, err
}

// selectFollow selects a page of the whole log, or of some categories by merging their indexes:
// SQLite reads each in order and stops at the page's end.
func selectFollow(categories int) string {
	const columns = `SELECT e.position, s.name, e.revision, e.id, e.kind, e.meta, e.data FROM `
	if categories == 0 {
		return columns + `events e JOIN streams s ON s.id = e.stream
			WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position LIMIT 512`
	}
	each := make([]string, categories)
	for i := range each {
		each[i] = fmt.Sprintf(`SELECT position AS p FROM events
			WHERE category = (SELECT id FROM categories WHERE name = ?%d) AND position > ?1 AND position <= ?2`, i+3)
	}
	return columns + `(` + strings.Join(each, ` UNION ALL `) + ` ORDER BY p LIMIT 512) CROSS JOIN events e ON e.position = p
		JOIN streams s ON s.id = e.stream ORDER BY p`
}

// event takes the columns id, kind, meta and data. An empty blob comes as nil.
func event(row []driver.Value) Event {
	e := Event{Kind: row[1].(string)}
	copy(e.ID[:], row[0].([]byte))
	e.Meta, _ = row[2].([]byte)
	e.Data, _ = row[3].([]byte)
	return e
}

// read runs one query on a connection of the pool; the statement is done before it returns.
func (s *SQLite) read(sql string, each func([]driver.Value) bool, args ...any) error {
	var c *conn
	select {
	case <-s.closing:
		return errClosed
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
