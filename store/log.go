// Package store keeps what lasts: the log of events, in memory or on SQLite, and blobs. Aggregates are read from the
// log, and changed in it, by handles.
package store

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"heddle/domain/refusal"
)

// Position is a place in the whole log. It only grows; gaps are normal. 0 is before the first event.
type Position uint64

// Revision is a place in one stream, counted from 0.
type Revision int64

// NoStream is the expected revision of a stream that must not exist yet.
const NoStream Revision = -1

// MaxEvent is the largest event that any adapter takes, data and meta together.
const MaxEvent = 512 << 10 // bytes

// MaxChange is the most that one change appends, data, meta and kinds together: less than the 1 MiB that an
// EventStoreDB takes where nothing else is configured, so that every log takes every change.
const MaxChange = 1_000_000 // bytes

// What adapters are bounded by.
const (
	PageRecords = 512     // most records that an adapter reads before it yields them
	PageBytes   = 4 << 20 // and about how many bytes

	maxStreamName = 256 // bytes
)

// Event is one event ready to be appended. Its id makes a repeat of the append recognisable.
type Event struct {
	ID   uuid.UUID
	Kind string
	Meta []byte // JSON of domain.Meta
	Data []byte // JSON
	// Binary says that data is not JSON. Only other programs append such events, see [ServedLog].
	Binary bool
}

// Recorded is an event as stored, called a record; or a mark, when Stream is empty: all matching
// events up to Position have been yielded.
type Recorded struct {
	Event
	Stream   string
	Revision Revision
	Position Position
	Created  int64 // µs since 1970; 0 when the log does not know
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
	// System includes, where no category is chosen, the streams that the store itself keeps, such as
	// the metadata of others: their names begin with $.
	System bool
}

// Log is the one place where facts are kept. Every adapter passes the suite in storetest.
//
// Errors: a wrong expected revision is a *ConflictError; an event over [MaxEvent], no event at all
// or a stream name without a category is INVALID; a stream that was removed is NOT_FOUND; a store
// that can't take the write now (disk full, closed, connection lost) is UNAVAILABLE. An append
// repeated with the same event ids at the same expected revision succeeds again with the first
// position; one that shares only some of the ids is a conflict.
type Log interface {
	// Read yields the stream's records from a revision on. A stream that does not exist yields
	// nothing; one that was removed yields a NOT_FOUND error.
	Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error]
	// Append writes all events or none, durably, at the revision after expected, and returns the
	// position of the last one. Once handed to the writer it is awaited even if ctx ends.
	Append(ctx context.Context, stream string, expected Revision, events ...Event) (Position, error)
	// Follow yields all matching records after a position, then what is appended, and marks: the
	// first one means caught up. It ends only with ctx's error or the log's, which for a position
	// behind the end is ErrBehind; that the log can't be reached for a while does not end it. No reader
	// may depend on how soon a mark comes where nothing matches.
	Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error]
	// Remove deletes a stream for ever: its name is never used again. Removing it twice is a
	// success, removing one that never was is NOT_FOUND.
	Remove(ctx context.Context, stream string) error
	// Truncate forgets the stream's records before a revision, but never the last record, since the
	// next one names its hash; only state streams use it.
	Truncate(ctx context.Context, stream string, before Revision) error
	// Close waits for what was handed to the writer and releases the store.
	Close() error
	// shared comes with [Shared], which every adapter embeds.
	shared() *Shared
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

// ErrBehind refuses to follow from a position that the log has not reached: it was put back to an older one.
var ErrBehind = refusal.New(refusal.Conflict, "the event log ends before the position to go on from: it is another one, or was restored from a backup")

// ErrUnknownOutcome is in the error of an append that may have come through although it failed. Repeating it
// with the same event ids tells.
var ErrUnknownOutcome = errors.New("whether it was written is not known")

// ErrUnreachable is in the error of a call that was given up because the log's server can't be reached.
var ErrUnreachable = refusal.New(refusal.Unavailable, "the event log's server can't be reached")

// ErrClosed is what a log that was closed answers.
var ErrClosed = refusal.New(refusal.Unavailable, "the event log is closed")

// RefuseRemoved is what a log answers that had the stream removed.
func RefuseRemoved(stream string) error {
	return refusal.New(refusal.NotFound, "%s was removed", stream)
}

// RefuseUnknown is what a log answers that never had the stream.
func RefuseUnknown(stream string) error {
	return refusal.New(refusal.NotFound, "%s does not exist", stream)
}

// CheckAppend refuses what no adapter takes.
func CheckAppend(stream string, expected Revision, events []Event) error {
	category, id, _ := strings.Cut(stream, "-")
	switch {
	case category == "" || id == "" || len(stream) > maxStreamName:
		return refusal.New(refusal.Invalid, "%.80q is not a stream name such as draft-1", stream)
	case expected < NoStream:
		return refusal.New(refusal.Invalid, "revision %d can't be expected of %s", expected, stream)
	case len(events) == 0:
		return refusal.New(refusal.Invalid, "there is no event to append to %s", stream)
	}
	for _, e := range events {
		if size := len(e.Meta) + len(e.Data); size > MaxEvent {
			return refusal.New(refusal.Invalid, "the event %s has %d bytes, more than the %d that one event may have", e.Kind, size, MaxEvent)
		}
		if e.Kind == "" || e.ID == uuid.Nil {
			return refusal.New(refusal.Invalid, "an event for %s has no kind or no id", stream)
		}
	}
	return nil
}

// sameIDs tells whether the records that stand where an append wanted to write came from that very
// append.
func sameIDs(stored []uuid.UUID, events []Event) bool {
	return slices.EqualFunc(stored, events, func(id uuid.UUID, e Event) bool { return id == e.ID })
}
