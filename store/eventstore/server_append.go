package eventstore

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"heddle/store"
)

const (
	jsonContent   = "application/json"
	binaryContent = "application/octet-stream"
)

const (
	appendsAtOnce = 32               // appends that are received at once; others wait
	receiveTime   = 10 * time.Second // for an append to come in
	maxEvents     = 1 << 15          // events of one append
)

// incoming is an append as it arrives.
type incoming struct {
	options *streams.AppendReq_Options
	events  []store.Event
	wrong   error // returned only after all was received: a client that still sends would not see it
	err     error
}

// receive reads an append. Few are read at once, and none for long: until it is complete, its size is unknown.
func (f *streamsService) receive(stream streams.Streams_AppendServer) incoming {
	ctx := stream.Context()
	select {
	case f.appends <- struct{}{}:
	case <-ctx.Done():
		return incoming{err: status.FromContextError(ctx.Err()).Err()}
	}
	done := make(chan incoming, 1)
	go func() {
		defer func() { <-f.appends }()
		done <- receiveAll(stream)
	}()
	late := time.NewTimer(receiveTime)
	defer late.Stop()
	select {
	case r := <-done:
		return r
	case <-late.C: // the call's end ends the receiving
		return incoming{err: status.Errorf(codes.DeadlineExceeded, "the append has not come in within %s", receiveTime)}
	}
}

func receiveAll(stream streams.Streams_AppendServer) (r incoming) {
	first, err := stream.Recv()
	if err != nil {
		return incoming{err: err}
	}
	if r.options = first.GetOptions(); r.options == nil {
		return incoming{err: status.Error(codes.InvalidArgument, "an append begins with its options")}
	}
	for size := 0; ; {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return r
		}
		if err != nil {
			return incoming{err: err}
		}
		e, err := eventOf(stream.Context(), req.GetProposedMessage())
		if size += len(e.Data) + len(e.Meta); size > MaxAppend || len(r.events) == maxEvents {
			err, r.events = errTooLarge, nil
		}
		if r.wrong == nil {
			if r.wrong = err; err == nil {
				r.events = append(r.events, e)
			}
		}
	}
}

// Append implements the service: the events of one call are written together or not at all.
func (f *streamsService) Append(stream streams.Streams_AppendServer) error {
	ctx := stream.Context()
	r := f.receive(stream)
	if r.err != nil {
		return r.err
	}
	o, events, wrong := r.options, r.events, r.wrong
	name, expected := string(o.GetStreamIdentifier().GetStreamName()), expectedOf(o.GetExpectedStreamRevision())
	switch {
	case errors.Is(wrong, errTooLarge):
		return f.tooLarge(ctx)
	case wrong != nil:
		return wrong
	}
	w, err := f.put(ctx, name, expected, events)
	if conflict, ok := errors.AsType[*store.ConflictError](err); ok {
		return stream.SendAndClose(
			&streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wireConflict(
				conflict)}})
	}
	if err != nil {
		return f.refuse(ctx, name, err)
	}
	return stream.SendAndClose(
		&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
			CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(w.Revision)},
			PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
				CommitPosition: uint64(w.Position), PreparePosition: uint64(w.Position)}},
		}}})
}

// proposed is the common form of the events of both ways to append.
type proposed interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

func eventOf(ctx context.Context, p proposed) (store.Event, error) {
	e := store.Event{Kind: p.GetMetadata()["type"], Meta: p.GetCustomMetadata(), Data: p.GetData()}
	content := p.GetMetadata()["content-type"]
	e.Binary = content != jsonContent
	if e.Kind == "" || content == "" {
		return e, exception(ctx, codes.InvalidArgument, "Required Metadata Property Missing",
			"missing-required-metadata-property", "required-metadata-properties", "type,content-type")
	}
	var err error
	if e.ID, err = idOf(p.GetId()); err != nil || e.ID == uuid.Nil {
		return e, status.Error(codes.InvalidArgument, "an event has no id")
	}
	return e, nil
}

func idOf(id *shared.UUID) (u uuid.UUID, err error) {
	s := id.GetStructured()
	if s == nil {
		return uuid.Parse(id.GetString_())
	}
	for i := range 8 {
		u[i] = byte(s.GetMostSignificantBits() >> (56 - 8*i))
		u[8+i] = byte(s.GetLeastSignificantBits() >> (56 - 8*i))
	}
	return u, nil
}

// expectedOf converts a call's expected revision; each call has its own types for the same choice.
func expectedOf(option any) store.Revision {
	switch o := option.(type) {
	case *streams.AppendReq_Options_Revision:
		return revisionOf(o.Revision)
	case *streams.DeleteReq_Options_Revision:
		return revisionOf(o.Revision)
	case *streams.TombstoneReq_Options_Revision:
		return revisionOf(o.Revision)
	case *streams.BatchAppendReq_Options_StreamPosition:
		return revisionOf(o.StreamPosition)
	case *streams.AppendReq_Options_NoStream, *streams.DeleteReq_Options_NoStream,
		*streams.TombstoneReq_Options_NoStream, *streams.BatchAppendReq_Options_NoStream:
		return store.NoStream
	case *streams.AppendReq_Options_StreamExists, *streams.DeleteReq_Options_StreamExists,
		*streams.TombstoneReq_Options_StreamExists, *streams.BatchAppendReq_Options_StreamExists:
		return store.SomeStream
	}
	return store.AnyRevision
}

