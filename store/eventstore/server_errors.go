package eventstore

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/genproto/googleapis/rpc/code"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"heddle/domain/refusal"
	"heddle/store"
)

// exception refuses a call the way EventStoreDB does: clients read the reason from the trailers.
func exception(ctx context.Context, c codes.Code, message, kind string, details ...string) error {
	if err := grpc.SetTrailer(ctx, metadata.Pairs(append([]string{"exception", kind}, details...)...)); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return status.Error(c, message)
}

// refuse turns an error of the log about a stream into one that clients understand.
func (s *Server) refuse(ctx context.Context, stream string, err error) error {
	if conflict, ok := errors.AsType[*store.ConflictError](err); ok {
		details := []string{"stream-name", stream, "expected-version", strconv.FormatInt(int64(conflict.Expected), 10)}
		if conflict.Actual != store.NoStream {
			details = append(details, "actual-version", strconv.FormatInt(int64(conflict.Actual), 10))
		}
		return exception(ctx, codes.FailedPrecondition, "Append failed due to WrongExpectedVersion.",
			"wrong-expected-version", details...)
	}
	if _, already := status.FromError(err); already {
		return err
	}
	if errors.Is(err, store.ErrBehind) {
		return status.Error(codes.OutOfRange, err.Error())
	}
	switch refusal.CodeOf(err) {
	case refusal.NotFound: // only calls for a removed stream return it
		return exception(ctx, codes.FailedPrecondition, "Event stream '"+stream+"' is deleted.", "stream-deleted",
			"stream-name", stream)
	case refusal.Invalid:
		return status.Error(codes.InvalidArgument, err.Error())
	case refusal.Unavailable:
		if errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrUnknownOutcome) {
			return status.Error(codes.Unavailable, err.Error())
		}
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		if errors.Is(context.Cause(ctx), store.ErrClosed) {
			return status.Error(codes.Unavailable, "the server is stopping")
		}
		return status.FromContextError(err).Err()
	}
	s.logger.Error("serving the event log", "stream", stream, "error", err)
	return status.Error(codes.Internal, "the event log failed; its own log says why")
}

func (s *Server) tooLarge(ctx context.Context) error {
	return exception(ctx, codes.InvalidArgument, "Maximum Append Size of "+strconv.Itoa(MaxAppend)+" Exceeded.",
		"maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(MaxAppend))
}

// batchStatus is refuse for answers that carry the error inside.
func (s *Server) batchStatus(ctx context.Context, stream string, err error) *rpc.Status {
	var detail proto.Message
	c := code.Code_UNKNOWN
	conflict, isConflict := errors.AsType[*store.ConflictError](err)
	switch {
	case isConflict:
		c, detail = code.Code_ALREADY_EXISTS, batchConflict(conflict)
	case refusal.CodeOf(err) == refusal.NotFound:
		c, detail = code.Code_FAILED_PRECONDITION,
			&shared.StreamDeleted{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}}
	case errors.Is(err, errTooLarge):
		c, detail = code.Code_INVALID_ARGUMENT, &shared.MaximumAppendSizeExceeded{MaxAppendSize: MaxAppend}
	case errors.Is(err, context.DeadlineExceeded):
		c, detail = code.Code_DEADLINE_EXCEEDED, &shared.Timeout{}
	case refusal.CodeOf(err) == refusal.Invalid || status.Code(err) == codes.InvalidArgument:
		c, detail = code.Code_INVALID_ARGUMENT, &shared.BadRequest{Message: err.Error()}
	default:
		detail = &shared.Unknown{}
		err = s.refuse(ctx, stream, err)
	}
	packed, packing := anypb.New(detail)
	if packing != nil {
		s.logger.Error("serving the event log", "stream", stream, "error", packing)
	}
	return &rpc.Status{Code: int32(c), Message: err.Error(), Details: []*anypb.Any{packed}}
}

var errTooLarge = errors.New("the append is too large")

func batchConflict(c *store.ConflictError) *shared.WrongExpectedVersion {
	w := &shared.WrongExpectedVersion{CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(c.Actual)}}
	if c.Actual == store.NoStream {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	}
	switch c.Expected {
	case store.NoStream:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	case store.AnyRevision:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case store.SomeStream:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	default:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(c.Expected)}
	}
	return w
}

// revisionOf converts a revision from the wire.
func revisionOf(n uint64) store.Revision { return store.Revision(min(n, math.MaxInt64)) }
