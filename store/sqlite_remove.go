package store

import (
	"errors"
	"fmt"
	"time"
)

const (
	freelistKept = 1024 // pages of 4 KiB
	vacuumStep   = 256  // pages returned between two commits
)

// remove leaves the stream's row as a tombstone, even of a stream that never existed if asked to.
func (w *writer) remove(r *request) (Position, error) {
	h, err := w.head(r.stream)
	switch {
	case err != nil:
		return 0, err
	case h.removed:
		return 0, nil
	case h.id == 0 && !r.whole:
		return 0, RefuseUnknown(r.stream)
	case !h.is(r.expected):
		return 0, &ConflictError{Stream: r.stream, Expected: r.expected, Actual: h.revision}
	case h.id == 0:
		if h, err = w.create(r.stream); err != nil {
			return 0, err
		}
	}
	if err := w.conn.exec(`UPDATE streams SET removed = 1 WHERE id = ?`, h.id); err != nil {
		return 0, err
	}
	w.heads.Remove(r.stream)
	return 0, w.drop(h, h.revision+1)
}

// truncate keeps the last record unless all may go.
func (w *writer) truncate(r *request) (Position, error) {
	h, err := w.head(r.stream)
	switch {
	case err != nil:
		return 0, err
	case h.removed:
		return 0, RefuseRemoved(r.stream)
	case h.id == 0 && !r.whole:
		return 0, RefuseUnknown(r.stream)
	case !h.is(r.expected):
		return 0, &ConflictError{Stream: r.stream, Expected: r.expected, Actual: h.revision}
	case h.id == 0:
		return 0, nil
	}
	last := h.revision
	if r.whole {
		last++
	}
	before := max(0, min(r.before, last))
	w.heads.Remove(r.stream)
	if err := w.conn.exec(`UPDATE streams SET first = max(first, ?) WHERE id = ?`, int64(before), h.id); err != nil {
		return 0, err
	}
	return 0, w.drop(h, before)
}

// drop deletes a stream's records before a revision, and notes the last position, since the newest record may
// be among them.
func (w *writer) drop(h head, before Revision) error {
	w.shrunk, w.dropped = true, true
	if err := w.conn.exec(`UPDATE high_water SET position = ?`, int64(w.last)); err != nil {
		return err
	}
	return w.conn.exec(`DELETE FROM events WHERE stream = ? AND revision < ?`, h.id, int64(before))
}

// idle is ready while there may be space to return.
func (w *writer) idle() <-chan struct{} {
	if !w.shrunk || w.conn == nil {
		return nil
	}
	return always
}

var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// giveBack returns some free pages to the file system, a step at a time so that appends go between; a few stay
// for new records. Then it empties the write-ahead log, which still has the removed records.
func (w *writer) giveBack() {
	keep := w.freelist
	if w.fresh {
		keep = 0
	}
	free, err := w.conn.number("PRAGMA freelist_count")
	if err == nil && free > keep {
		if err = w.conn.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumStep)); err == nil {
			return
		}
	}
	w.shrunk, w.fresh = false, false
	if err == nil {
		err = w.emptyWAL()
	}
	if err != nil {
		w.log.Warn("giving back space of the event log", "error", err)
	}
}

// emptyPause is how long the write-ahead log is left alone if somebody reads from it, such as a backup.
const emptyPause = time.Second

// emptyWAL waits for nobody.
func (w *writer) emptyWAL() error {
	if err := w.conn.exec("PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	busy, err := w.conn.number("PRAGMA wal_checkpoint(TRUNCATE)")
	if busy != 0 {
		w.again = time.After(emptyPause)
	}
	return errors.Join(err, w.conn.run("PRAGMA "+busyTimeout))
}
