package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const maxConsumerBuffer = 10_000 // records that one consumer may hold

// Read implements the service: a consumer joins a group, receives records and acknowledges or refuses them.
func (f *groupsService) Read(stream persistent.PersistentSubscriptions_ReadServer) error {
	ctx, cancel := f.until(stream.Context())
	defer cancel()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	o := first.GetOptions()
	if o == nil || o.GetBufferSize() < 1 || o.GetBufferSize() > maxConsumerBuffer {
		return status.Errorf(codes.InvalidArgument, "a consumer begins with its options, and a buffer of 1 to %d",
			maxConsumerBuffer)
	}
	key := keyOf(o, o.GetAll() != nil)
	g := f.groups.find(key)
	c := &consumer{out: make(chan delivery, o.GetBufferSize()), flying: map[uuid.UUID]*item{},
		gone: make(chan struct{})}
	if p, ok := peer.FromContext(ctx); ok {
		c.from = p.Addr.String()
	}
	joined := false
	if g == nil || !g.do(func() { joined = g.join(c) }) {
		return unknownGroup(ctx, key)
	}
	if !joined {
		return groupException(ctx, codes.FailedPrecondition, key, "has as many consumers as it may have.",
			"maximum-subscribers-reached")
	}
	defer g.do(func() { g.leave(c) })
	id := uuid.NewString()
	if err := stream.Send(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: id}}}); err != nil {
		return err
	}
	heard := make(chan error, 1)
	go func() { heard <- g.hear(c, stream) }()
	_, plainIDs := o.GetUuidOption().GetContent().(*persistent.ReadReq_Options_UUIDOption_String_)
	return f.deliver(ctx, stream, c, key, heard, plainIDs)
}

func (f *groupsService) deliver(ctx context.Context, stream persistent.PersistentSubscriptions_ReadServer, c *consumer,
	key groupKey, heard <-chan error, plainIDs bool) error {
	for {
		select {
		case d := <-c.out:
			if err := stream.Send(
				&persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: groupEvent(d, plainIDs)}}); err != nil {
				return err
			}
		case err := <-heard:
			return err
		case <-c.gone:
			if ctx.Err() == nil {
				return groupException(ctx, codes.Canceled, key, "was dropped.", "persistent-subscription-dropped")
			}
			return f.refuse(ctx, key.source, ctx.Err())
		case <-ctx.Done():
			return f.refuse(ctx, key.source, ctx.Err())
		}
	}
}

// hear reads a consumer's messages until they end.
func (g *group) hear(c *consumer, stream persistent.PersistentSubscriptions_ReadServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var ids []*shared.UUID
		become := func(i *item) { g.finish(i) }
		switch {
		case req.GetAck() != nil:
			ids = req.GetAck().GetIds()
		case req.GetNack() != nil:
			nack := req.GetNack()
			ids, become = nack.GetIds(), func(i *item) { g.refused(i, nack.GetAction(), nack.GetReason()) }
		default:
			return status.Error(codes.InvalidArgument, "a consumer acknowledges or refuses records")
		}
		if !g.do(func() {
			for _, wire := range ids {
				if id, err := idOf(wire); err == nil {
					if i := g.release(c, id); i != nil {
						become(i)
					}
				}
			}
			if req.GetNack().GetAction() == persistent.ReadReq_Nack_Stop {
				g.leave(c)
			}
		}) {
			return nil
		}
	}
}

// refused does with a refused record what its consumer asks for.
func (g *group) refused(i *item, action persistent.ReadReq_Nack_Action, reason string) {
	switch action {
	case persistent.ReadReq_Nack_Park:
		g.park(i, reason)
	case persistent.ReadReq_Nack_Skip:
		g.finish(i)
	case persistent.ReadReq_Nack_Stop:
		g.waiting = append([]*item{i}, g.waiting...)
	default:
		g.retry(i, reason)
	}
}

func groupEvent(d delivery, plainID bool) *persistent.ReadResp_ReadEvent {
	return &persistent.ReadResp_ReadEvent{
		Event: &persistent.ReadResp_ReadEvent_RecordedEvent{
			Id:               wireID(d.ID, plainID),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(d.Stream)},
			StreamRevision:   uint64(d.Revision),
			PreparePosition:  uint64(d.Position),
			CommitPosition:   uint64(d.Position),
			Metadata:         wireMetadata(d.Recorded),
			CustomMetadata:   d.Meta,
			Data:             d.Data,
		},
		Position: &persistent.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(d.Position)},
		Count:    &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: int32(d.retries)},
	}
}

// info returns the state of a group. Rates are not measured.
func (g *group) info() (info *persistent.SubscriptionInfo, err error) {
	c := g.config
	info = &persistent.SubscriptionInfo{EventSource: c.Source, GroupName: c.Name, Status: "NotReady",
		ResolveLinkTos: c.ResolveLinks, StartFrom: c.StartShown, MessageTimeoutMilliseconds: int32(c.Timeout),
		ExtraStatistics: c.Statistics, MaxRetryCount: int32(c.Retries), LiveBufferSize: int32(c.LiveBuffer),
		BufferSize: int32(c.Buffer), ReadBatchSize: int32(c.Batch), CheckPointAfterMilliseconds: int32(c.After),
		MinCheckPointCount: int32(c.MinCheckpoint), MaxCheckPointCount: int32(c.MaxCheckpoint),
		NamedConsumerStrategy: c.Strategy, MaxSubscriberCount: int32(c.Consumers)}
	if info.ParkedMessageCount, err = g.parkedCount(); err != nil {
		return nil, err
	}
	place := func(p uint64) string {
		if c.all() {
			return wirePosition(p)
		}
		return fmt.Sprint(p)
	}
	g.do(func() {
		info.Status = "Live"
		info.TotalItems, info.ReadBufferCount, info.TotalInFlightMessages = g.total, int32(len(g.waiting)),
			int32(len(g.flying))
		info.OutstandingMessagesCount = int32(len(g.flying))
		if g.saved > c.Start {
			info.LastCheckpointedEventPosition = place(g.saved - 1)
		}
		if g.known > 0 || len(g.order) > 0 {
			info.LastKnownEventPosition = place(g.known)
		}
		for _, one := range g.consumers {
			info.Connections = append(info.Connections, &persistent.SubscriptionInfo_ConnectionInfo{From: one.from,
				TotalItems: one.total, AvailableSlots: int32(cap(one.out) - len(one.flying)),
				InFlightMessages: int32(len(one.flying))})
		}
	})
	return info, nil
}
