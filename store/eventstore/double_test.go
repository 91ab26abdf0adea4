package eventstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"heddle/store"
)

// Double answers as EventStoreDB itself does where that differs from [Server]: it keeps records of its own
// among all others, marks a removed stream by a record in it, shows removed or truncated records to followers
// until a scavenge, sends a checkpoint only once in so many records, answers a repeat without a position, and
// refuses appends over a size that is 1 MiB by default.
type Double struct {
	streams.UnimplementedStreamsServer
	MaxAppend int
	Scavenged bool          // removed records vanish at once
	Refused   chan struct{} // if not nil, streams can't be read, and each attempt is sent here
	Address   string

	t    testing.TB
	stop func()

	mu      sync.Mutex
	all     []store.Recorded
	streams map[string][]store.Recorded
	removed map[string]bool
	end     store.Position
	grown   chan struct{} // closed and replaced
}

// NewDouble makes a server with the records of every server at its first start.
func NewDouble(t testing.TB) *Double {
	d := &Double{t: t, MaxAppend: 1 << 20, streams: map[string][]store.Recorded{}, removed: map[string]bool{},
		grown: make(chan struct{})}
	for _, stream := range []string{"$$$stats", "$$$settings", "$users"} {
		d.put(stream, store.Event{ID: uuid.New(), Kind: "$metadata", Data: []byte(`{"$maxAge":86400}`)})
	}
	d.Start()
	t.Cleanup(func() { d.Stop() })
	return d
}

// Start listens, at the same address as before.
func (d *Double) Start() {
	d.t.Helper()
	listener, err := net.Listen("tcp", cmp.Or(d.Address, "127.0.0.1:0"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.Address = listener.Addr().String()
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.StreamInterceptor(d.admitted), grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := d.admit(ctx); err != nil {
				return nil, err
			}
			return handle(ctx, req)
		}))
	streams.RegisterStreamsServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	d.stop = func() {
		server.Stop()
		if err := <-served; err != nil {
			d.t.Error(err)
		}
	}
}

// Stop ends all connections; what is kept stays.
func (d *Double) Stop() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// Refuse makes the server refuse to read streams, or stops that; refused receives after each attempt.
func (d *Double) Refuse(yes bool) (refused <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Refused = nil; yes {
		d.Refused = make(chan struct{}, 1)
	}
	return d.Refused
}

// Hasty shortens long timeouts of calls.
func Hasty(log *Client) { log.tries = 50 * time.Millisecond }

// Open opens the log as Heddle does.
func (d *Double) Open(t testing.TB) *Client {
	return openClient(t, "esdb://admin:changeit@"+d.Address+"?tls=false")
}

// Other appends another program's event: no JSON, without meta.
func (d *Double) Other(stream string) store.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.put(stream, store.Event{ID: uuid.New(), Kind: "OrderPlaced", Data: []byte{0, 1, 2}, Binary: true})
}

func (d *Double) admit(ctx context.Context) error {
	if header := metadata.ValueFromIncomingContext(ctx, "authorization"); len(header) != 1 ||
		header[0] != plainGrant("admin", "changeit") {
		return status.Error(codes.Unauthenticated, "")
	}
	return nil
}

func (d *Double) admitted(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo,
	handle grpc.StreamHandler) error {
	if err := d.admit(stream.Context()); err != nil {
		return err
	}
	return handle(srv, stream)
}

// put writes events; a position is an offset in a file.
func (d *Double) put(stream string, events ...store.Event) store.Position {
	for _, e := range events {
		next := store.Revision(0)
		if before := d.streams[stream]; len(before) > 0 {
			next = before[len(before)-1].Revision + 1
		}
		if e.Kind == store.TombstoneKind {
			next = math.MaxInt64
		}
		d.end += store.Position(100 + len(e.Data) + len(e.Meta))
		r := store.Recorded{Event: e, Stream: stream, Revision: next, Position: d.end, Created: time.Now().UnixMicro()}
		d.all, d.streams[stream] = append(slices.Clip(d.all), r), append(d.streams[stream], r)
	}
	close(d.grown)
	d.grown = make(chan struct{})
	return d.end
}

