package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"heddle/domain"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cenkalti/backoff/v5"
)

// EventStoreDB is a [Log] on a server that speaks EventStoreDB's protocol, such as [Server].
type EventStoreDB struct {
	link    link
	closing chan struct{}
	once    sync.Once
	mu      sync.RWMutex // held for reading by what Close waits for
}

const (
	callTime   = 10 * time.Second // for one try of a call
	appendTime = 20 * time.Second // for all tries of an append whose outcome is not known
	pageCall   = 60 * time.Second // for a page of records
)

// OpenEventStoreDB takes an address as EventStoreDB's clients do: esdb://user:password@host:2113 with
// tls, tlsCAFile, tlsVerifyCert and so on as query, several hosts or esdb+discover:// for a cluster. It
// does not wait for the server. User and password go over plain connections to loopback addresses only.
func OpenEventStoreDB(address string, logger *slog.Logger) (*EventStoreDB, error) {
	e := &EventStoreDB{closing: make(chan struct{})}
	if err := e.link.configure(address, logger); err != nil {
		return nil, err
	}
	return e, nil
}

// Read implements [Log].
func (e *EventStoreDB) Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		for from = max(from, 0); ; {
			var page []Recorded
			var all bool
			err := e.again(ctx, func() (err error) {
				page, all, err = e.readPage(ctx, stream, esdb.Revision(uint64(from)), esdb.Forwards, pageRecords)
				return err
			})
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

// again repeats what only asks while the connection is lost.
func (e *EventStoreDB) again(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, appendTime, errUnreachable)
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := e.call(call)
		if err != nil && !errors.Is(err, errUnknown) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(retryWait()))
	return finally(ctx, err)
}

// errUnreachable is why a call was given up, when it was not its caller who left.
var errUnreachable = domain.Refuse(domain.Unavailable, "the event log's server can't be reached")

// finally says what the end of tries means to the caller.
func finally(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errUnreachable) && domain.CodeOf(err) == "" {
		return fmt.Errorf("%w (%w)", errUnreachable, err)
	}
	return err
}

func retryWait() backoff.BackOff {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval = 50*time.Millisecond, 2, 2*time.Second
	return wait
}

// call runs what Close waits for.
func (e *EventStoreDB) call(do func() error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed() {
		return errClosed
	}
	return do()
}

func (e *EventStoreDB) closed() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// readPage reads some records of a stream; one that does not exist has none.
func (e *EventStoreDB) readPage(ctx context.Context, stream string, from esdb.StreamPosition, direction esdb.Direction, count int) (page []Recorded, all bool, err error) {
	limit := pageCall
	err = e.link.use(ctx, stream, func(ctx context.Context, c *esdb.Client) error {
		page = nil
		records, err := c.ReadStream(ctx, stream, esdb.ReadStreamOptions{Direction: direction, From: from, Deadline: &limit}, uint64(count))
		if err != nil {
			return err
		}
		defer records.Close()
		for size := 0; len(page) < count && size < pageBytes; {
			record, err := records.Recv()
			if errors.Is(err, io.EOF) {
				all = true
				return nil
			}
			if err != nil {
				return err
			}
			page = append(page, recordOf(record))
			size += len(record.Event.Data) + len(record.Event.UserMetadata)
		}
		return nil
	})
	if codeOf(err) == esdb.ErrorCodeResourceNotFound {
		return nil, true, nil
	}
	return page, all, err
}

// recordOf takes a record from the wire. Nothing here makes links, and nothing is written that way.
func recordOf(r *esdb.ResolvedEvent) Recorded {
	e := r.OriginalEvent()
	record := Recorded{Stream: e.StreamID, Revision: Revision(e.EventNumber), Position: Position(e.Position.Commit), Created: e.CreatedDate.UnixMicro(),
		Event: Event{ID: e.EventID, Kind: e.EventType, Binary: e.ContentType != jsonContent}}
	if len(e.UserMetadata) > 0 {
		record.Meta = e.UserMetadata
	}
	if len(e.Data) > 0 {
		record.Data = e.Data
	}
	return record
}

