package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"

	"heddle/domain/refusal"
	"heddle/store/cache"
	"heddle/store/files"
)

const (
	groupAppends = 256     // most requests in one commit
	groupBytes   = 4 << 20 // and about how many bytes
	headsCached  = 1 << 13 // streams, in each of two generations
	recentCached = 1 << 15 // appends, in each of two generations
)

// writer owns the one connection that writes, and its goroutine. All requests that wait while it commits go
// into the next commit together: one fsync for all of them.
type writer struct {
	path     string
	requests chan *request
	stop     chan struct{}
	stopped  chan struct{}
	tail     *tail
	report   func(Commit)
	log      *slog.Logger
	freelist int64    // free pages that are kept for reuse
	pragmas  []string // besides writerPragmas, for tests

	conn       *conn // nil after it broke, until it can be reopened
	version    int64 // data_version: changes when somebody else has written to the file
	last       Position
	heads      *cache.Map[string, head]
	recent     *cache.Map[uuid.UUID, place] // first ids of appends, and their places
	categories map[string]int64
	row        []any               // reused by every insert
	grown      map[string]Position // by the group at work
	appended   []Recorded          // by the group at work
	dropped    bool                // the group at work has removed records
	shrunk     bool                // records were removed since space was returned
	fresh      bool                // free pages may be of a version that did not overwrite removed data
	again      <-chan time.Time    // when to retry emptying the WAL that a reader prevented
}

// request is a piece of work in a commit. do returns a refusal that concerns this request only, before it has
// written anything, and any other error if the whole commit has to be undone.
type request struct {
	do       func(*writer, *request) (Position, error)
	stream   string
	expected Revision
	before   Revision
	events   []Event
	whole    bool // all records may go, and the stream need not exist

	position Position
	revision Revision // of the last event
	revived  bool     // all records of the stream had been dropped
	err      error
	done     chan struct{}
}

func (r *request) bytes() (n int) {
	for _, e := range r.events {
		n += len(e.Meta) + len(e.Data)
	}
	return n
}

