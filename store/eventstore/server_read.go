package eventstore

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"heddle/store"
)

// streamsService is EventStoreDB's service for streams.
type streamsService struct {
	streams.UnimplementedStreamsServer
	*Server
}

// reading is one call of Read.
type reading struct {
	*Server
	ctx      context.Context
	options  *streams.ReadReq_Options
	send     func(*streams.ReadResp) error
	filter   *selection
	plainIDs bool   // ids as strings
	left     uint64 // records that may still be sent
}

// Read implements the service: a part of a stream or of the whole log in either direction, or everything after
// a place.
func (f *streamsService) Read(req *streams.ReadReq, stream streams.Streams_ReadServer) error {
	ctx, cancel := f.until(stream.Context())
	defer cancel()
	o := req.GetOptions()
	r := &reading{Server: f.Server, ctx: ctx, options: o, send: stream.Send, left: o.GetCount()}
	_, r.plainIDs = o.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_)
	if filter := o.GetFilter(); filter != nil {
		var err error
		if r.filter, err = newSelection(filter); err != nil {
			return err
		}
	}
	name := string(o.GetStream().GetStreamIdentifier().GetStreamName())
	_, subscribe := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	back := o.GetReadDirection() == streams.ReadReq_Options_Backwards
	var err error
	switch {
	case o.GetStream() != nil && name == "":
		return status.Error(codes.InvalidArgument, "a stream's name is missing")
	case subscribe && back:
		return status.Error(codes.InvalidArgument, "a subscription reads forwards")
	case subscribe && o.GetStream() != nil:
		err = r.followStream(name, o.GetStream())
	case subscribe:
		err = r.followAll(o.GetAll())
	case r.left == 0:
		return nil
	case o.GetStream() != nil:
		err = r.stream(name, o.GetStream(), back)
	case back:
		err = r.allBack(o.GetAll())
	default:
		err = r.all(o.GetAll())
	}
	if err == nil || errors.Is(err, errEnough) {
		return nil
	}
	return r.refuse(ctx, name, err)
}

// errEnough ends a read that has sent as many records as asked.
var errEnough = errors.New("enough")

// give sends a record, unless the filter excludes it.
func (r *reading) give(record store.Recorded) error {
	if !r.filter.takes(record) {
		return nil
	}
	if err := r.send(
		&streams.ReadResp{Content: &streams.ReadResp_Event{Event: readEvent(record, r.plainIDs)}}); err != nil {
		return err
	}
	if r.left--; r.left == 0 {
		return errEnough
	}
	return nil
}

// stream reads a stream. It skips records past the stream's age limit, which are gone soon.
func (r *reading) stream(name string, o *streams.ReadReq_Options_StreamOptions, back bool) error {
	from := store.Revision(0)
	switch at := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = revisionOf(at.Revision)
	case *streams.ReadReq_Options_StreamOptions_End:
		from = math.MaxInt64
	}
	oldest, sent := r.oldest(name), r.left
	var err error
	if back {
		err = r.streamBack(name, from, oldest)
	} else {
		for record, problem := range r.log.Read(r.ctx, name, from) {
			if err = problem; err == nil && record.Created >= oldest {
				err = r.give(record)
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil || sent != r.left {
		return err
	}
	head, err := r.log.PageDown(name, math.MaxInt64, 1)
	if err != nil || len(head) > 0 && head[0].Created >= oldest {
		return err
	}
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
		StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(
			name)}}}})
}

func (r *reading) streamBack(name string, from store.Revision, oldest int64) error {
	for from >= 0 {
		page, err := r.log.PageDown(name, from, int(min(r.left, store.PageRecords)))
		if err != nil || len(page) == 0 {
			return err
		}
		for _, record := range page {
			if record.Created < oldest {
				return nil
			}
			if err := r.give(record); err != nil {
				return err
			}
			from = record.Revision - 1
		}
	}
	return nil
}

// all reads the whole log on from a position, the record there included.
func (r *reading) all(o *streams.ReadReq_Options_AllOptions) error {
	after := store.Position(0)
	switch at := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		after = store.Position(max(at.Position.GetCommitPosition(), 1)) - 1
	case *streams.ReadReq_Options_AllOptions_End:
		return nil
	}
	end := r.log.End()
	for {
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		page, last, err := r.log.Page(after, end, r.filter.pushed())
		if err != nil {
			return err
		}
		for _, record := range page {
			if err := r.give(record); err != nil {
				return err
			}
			after = record.Position
		}
		if last || len(page) == 0 {
			return nil
		}
	}
}

// allBack reads the whole log from before a position to its beginning.
func (r *reading) allBack(o *streams.ReadReq_Options_AllOptions) error {
	before := store.Position(math.MaxUint64)
	switch at := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		before = store.Position(at.Position.GetCommitPosition())
	case *streams.ReadReq_Options_AllOptions_Start:
		return nil
	}
	for {
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		page, err := r.log.PageBack(before, store.PageRecords)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, record := range page {
			if err := r.give(record); err != nil {
				return err
			}
			before = record.Position
		}
	}
}

// readEvent returns a record in wire form. A link, which only projections make, is shown as it is.
func readEvent(r store.Recorded, plainID bool) *streams.ReadResp_ReadEvent {
	return &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               wireID(r.ID, plainID),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.Stream)},
			StreamRevision:   uint64(r.Revision),
			PreparePosition:  uint64(r.Position),
			CommitPosition:   uint64(r.Position),
			Metadata:         wireMetadata(r),
			CustomMetadata:   r.Meta,
			Data:             r.Data,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(r.Position)},
	}
}

const ticksPerMicrosecond = 10 // EventStoreDB counts time in .NET's ticks of 100 ns, since 1970

func wireMetadata(r store.Recorded) map[string]string {
	content := jsonContent
	if r.Binary {
		content = binaryContent
	}
	return map[string]string{"type": r.Kind, "content-type": content,
		"created": strconv.FormatInt(r.Created*ticksPerMicrosecond, 10)}
}

func wireID(id uuid.UUID, plain bool) *shared.UUID {
	if plain {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	most, least := int64(0), int64(0)
	for i, b := range id {
		if i < 8 {
			most = most<<8 | int64(b)
		} else {
			least = least<<8 | int64(b)
		}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: most,
		LeastSignificantBits: least}}}
}

// oldest returns the time before which a stream's records count as gone, 0 if it keeps them.
func (s *Server) oldest(stream string) int64 {
	if l := s.limits.of(stream); l.age > 0 {
		return time.Now().Add(-l.age).UnixMicro()
	}
	return 0
}