func (d *Double) deleted(ctx context.Context, stream string) error {
	return exception(ctx, codes.FailedPrecondition, "Event stream '"+stream+"' is deleted.", "stream-deleted",
		"stream-name", stream)
}

// Append implements the service.
func (d *Double) Append(call streams.Streams_AppendServer) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	var events []store.Event
	for size := 0; ; {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e, err := eventOf(call.Context(), m.GetProposedMessage())
		if err != nil {
			return err
		}
		if size += len(e.Data) + len(e.Meta) + 2*len(e.Kind); size > d.MaxAppend {
			return exception(call.Context(), codes.InvalidArgument, "Maximum Append Size Exceeded.",
				"maximum-append-size-exceeded", "maximum-append-size", fmt.Sprint(d.MaxAppend))
		}
		events = append(events, e)
	}
	o := first.GetOptions()
	stream, expected := string(o.GetStreamIdentifier().GetStreamName()), expectedOf(o.GetExpectedStreamRevision())
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.removed[stream] {
		return d.deleted(call.Context(), stream)
	}
	records, last := d.streams[stream], store.NoStream
	if len(records) > 0 {
		last = records[len(records)-1].Revision
	}
	success := &streams.AppendResp_Success{CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(last)},
		PositionOption: &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}}
	answer := &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
	at := slices.IndexFunc(records, func(r store.Recorded) bool { return r.Revision == expected+1 })
	switch {
	case expected == last || expected == store.AnyRevision:
		p := uint64(d.put(stream, events...))
		success.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: p, PreparePosition: p}}
		if len(d.all)%10 == 0 {
			d.put("$stats-127.0.0.1:2113", store.Event{ID: uuid.New(), Kind: "$statsCollected",
				Data: []byte(`{"proc":{}}`)})
		}
		d.scavenge()
	case at < 0 || at+len(events) > len(records) || !slices.EqualFunc(records[at:at+len(events)], events,
		func(r store.Recorded, e store.Event) bool { return r.ID == e.ID }):
		answer.Result = &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wireConflict(
			&store.ConflictError{Stream: stream, Expected: expected, Actual: last})}
	}
	return call.SendAndClose(answer)
}

// Tombstone implements the service.
func (d *Double) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	stream := string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.removed[stream]:
		return nil, d.deleted(ctx, stream)
	case len(d.streams[stream]) == 0 && expectedOf(req.GetOptions().GetExpectedStreamRevision()) == store.SomeStream:
		return nil, exception(ctx, codes.FailedPrecondition, "Append failed due to WrongExpectedVersion.",
			"wrong-expected-version")
	}
	d.removed[stream] = true
	p := uint64(d.put(stream, store.Event{ID: uuid.New(), Kind: store.TombstoneKind, Binary: true}))
	d.scavenge()
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{CommitPosition: p, PreparePosition: p}}}, nil
}

// first returns the oldest revision of a stream that its metadata shows to readers.
func (d *Double) first(stream string) (first store.Revision, oldest int64) {
	var m streamMetadata
	if described := d.streams[metaPrefix+stream]; len(described) > 0 {
		_ = json.Unmarshal(described[len(described)-1].Data, &m) // ignore metadata that is no JSON
	}
	first = store.Revision(m.Before)
	if records := d.streams[stream]; m.MaxCount > 0 && len(records) > 0 {
		first = max(first, records[len(records)-1].Revision-store.Revision(m.MaxCount)+1)
	}
	if m.MaxAge > 0 {
		oldest = time.Now().Add(-time.Duration(m.MaxAge) * time.Second).UnixMicro()
	}
	return first, oldest
}

