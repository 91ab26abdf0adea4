// Package store keeps all that lasts: the log of events, blobs and sealed secrets; and Live, which
// carries what may vanish between the processes that share a log.
package store

import (
	"context"
	"iter"
	"strings"

	"github.com/google/uuid"
)

// Position is a place in the whole log. It only grows; gaps are normal. 0 is before the first event.
type Position uint64

// Revision is a place in one stream, counted from 0.
type Revision int64

// NoStream is the expected revision of a stream that must not exist yet.
const NoStream Revision = -1

// MaxEvent is the largest event that any adapter takes, data and meta together.
const MaxEvent = 512 << 10 // bytes

// Event is one event ready to be appended. Its id makes a repeat of the append recognisable.
type Event struct {
	ID   uuid.UUID
	Kind string
	Meta []byte // JSON of domain.Meta
	Data []byte // JSON
}

// Recorded is an event as stored, called a record; or a mark, when Stream is empty: all matching
// events up to Position have been yielded.
type Recorded struct {
	Event
	Stream   string
	Revision Revision
	Position Position
}

// Mark tells a position without an event.
func (r Recorded) Mark() bool { return r.Stream == "" }

// Category is the part of the stream's name before the first dash.
func (r Recorded) Category() string {
	category, _, _ := strings.Cut(r.Stream, "-")
	return category
}

// AggregateID is the part of the stream's name after the first dash.
func (r Recorded) AggregateID() string {
	_, id, _ := strings.Cut(r.Stream, "-")
	return id
}

// Filter chooses the streams that Follow yields by their category; none chosen means all.
type Filter struct {
	Categories []string
}

// Log is the one place where facts are kept. Every adapter passes the suite in log_test.go.
//
// Errors: a wrong expected revision is a *ConflictError; an event over [MaxEvent] is INVALID; a
// store that can't take the write now (disk full, closed, connection lost) is UNAVAILABLE. An
// append repeated with the same event ids at the same expected revision succeeds again with the
// first position.
type Log interface {
	// Read yields the stream's records from a revision on. A stream that does not exist yields
	// nothing; one that was removed yields a NOT_FOUND error.
	Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error]
	// Append writes all events or none, durably, at the revision after expected, and returns the
	// position of the last one. Once handed to the writer it is awaited even if ctx ends.
	Append(ctx context.Context, stream string, expected Revision, events ...Event) (Position, error)
	// Follow yields all matching records after a position, then what is appended, and marks: the
	// first one means caught up. It ends only with ctx's error or the log's.
	Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error]
	// Remove deletes a stream for ever: its name is never used again.
	Remove(ctx context.Context, stream string) error
	// Truncate forgets the stream's records before a revision; only state streams use it.
	Truncate(ctx context.Context, stream string, before Revision) error
	// Close waits for what was handed to the writer and releases the store.
	Close() error
}

// ConflictError says that a stream is not at the revision that an append expected.
type ConflictError struct {
	Stream   string
	Expected Revision
	Actual   Revision // NoStream when it does not exist
}

func (e *ConflictError) Error() string {
	return "stream " + e.Stream + " was changed meanwhile"
}