// Append implements [Log]. An outcome that is not known is asked for by repeating the append with the
// same event ids, even if the caller has left.
func (e *EventStoreDB) Append(ctx context.Context, stream string, expected Revision, events ...Event) (Position, error) {
	if err := checkAppend(stream, expected, events); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	proposed := make([]esdb.EventData, len(events))
	for i, event := range events {
		proposed[i] = esdb.EventData{EventID: event.ID, EventType: event.Kind, Data: event.Data, Metadata: event.Meta, ContentType: esdb.ContentTypeJson}
		if event.Binary {
			proposed[i].ContentType = esdb.ContentTypeBinary
		}
	}
	var position Position
	err := e.again(context.WithoutCancel(ctx), func() error {
		return e.link.use(context.WithoutCancel(ctx), stream, func(ctx context.Context, c *esdb.Client) error {
			limit := callTime
			w, err := c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expectation(expected), Deadline: &limit}, proposed...)
			if err == nil {
				position = Position(w.CommitPosition)
			}
			return conflictOf(stream, expected, err)
		})
	})
	if err == nil && position == 0 { // a server may answer a repeat without a position
		return e.positionOf(ctx, stream, expected+Revision(len(events)))
	}
	return position, err
}

func (e *EventStoreDB) positionOf(ctx context.Context, stream string, at Revision) (Position, error) {
	for r, err := range e.Read(ctx, stream, at) {
		return r.Position, err
	}
	return 0, fmt.Errorf("%s has no revision %d, which was appended", stream, at)
}

func expectation(expected Revision) esdb.ExpectedRevision {
	if expected == NoStream {
		return esdb.NoStream{}
	}
	return esdb.Revision(uint64(expected))
}

// conflictOf finds out what revision a stream is at from the only place where the client tells it.
func conflictOf(stream string, expected Revision, err error) error {
	e, ok := errors.AsType[*esdb.Error](err)
	if !ok || e.Code() != esdb.ErrorCodeWrongExpectedVersion {
		return err
	}
	conflict := &ConflictError{Stream: stream, Expected: expected, Actual: NoStream}
	if _, actual, _ := strings.Cut(e.Err().Error(), "but got '"); actual != "no_stream'" {
		if _, err := fmt.Sscanf(actual, "%d'", &conflict.Actual); err != nil {
			return fmt.Errorf("the client tells a conflict in words that are not known: %w", e)
		}
	}
	return conflict
}

// Remove implements [Log] by a tombstone. EventStoreDB shows the records to followers until it is
// scavenged.
func (e *EventStoreDB) Remove(ctx context.Context, stream string) error {
	limit := callTime
	err := e.again(ctx, func() error {
		return e.link.use(ctx, stream, func(ctx context.Context, c *esdb.Client) error {
			_, err := c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.StreamExists{}, Deadline: &limit})
			return err
		})
	})
	switch {
	case domain.CodeOf(err) == domain.NotFound: // removed before
		return nil
	case errors.Is(err, errPrecondition):
		return refuseUnknown(stream)
	}
	return err
}

// Truncate implements [Log] by the stream's metadata. EventStoreDB shows the records to followers until
// it is scavenged.
func (e *EventStoreDB) Truncate(ctx context.Context, stream string, before Revision) error {
	return e.again(ctx, func() error {
		newest, _, err := e.readPage(ctx, stream, esdb.End{}, esdb.Backwards, 1)
		if err != nil {
			return err
		}
		if len(newest) == 0 {
			return refuseUnknown(stream)
		}
		return e.link.use(ctx, stream, func(ctx context.Context, c *esdb.Client) error {
			limit := callTime
			m, err := c.GetStreamMetadata(ctx, stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, Deadline: &limit})
			if codeOf(err) == esdb.ErrorCodeResourceNotFound {
				m, err = &esdb.StreamMetadata{}, nil
			}
			if err != nil {
				return err
			}
			at := uint64(max(0, min(before, newest[0].Revision)))
			if now := m.TruncateBefore(); now != nil && *now >= at && *now < math.MaxInt64 {
				return nil
			}
			m.SetTruncateBefore(at)
			_, err = c.SetStreamMetadata(ctx, stream, esdb.AppendToStreamOptions{Deadline: &limit}, *m)
			return err
		})
	})
}

// Close implements [Log].
func (e *EventStoreDB) Close() error {
	e.once.Do(func() {
		close(e.closing)
		e.mu.Lock() // what was handed over has been answered
		defer e.mu.Unlock()
		e.link.close()
	})
	return nil
}