func wireConflict(c *store.ConflictError) *streams.AppendResp_WrongExpectedVersion {
	w := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(c.Actual)},
		CurrentRevisionOption: &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(
			c.Actual)},
	}
	if c.Actual == store.NoStream {
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
	}
	switch c.Expected {
	case store.NoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	case store.AnyRevision:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
	case store.SomeStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	default:
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(c.Expected)}
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(
			c.Expected)}
	}
	return w
}

// BatchAppend implements the service: many appends over one call, in order, each answered by its id.
func (f *streamsService) BatchAppend(stream streams.Streams_BatchAppendServer) error {
	ctx, cancel := f.until(stream.Context())
	defer cancel()
	received, failed := make(chan *streams.BatchAppendReq), make(chan error, 1)
	go func() {
		for {
			req, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case received <- req:
			case <-ctx.Done():
				return
			}
		}
	}()
	waiting := map[uuid.UUID]*batch{}
	for {
		select {
		case <-ctx.Done():
			return f.refuse(ctx, "", ctx.Err())
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case req := <-received:
			if err := f.batched(ctx, waiting, req, stream.Send); err != nil {
				return err
			}
		}
	}
}

// batch is an append that comes in several messages.
type batch struct {
	options *streams.BatchAppendReq_Options
	events  []store.Event
	size    int
	err     error
}

func (f *streamsService) batched(ctx context.Context, waiting map[uuid.UUID]*batch, req *streams.BatchAppendReq,
	send func(*streams.BatchAppendResp) error) error {
	id, err := idOf(req.GetCorrelationId())
	if err != nil {
		return status.Error(codes.InvalidArgument, "a correlation id is no UUID")
	}
	b := waiting[id]
	if b == nil {
		if len(waiting) >= maxBatches {
			return status.Error(codes.ResourceExhausted, "too many appends were begun and not finished")
		}
		b = &batch{options: req.GetOptions()}
		waiting[id] = b
	}
	for _, p := range req.GetProposedMessages() {
		e, err := eventOf(ctx, p)
		if b.size += len(e.Data) + len(e.Meta); b.size > MaxAppend || len(b.events) == maxEvents {
			err, b.events = errTooLarge, nil
		}
		if b.err == nil {
			if b.err = err; err == nil {
				b.events = append(b.events, e)
			}
		}
	}
	begun := 0
	for _, other := range waiting {
		begun += other.size
	}
	if begun > maxBegun {
		return status.Error(codes.ResourceExhausted, "too much was begun to be appended and not finished")
	}
	if !req.GetIsFinal() {
		return nil
	}
	delete(waiting, id)
	answer := f.putBatch(ctx, b)
	answer.CorrelationId = req.GetCorrelationId()
	return send(answer)
}

// How much one caller may have begun and not finished.
const (
	maxBatches = 64            // appends
	maxBegun   = 2 * MaxAppend // bytes
)

func (f *streamsService) putBatch(ctx context.Context, b *batch) *streams.BatchAppendResp {
	name, expected := string(b.options.GetStreamIdentifier().GetStreamName()),
		expectedOf(b.options.GetExpectedStreamPosition())
	answer := &streams.BatchAppendResp{StreamIdentifier: b.options.GetStreamIdentifier()}
	switch expected {
	case store.AnyRevision:
		answer.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: &emptypb.Empty{}}
	case store.SomeStream:
		answer.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: &emptypb.Empty{}}
	case store.NoStream:
		answer.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: &emptypb.Empty{}}
	default:
		answer.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: uint64(expected)}
	}
	err := b.err
	if t := b.options.GetDeadline_21_10_0(); err == nil && t != nil && t.AsTime().Before(time.Now()) {
		err = context.DeadlineExceeded
	}
	var w store.Written
	if err == nil {
		w, err = f.put(ctx, name, expected, b.events)
	}
	if err != nil {
		answer.Result = &streams.BatchAppendResp_Error{Error: f.batchStatus(ctx, name, err)}
		return answer
	}
	answer.Result = &streams.BatchAppendResp_Success_{Success: &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(w.Revision)},
		PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: uint64(w.Position), PreparePosition: uint64(w.Position)}},
	}}
	return answer
}

// Delete implements the service: the stream's records go, its name may be used again.
func (f *streamsService) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	err := f.writable(name)
	if err == nil {
		err = f.log.Drop(ctx, name, expectedOf(o.GetExpectedStreamRevision()), math.MaxInt64)
	}
	if err == nil {
		err = f.rememberTruncation(ctx, name, math.MaxInt64)
	}
	if err != nil {
		return nil, f.refuse(ctx, name, err)
	}
	end := uint64(f.log.End())
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{CommitPosition: end, PreparePosition: end}}}, nil
}

// Tombstone implements the service: the stream's name is never used again.
func (f *streamsService) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	err := f.writable(name)
	if err == nil {
		_, err = f.log.PageDown(name, math.MaxInt64, 1) // refused if it was removed before, as EventStoreDB does
	}
	if err == nil {
		err = f.log.Bury(ctx, name, expectedOf(o.GetExpectedStreamRevision()))
	}
	if err == nil {
		f.limits.set(name, limit{})
		err = f.log.Drop(ctx, metaPrefix+name, store.AnyRevision, math.MaxInt64)
	}
	if err != nil {
		return nil, f.refuse(ctx, name, err)
	}
	end := uint64(f.log.End())
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{CommitPosition: end, PreparePosition: end}}}, nil
}
