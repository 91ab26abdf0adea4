// Package eventstore speaks EventStoreDB's protocol, so that a log can be on another machine and others can
// read ours: a [Client] is a log on a server, and a [Server] serves an embedded log to such clients. Nothing
// durable depends on it.
package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"heddle/domain/refusal"
	"heddle/store"
)

// Client is a [store.Log] on a server that speaks EventStoreDB's protocol, such as [Server].
type Client struct {
	store.Shared

	link    link
	tries   time.Duration // for all tries of a call
	closing chan struct{}
	once    sync.Once
	mu      sync.RWMutex // held for reading by calls that Close waits for
}

const (
	callTime  = 10 * time.Second // for one try of a call
	triesTime = 20 * time.Second // for all tries of a call while the server can't be reached
	pageCall  = 60 * time.Second // for a page of records
)

// Open takes an address as EventStoreDB's clients do: esdb://user:password@host:2113 with tls, tlsCAFile,
// tlsVerifyCert and so on as query, several hosts or esdb+discover:// for a cluster. It does not wait for the
// server. It sends user and password over plain connections to loopback addresses only.
func Open(address string, logger *slog.Logger) (*Client, error) {
	e := &Client{tries: triesTime, closing: make(chan struct{})}
	if err := e.link.configure(address, logger); err != nil {
		return nil, err
	}
	return e, nil
}

// Read implements [store.Log].
func (e *Client) Read(ctx context.Context, stream string, from store.Revision) iter.Seq2[store.Recorded, error] {
	return func(yield func(store.Recorded, error) bool) {
		for from = max(from, 0); ; {
			var page []store.Recorded
			var all bool
			err := e.again(ctx, func() (err error) {
				page, all, err = e.readPage(ctx, stream, from, store.PageRecords)
				return err
			})
			if err != nil {
				yield(store.Recorded{}, err)
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

// again repeats a read while the connection is lost.
func (e *Client) again(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.tries, store.ErrUnreachable)
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := e.call(call)
		if err != nil && !errors.Is(err, store.ErrUnknownOutcome) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(retryWait()))
	return finally(ctx, err)
}

// finally returns the caller's error when tries end.
func finally(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), store.ErrUnreachable) && refusal.CodeOf(err) == "" {
		return fmt.Errorf("%w (%w)", store.ErrUnreachable, err)
	}
	return err
}

func retryWait() backoff.BackOff {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval = 50*time.Millisecond, 2, 2*time.Second
	return wait
}

// call runs a call that Close waits for.
func (e *Client) call(do func() error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed() {
		return store.ErrClosed
	}
	return do()
}

func (e *Client) closed() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// readPage reads some records of a stream from a revision on, or the newest ones downwards from endOfStream; a
// missing stream has none.
func (e *Client) readPage(ctx context.Context, stream string, from store.Revision,
	count int) (page []store.Recorded, all bool, err error) {
	o := &streams.ReadReq_Options_StreamOptions{StreamIdentifier: identifier(stream)}
	options := &streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_Stream{Stream: o},
		UuidOption: structuredIDs, FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		CountOption: &streams.ReadReq_Options_Count{Count: uint64(count)}}
	if o.RevisionOption = (&streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(from)}); from ==
		endOfStream {
		o.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
		options.ReadDirection = streams.ReadReq_Options_Backwards
	}
	err = e.link.use(ctx, stream, func(c streams.StreamsClient, trailer grpc.CallOption) error {
		page = nil
		ctx, cancel := context.WithTimeout(ctx, pageCall)
		defer cancel()
		records, err := c.Read(ctx, &streams.ReadReq{Options: options}, trailer)
		if err != nil {
			return err
		}
		for size := 0; size < store.PageBytes; {
			answer, err := records.Recv()
			if errors.Is(err, io.EOF) {
				all = len(page) < count
				return nil
			}
			if err != nil {
				return err
			}
			if event := answer.GetEvent(); event != nil {
				r, err := recordOf(event)
				if err != nil {
					return err
				}
				page = append(page, r)
				size += len(r.Data) + len(r.Meta)
			}
		}
		return nil
	})
	return page, all, err
}

const endOfStream store.Revision = math.MaxInt64

var structuredIDs = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// recordOf converts a record from the wire. Links are not followed, and so none comes.
func recordOf(event *streams.ReadResp_ReadEvent) (store.Recorded, error) {
	e := event.GetEvent()
	id, err := idOf(e.GetId())
	if err != nil {
		return store.Recorded{}, fmt.Errorf("the event log's server tells an id that is none: %w", err)
	}
	created, err := strconv.ParseInt(e.GetMetadata()["created"], 10, 64)
	if err != nil {
		return store.Recorded{}, fmt.Errorf("the event log's server tells a time that is none: %w", err)
	}
	r := store.Recorded{Stream: string(e.GetStreamIdentifier().GetStreamName()),
		Revision: store.Revision(e.GetStreamRevision()), Position: store.Position(e.GetCommitPosition()),
		Created: created / ticksPerMicrosecond, Event: store.Event{ID: id, Kind: e.GetMetadata()["type"],
			Binary: e.GetMetadata()["content-type"] != jsonContent}}
	if len(e.GetCustomMetadata()) > 0 {
		r.Meta = e.GetCustomMetadata()
	}
	if len(e.GetData()) > 0 {
		r.Data = e.GetData()
	}
	return r, nil
}

