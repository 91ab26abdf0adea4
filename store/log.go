// Package store keeps the log of events, in memory or on SQLite: the facts that everything else is
// folded from. Aggregates are read from the log, and changed in it, by handles.
//
// Its words:
//
//   - record: an event as stored. stream: the records of one aggregate, named "<category>-<id>".
//   - category: the streams of one kind of aggregate, with its traits ([domain.Category]).
//   - position: a record's place in the whole log. revision: its place in its stream, from 0.
//   - mark: a position without a record, which says that a follower has everything up to it.
//   - handle: an aggregate as read from its stream. change: load, decide, append, and again after a conflict.
//   - fold: the state after a record, as cached for the next reader.
//   - chain: each record names the hash of the stream's previous one. [Verify] checks it.
//   - head: a digest of all chains up to a position ([Head]); in the SQLite writer, the end of one stream.
//   - tombstone: the rest of a removed stream, whose name is never used again.
//   - truncate: drop a stream's older records, which a snapshot repeats.
//   - own: appended by Heddle. A shared log has records of other programs, too.
//   - tail: the end of the log, where followers wait.
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

// MaxEvent is the size of the largest event that any adapter takes, data and meta together.
const MaxEvent = 512 << 10 // bytes

// MaxChange is the size limit of one change, data, meta and kinds together: less than the 1 MiB that an
// EventStoreDB takes by default, so that every log takes every change.
const MaxChange = 1_000_000 // bytes

// Limits of all adapters.
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

// Recorded is an event as stored, called a record; or a mark, if Stream is empty: all matching events up to
// Position have been yielded.
type Recorded struct {
	Event
	Stream   string
	Revision Revision
	Position Position
	Created  int64 // µs since 1970; 0 if the log does not know
}

// Mark reports whether this is a mark: a position without an event.
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

// Filter selects the streams that Follow yields by their category; none means all.
type Filter struct {
	Categories []string
	// System includes, if no category is selected, the store's own streams, such as the metadata of others:
	// their names begin with $.
	System bool
}

// Log is the one place where facts are kept. Every adapter passes the suite in storetest.
//
// Errors: a wrong expected revision is a *ConflictError; an event over [MaxEvent], no event at all or a stream
// name without a category is INVALID; a removed stream is NOT_FOUND; a store that can't take the write now
// (disk full, closed, connection lost) is UNAVAILABLE. An append repeated with the same event ids at the same
// expected revision succeeds again with the first position; one that shares only some of the ids is a conflict.
type Log interface {
	// Read yields the stream's records from a revision on. A missing stream yields nothing; a removed one
	// yields a NOT_FOUND error.
	Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error]
	// Append writes all events or none, durably, at the revision after expected, and returns the
	// position of the last one. Once handed to the writer it is awaited even if ctx ends.
	Append(ctx context.Context, stream string, expected Revision, events ...Event) (Position, error)
	// Follow yields all matching records after a position, then new ones, and marks: the first one means caught
	// up. It ends only with ctx's error or the log's, such as ErrBehind for a position behind the end; an
	// unreachable server does not end it. No reader may depend on how soon a mark comes where nothing matches.
	Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error]
	// Remove deletes a stream for ever: its name is never used again. Removing it twice is a success, removing
	// a stream that never existed is NOT_FOUND.
	Remove(ctx context.Context, stream string) error
	// Truncate drops the stream's records before a revision, but never the last record, since the next one
	// names its hash; only state streams use it.
	Truncate(ctx context.Context, stream string, before Revision) error
	// Close waits for everything passed to the writer and releases the store.
	Close() error
	// shared comes with [Shared], which every adapter embeds.
	shared() *Shared
}

// ConflictError says that a stream is not at the revision that an append expected.
type ConflictError struct {
	Stream   string
	Expected Revision
	Actual   Revision // NoStream if it does not exist
}

func (e *ConflictError) Error() string {
	return "stream " + e.Stream + " was changed meanwhile"
}

// ErrBehind refuses to follow from a position that the log has not reached: it was restored to an older state.
var ErrBehind = refusal.New(refusal.Conflict,
	"the event log ends before the position to go on from: it is another one, or was restored from a backup")

// ErrUnknownOutcome is in the error of an append that may have come through although it failed. Repeating it
// with the same event ids settles it.
var ErrUnknownOutcome = errors.New("whether it was written is not known")

// ErrUnreachable is in the error of a call that was given up because the log's server can't be reached.
var ErrUnreachable = refusal.New(refusal.Unavailable, "the event log's server can't be reached")

// ErrClosed is the error of a closed log.
var ErrClosed = refusal.New(refusal.Unavailable, "the event log is closed")

// RefuseRemoved returns the refusal for a removed stream.
func RefuseRemoved(stream string) error {
	return refusal.New(refusal.NotFound, "%s was removed", stream)
}

// RefuseUnknown returns the refusal for a stream that never existed.
func RefuseUnknown(stream string) error {
	return refusal.New(refusal.NotFound, "%s does not exist", stream)
}

// CheckAppend refuses an append that no adapter takes.
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
			return refusal.New(refusal.Invalid, "the event %s has %d bytes, more than the %d that one event may have",
				e.Kind, size, MaxEvent)
		}
		if e.Kind == "" || e.ID == uuid.Nil {
			return refusal.New(refusal.Invalid, "an event for %s has no kind or no id", stream)
		}
	}
	return nil
}

// sameIDs reports whether the records at the place of an append come from that very append.
func sameIDs(stored []uuid.UUID, events []Event) bool {
	return slices.EqualFunc(stored, events, func(id uuid.UUID, e Event) bool { return id == e.ID })
}