// scavenge drops records that no reader of streams sees, if Scavenged is set; tombstones stay.
func (d *Double) scavenge() {
	if !d.Scavenged {
		return
	}
	d.all = slices.DeleteFunc(slices.Clone(d.all), func(r store.Recorded) bool {
		first, _ := d.first(r.Stream)
		return r.Kind != store.TombstoneKind && (d.removed[r.Stream] || r.Revision < first)
	})
}

// Read implements the service, as far as Heddle uses it.
func (d *Double) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	o := req.GetOptions()
	if _, subscribes := o.GetCountOption().(*streams.ReadReq_Options_Subscription); subscribes {
		return d.subscribe(o, call)
	}
	stream := string(o.GetStream().GetStreamIdentifier().GetStreamName())
	d.mu.Lock()
	if d.Refused != nil {
		select {
		case d.Refused <- struct{}{}:
		default: // it is known
		}
		d.mu.Unlock()
		return status.Error(codes.Unavailable, "not now")
	}
	if d.removed[stream] {
		d.mu.Unlock()
		return d.deleted(call.Context(), stream)
	}
	first, oldest := d.first(stream)
	records := slices.DeleteFunc(slices.Clone(d.streams[stream]), func(r store.Recorded) bool {
		return r.Revision < first || r.Created < oldest
	})
	none := len(records) == 0
	d.mu.Unlock()
	if none {
		return call.Send(
			&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: identifier(stream)}}})
	}
	if o.GetReadDirection() == streams.ReadReq_Options_Backwards {
		slices.Reverse(records)
	}
	from, _ := o.GetStream().GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Revision)
	left := o.GetCount()
	for _, r := range records {
		if from != nil && r.Revision < revisionOf(from.Revision) {
			continue
		}
		if left == 0 {
			break
		}
		left--
		if err := call.Send(
			&streams.ReadResp{Content: &streams.ReadResp_Event{Event: readEvent(r, false)}}); err != nil {
			return err
		}
	}
	return nil
}

// subscribe sends the records that a filter matches, from a position on. Checkpoints come by the number of
// records looked at, whatever they are; none comes at the end of the log.
func (d *Double) subscribe(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	filter := o.GetFilter()
	takes := wireTakes(filter.GetStreamIdentifier())
	window := int(cmp.Or(filter.GetMax(), 32))
	interval, counted := window*int(filter.GetCheckpointIntervalMultiplier()), 0
	at := store.Position(o.GetAll().GetPosition().GetCommitPosition())
	d.mu.Lock()
	behind := at > d.end
	d.mu.Unlock()
	if behind {
		return status.Error(codes.InvalidArgument, "the position is invalid")
	}
	err := call.Send(
		&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()}}})
	for live := false; err == nil; {
		d.mu.Lock()
		all, grown := d.all, d.grown
		d.mu.Unlock()
		begin, _ := slices.BinarySearchFunc(all, at+1, func(r store.Recorded, p store.Position) int {
			return cmp.Compare(r.Position, p)
		})
		for i, r := range all[begin:] {
			if at = r.Position; err == nil && takes(r) {
				err = call.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: readEvent(r, false)}})
			}
			if counted++; counted >= interval && err == nil && (live || begin+i+1 < len(all)) {
				counted = 0
				err = call.Send(
					&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: uint64(at), PreparePosition: uint64(at)}}})
			}
		}
		if !live && err == nil {
			live = true
			err = call.Send(
				&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
		}
		select {
		case <-grown:
		case <-call.Context().Done():
			return call.Context().Err()
		}
	}
	return err
}

func wireTakes(e *streams.ReadReq_Options_FilterOptions_Expression) func(store.Recorded) bool {
	if e.GetRegex() != "" {
		pattern := regexp.MustCompile(e.GetRegex())
		return func(r store.Recorded) bool { return pattern.MatchString(r.Stream) }
	}
	return func(r store.Recorded) bool {
		return slices.ContainsFunc(e.GetPrefix(), func(p string) bool { return strings.HasPrefix(r.Stream, p) })
	}
}