// Append implements [store.Log]. If the outcome is unknown, it repeats the append with the same event ids, even
// if the caller has left.
func (e *Client) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	if err := store.CheckAppend(stream, expected, events); err != nil {
		return 0, err
	}
	return e.write(ctx, stream, expected, events)
}

func (e *Client) write(ctx context.Context, stream string, expected store.Revision,
	events []store.Event) (position store.Position, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx)
	messages, begun := appendMessages(stream, expected, events), false
	err = e.again(ctx, func() error {
		return e.link.use(ctx, stream, func(c streams.StreamsClient, trailer grpc.CallOption) error {
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			call, err := c.Append(ctx, trailer)
			if err != nil {
				return err
			}
			begun = true
			position, err = writeOnce(call, messages, &store.ConflictError{Stream: stream, Expected: expected,
				Actual: store.NoStream})
			return err
		})
	})
	if begun && errors.Is(err, store.ErrUnreachable) {
		return 0, fmt.Errorf("%w; %w", err, store.ErrUnknownOutcome)
	}
	if err == nil && position == 0 && expected >= store.NoStream { // a server may answer a repeat without a position
		for r, err := range e.Read(ctx, stream, expected+store.Revision(len(events))) {
			return r.Position, err
		}
	}
	return position, err
}

// writeOnce sends an append and returns the answer; a conflict is stored in conflict.
func writeOnce(call streams.Streams_AppendClient, messages []*streams.AppendReq,
	conflict *store.ConflictError) (store.Position, error) {
	for _, m := range messages {
		if err := call.Send(m); errors.Is(err, io.EOF) {
			break // the server has answered already
		} else if err != nil {
			return 0, err
		}
	}
	answer, err := call.CloseAndRecv()
	if err != nil {
		return 0, err
	}
	wrong := answer.GetWrongExpectedVersion()
	if wrong == nil {
		return store.Position(answer.GetSuccess().GetPosition().GetCommitPosition()), nil
	}
	if at, ok := wrong.GetCurrentRevisionOption().(*streams.AppendResp_WrongExpectedVersion_CurrentRevision); ok {
		conflict.Actual = store.Revision(at.CurrentRevision)
	}
	return 0, conflict
}

func appendMessages(stream string, expected store.Revision, events []store.Event) []*streams.AppendReq {
	o := &streams.AppendReq_Options{StreamIdentifier: identifier(stream)}
	switch expected {
	case store.NoStream:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	case store.AnyRevision:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: &shared.Empty{}}
	default:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(expected)}
	}
	messages := []*streams.AppendReq{{Content: &streams.AppendReq_Options_{Options: o}}}
	for _, e := range events {
		content := jsonContent
		if e.Binary {
			content = binaryContent
		}
		messages = append(messages,
			&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
				Id: wireID(e.ID, false), Metadata: map[string]string{"type": e.Kind, "content-type": content},
				CustomMetadata: e.Meta, Data: e.Data}}})
	}
	return messages
}

// Remove implements [store.Log] by a tombstone. EventStoreDB shows the records to followers until it is
// scavenged.
func (e *Client) Remove(ctx context.Context, stream string) error {
	req := &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{StreamIdentifier: identifier(stream),
		ExpectedStreamRevision: &streams.TombstoneReq_Options_StreamExists{StreamExists: &shared.Empty{}}}}
	err := e.again(ctx, func() error {
		return e.link.use(ctx, stream, func(c streams.StreamsClient, trailer grpc.CallOption) error {
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			_, err := c.Tombstone(ctx, req, trailer)
			return err
		})
	})
	switch {
	case refusal.CodeOf(err) == refusal.NotFound: // removed before
		return nil
	case errors.Is(err, errPrecondition):
		return store.RefuseUnknown(stream)
	}
	return err
}

// Truncate implements [store.Log] by the stream's metadata. EventStoreDB shows the records to followers until
// it is scavenged.
func (e *Client) Truncate(ctx context.Context, stream string, before store.Revision) error {
	var newest, described []store.Recorded
	err := e.again(ctx, func() (err error) {
		if newest, _, err = e.readPage(ctx, stream, endOfStream, 1); err == nil {
			described, _, err = e.readPage(ctx, metaPrefix+stream, endOfStream, 1)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(newest) == 0:
		return store.RefuseUnknown(stream)
	}
	all, expected, now := map[string]any{}, store.NoStream, streamMetadata{}
	if len(described) == 1 {
		expected = described[0].Revision
		if err := errors.Join(json.Unmarshal(described[0].Data, &all),
			json.Unmarshal(described[0].Data, &now)); err != nil {
			return fmt.Errorf("reading the metadata of %s: %w", stream, err)
		}
	}
	if before = max(0, min(before, newest[0].Revision)); int64(before) <= now.Before {
		return nil
	}
	all["$tb"] = int64(before)
	data, err := json.Marshal(all)
	if err == nil {
		_, err = e.write(ctx, metaPrefix+stream, expected,
			[]store.Event{{ID: uuid.New(), Kind: "$metadata", Data: data}})
	}
	return err
}

// Close implements [store.Log].
func (e *Client) Close() (err error) {
	e.once.Do(func() {
		close(e.closing)
		e.mu.Lock() // all calls have ended
		defer e.mu.Unlock()
		err = e.link.close()
	})
	return err
}
