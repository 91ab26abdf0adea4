package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"heddle/store/cache"
)

// SQLite is a [Log] in one file, with `-wal` and `-shm` files beside it while it is open. Every append is on
// disk before it returns. One process at a time may have it open for writing; after Close the one file is a
// complete backup, and `sqlite3 FILE .backup` makes one at any time.
type SQLite struct {
	Shared

	path    string
	tail    *tail
	writer  *writer
	readers chan *conn // nil stands for a connection not opened yet
	closing chan struct{}
	once    sync.Once
	closed  error
}

// Commit describes one fsync of the SQLite log, for [OnCommit].
type Commit struct {
	Appends int // appends that waited and went in together, including refused ones
	Events  int
	Took    time.Duration
	Err     error // why nothing was written
}

// SQLiteOption changes how OpenSQLite opens a log.
type SQLiteOption func(*writer)

// OnCommit sets a callback for every commit, for metrics. The writer calls it, so it must be quick.
func OnCommit(report func(Commit)) SQLiteOption {
	return func(w *writer) { w.report = report }
}

// Logger sets the logger of work that no caller waits for: returning space, closing a broken connection.
func Logger(log *slog.Logger) SQLiteOption {
	return func(w *writer) { w.log = log }
}

const readerCount = 4

// OpenSQLite opens the log in a file and creates the file if there is none; its folder must exist.
func OpenSQLite(path string, opts ...SQLiteOption) (*SQLite, error) {
	s, err := openSQLite(path, opts...)
	if err != nil {
		return nil, fmt.Errorf("opening the event log %s: %w", path, unavailable(err))
	}
	go s.writer.loop()
	return s, nil
}

func openSQLite(path string, opts ...SQLiteOption) (*SQLite, error) {
	w := &writer{
		path: path, requests: make(chan *request), stop: make(chan struct{}), stopped: make(chan struct{}),
		heads: cache.New[string, head](headsCached), recent: cache.New[uuid.UUID, place](recentCached),
		categories: map[string]int64{}, grown: map[string]Position{}, report: func(Commit) {},
		log: slog.New(slog.DiscardHandler), freelist: freelistKept,
	}
	for _, o := range opts {
		o(w)
	}
	if err := w.open(); err != nil {
		return nil, err
	}
	w.tail = newTail(w.last)
	s := &SQLite{path: path, tail: w.tail, writer: w, closing: make(chan struct{}),
		readers: make(chan *conn, readerCount)}
	for range readerCount {
		s.readers <- nil
	}
	return s, nil
}

// Append implements [Log].
func (s *SQLite) Append(ctx context.Context, stream string, expected Revision, events ...Event) (Position, error) {
	if err := CheckAppend(stream, expected, events); err != nil {
		return 0, err
	}
	return s.writer.submit(ctx, &request{stream: stream, expected: expected, events: events, do: (*writer).append})
}

// Remove implements [Log].
func (s *SQLite) Remove(ctx context.Context, stream string) error {
	_, err := s.writer.submit(ctx, &request{stream: stream, expected: AnyRevision, do: (*writer).remove})
	return err
}

// Truncate implements [Log].
func (s *SQLite) Truncate(ctx context.Context, stream string, before Revision) error {
	_, err := s.writer.submit(ctx, &request{stream: stream, expected: AnyRevision, before: before,
		do: (*writer).truncate})
	return err
}

// Close implements [Log]. It moves the write-ahead log into the file, so that it alone is the log.
func (s *SQLite) Close() error {
	s.once.Do(func() {
		close(s.closing)
		var errs []error
		for range readerCount { // each is returned after the page it reads
			if c := <-s.readers; c != nil {
				errs = append(errs, c.close())
			}
		}
		close(s.writer.stop)
		<-s.writer.stopped
		errs = append(errs, s.writer.close())
		if err := errors.Join(errs...); err != nil {
			s.closed = fmt.Errorf("closing the event log %s: %w", s.path, unavailable(err))
		}
	})
	return s.closed
}