// submit passes a request to the writer and waits for it: from then on it can't be cancelled.
func (w *writer) submit(ctx context.Context, r *request) (Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r.done = make(chan struct{})
	select {
	case w.requests <- r:
	case <-w.stop:
		return 0, ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	<-r.done
	return r.position, r.err
}

func (w *writer) loop() {
	defer close(w.stopped)
	for {
		idle := w.idle()
		select {
		case r := <-w.requests:
			w.serve(w.gather(r))
		case <-idle:
			w.giveBack()
		case <-w.again:
			w.shrunk, w.again = true, nil
		case <-w.stop:
			return
		}
	}
}

// gather adds the requests that already wait. Callers that were just answered often come at once with the next
// request: letting them run first makes the groups of a few busy callers twice as large.
func (w *writer) gather(first *request) []*request {
	runtime.Gosched()
	group, size := []*request{first}, first.bytes()
	for len(group) < groupAppends && size < groupBytes {
		select {
		case r := <-w.requests:
			group = append(group, r)
			size += r.bytes()
		default:
			return group
		}
	}
	return group
}

// serve commits a group, or, if that fails, each of the group alone: a request that does not fit on the disk
// must not keep out one that does.
func (w *writer) serve(group []*request) {
	if err := w.commit(group); err != nil && len(group) > 1 {
		for i := range group {
			w.commit(group[i : i+1])
		}
	}
	for _, r := range group {
		close(r.done)
	}
}

// commit does all requests of a group in one transaction. Its error has been set in all of them.
func (w *writer) commit(group []*request) error {
	start := time.Now()
	clear(w.grown)
	clear(w.appended)
	w.appended, w.dropped = w.appended[:0], false
	last := w.last
	err := w.transact(group)
	report := Commit{Appends: len(group), Took: time.Since(start), Err: err}
	if err != nil {
		w.last = last
		err = unavailable(err)
		for _, r := range group {
			r.position, r.err = 0, err
			w.heads.Remove(r.stream)
		}
	} else {
		for _, r := range group {
			if r.err == nil {
				report.Events += len(r.events)
			}
		}
		if w.dropped {
			w.tail.forget()
			w.appended = nil // they may be gone already
		}
		if len(w.grown) > 0 {
			w.tail.publish(w.grown, w.appended...)
		}
	}
	w.report(report)
	return err
}

func (w *writer) transact(group []*request) error {
	if w.conn == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	err := w.begin()
	for _, r := range group {
		if err != nil {
			break
		}
		r.position, r.err = r.do(w, r)
		if _, conflict := errors.AsType[*ConflictError](r.err); !conflict && refusal.CodeOf(r.err) == "" {
			err = r.err
		}
	}
	if err == nil {
		err = uncertain(w.conn.exec("COMMIT"))
	}
	if err != nil {
		w.undo()
	}
	return err
}

// begin starts a transaction and forgets the cached state if somebody else has written to the file.
func (w *writer) begin() error {
	if err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	version, err := w.conn.number("PRAGMA data_version")
	if err != nil || version == w.version {
		return err
	}
	w.version = version
	return w.load()
}

// load reads the writer's cached state: at the start, after somebody else has written and after a failed
// commit, which may have landed and which followers then have to hear of.
func (w *writer) load() error {
	w.heads.Clear()
	clear(w.categories)
	if w.tail != nil {
		w.tail.forget() // somebody else may have removed some of it
	}
	last, err := w.conn.number("SELECT max(ifnull((SELECT max(position) FROM events), 0), position) FROM high_water")
	w.last = Position(last)
	if err != nil || w.tail == nil || w.last <= w.tail.end() {
		return err
	}
	grown := map[string]Position{}
	err = w.conn.query(`SELECT c.name, max(e.position) FROM events e JOIN categories c ON c.id = e.category
		WHERE e.position > ? GROUP BY c.id`, func(row []driver.Value) bool {
		grown[row[0].(string)] = Position(row[1].(int64))
		return true
	}, int64(w.tail.end()))
	if err == nil && len(grown) > 0 {
		w.tail.publish(grown)
	}
	return err
}

// undo rolls back; a connection that can't even do that is dropped and reopened later.
func (w *writer) undo() {
	w.recent.Clear()
	clear(w.categories)
	w.version = -1 // the cache is read again: only the file knows what has landed
	err := w.conn.exec("ROLLBACK")
	if err == nil || w.conn.exec("BEGIN") == nil && w.conn.exec("ROLLBACK") == nil {
		return // in the second case SQLite had rolled back by itself
	}
	w.log.Warn("giving up a broken connection to the event log", "error", err)
	if err := w.close(); err != nil {
		w.log.Warn("closing a broken connection to the event log", "error", err)
	}
}

func (w *writer) open() error {
	if err := files.MakePrivate(w.path); err != nil {
		return err
	}
	left, err := os.Stat(w.path + "-wal") // a crash may have come before it was emptied
	cutOff := err == nil && left.Size() > 0
	c, err := openConn(w.path, slices.Concat(writerPragmas, w.pragmas)...)
	if err != nil {
		return err
	}
	w.conn = c
	free, err := c.number("PRAGMA freelist_count")
	if w.fresh = free > 0; w.fresh || cutOff {
		w.shrunk = true
	}
	if err != nil {
		return errors.Join(err, w.close())
	}
	if err := prepareSchema(c); err != nil {
		return errors.Join(err, w.close())
	}
	w.version, err = c.number("PRAGMA data_version")
	if err == nil {
		err = w.load()
	}
	if err != nil {
		return errors.Join(err, w.close())
	}
	return nil
}

// close moves the write-ahead log into the file and closes the connection.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	err := errors.Join(w.conn.run("PRAGMA wal_checkpoint(TRUNCATE)"), w.conn.close())
	w.conn = nil
	return err
}
