package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Follow implements [Log] by a filtered subscription to the whole log. After a lost connection it goes
// on from where it was.
func (e *EventStoreDB) Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-e.closing:
				cancel(errClosed)
			case <-ctx.Done():
			}
		}()
		f := &following{EventStoreDB: e, at: after, yield: yield, filter: wireFilter(filter)}
		for wait := retryWait(); ; {
			began := f.at
			err := f.run(ctx)
			switch {
			case f.left:
				return
			case ctx.Err() != nil:
				yield(Recorded{}, context.Cause(ctx))
				return
			case !errors.Is(err, errUnknown):
				yield(Recorded{}, err)
				return
			case f.at != began:
				wait.Reset()
			}
			select {
			case <-time.After(wait.NextBackOff()):
			case <-ctx.Done():
			}
		}
	}
}

// following is one Follow, over as many subscriptions as it takes.
type following struct {
	*EventStoreDB
	filter *streams.ReadReq_Options_FilterOptions
	yield  func(Recorded, error) bool
	at     Position // all up to here has been yielded
	marked bool
	mark   Position // the last one yielded
	left   bool     // the caller has
}

// run subscribes and yields until the subscription ends.
func (f *following) run(ctx context.Context) error {
	from := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
	if f.at > 0 {
		from.AllOption = &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: uint64(f.at), PreparePosition: uint64(f.at)}}
	}
	options := &streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_All{All: from}, UuidOption: structuredIDs,
		FilterOption: &streams.ReadReq_Options_Filter{Filter: f.filter},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}}
	return f.link.use(ctx, "", func(c streams.StreamsClient, trailer grpc.CallOption) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		subscription, err := c.Read(ctx, &streams.ReadReq{Options: options}, trailer)
		for caughtUp := f.marked; err == nil && !f.left; {
			var answer *streams.ReadResp
			if answer, err = subscription.Recv(); err != nil {
				break
			}
			if answer.GetConfirmation() != nil {
				f.link.tell(nil)
			}
			caughtUp = caughtUp || answer.GetCaughtUp() != nil
			err = f.take(answer, caughtUp)
		}
		if errors.Is(err, io.EOF) {
			return status.Error(codes.Unavailable, "the event log's server ended a subscription")
		}
		return err
	})
}

// take yields what a message tells: a record, or the mark that a checkpoint is once the subscription
// has caught up. Before that a checkpoint only says where to go on after a lost connection.
func (f *following) take(answer *streams.ReadResp, caughtUp bool) error {
	if event := answer.GetEvent(); event != nil {
		r, err := recordOf(event)
		if err == nil && r.Position > f.at {
			f.at = r.Position
			f.left = !f.yield(r, nil)
		}
		return err
	}
	if checkpoint := answer.GetCheckpoint(); checkpoint != nil {
		f.at = max(f.at, Position(checkpoint.GetCommitPosition()))
	}
	if caughtUp && (!f.marked || f.at > f.mark) {
		f.marked, f.mark = true, f.at
		f.left = !f.yield(Recorded{Position: f.at}, nil)
	}
	return nil
}

// wireFilter lets the server choose: categories are prefixes of streams, and without any all streams
// but the store's own.
func wireFilter(f Filter) *streams.ReadReq_Options_FilterOptions {
	chosen := &streams.ReadReq_Options_FilterOptions_Expression{}
	for _, category := range slices.Compact(slices.Sorted(slices.Values(f.Categories))) {
		chosen.Prefix = append(chosen.Prefix, category+"-")
	}
	switch {
	case len(chosen.Prefix) > 0:
	case f.System:
		chosen.Regex = "."
	default:
		chosen.Regex = `^[^\$]`
	}
	return &streams.ReadReq_Options_FilterOptions{Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: chosen},
		Window: &streams.ReadReq_Options_FilterOptions_Max{Max: pageRecords}, CheckpointIntervalMultiplier: 1}
}
