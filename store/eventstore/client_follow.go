package eventstore

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

	"heddle/store"
)

// Follow implements [store.Log] by a filtered subscription to the whole log. After a lost connection, however
// long, it continues from where it was. Only a password that is refused before any other answer ends it, so
// that a start with a wrong one fails.
func (e *Client) Follow(ctx context.Context, after store.Position,
	filter store.Filter) iter.Seq2[store.Recorded, error] {
	return func(yield func(store.Recorded, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-e.closing:
				cancel(store.ErrClosed)
			case <-ctx.Done():
			}
		}()
		f := &following{Client: e, at: after, yield: yield, filter: wireFilter(filter), system: filter.System}
		for wait := retryWait(); ; {
			began := f.at
			err := f.run(ctx)
			switch {
			case f.left:
				return
			case ctx.Err() != nil:
				yield(store.Recorded{}, context.Cause(ctx))
				return
			case f.final(err):
				yield(store.Recorded{}, err)
				return
			case f.at != began:
				wait.Reset()
			}
			if !errors.Is(err, store.ErrUnknownOutcome) {
				e.link.logger.Warn("following the event log failed; trying again", "position", f.at, "error", err)
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
	*Client
	filter    *streams.ReadReq_Options_FilterOptions
	system    bool // the caller wants the server's own records, too
	yield     func(store.Recorded, error) bool
	at        store.Position // everything up to here has been yielded
	marked    bool
	mark      store.Position // the last one yielded
	left      bool           // the caller has
	confirmed bool           // a server has accepted the subscription, once
	live      bool           // the subscription has caught up
}

// final reports whether an error can't be mended by waiting.
func (f *following) final(err error) bool {
	if _, is := status.FromError(err); !is && !errors.Is(err, store.ErrUnknownOutcome) {
		return true // the message is no record
	}
	return errors.Is(err, store.ErrBehind) || !f.confirmed && errors.Is(err, errNotAccepted)
}

// run subscribes and yields until the subscription ends.
func (f *following) run(ctx context.Context) error {
	from := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
	if f.at > 0 {
		from.AllOption = &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: uint64(f.at), PreparePosition: uint64(f.at)}}
	}
	options := &streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_All{All: from},
		UuidOption: structuredIDs, FilterOption: &streams.ReadReq_Options_Filter{Filter: f.filter},
		CountOption: &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}}
	f.live = false
	return f.link.use(ctx, "", func(c streams.StreamsClient, trailer grpc.CallOption) error {
		ctx, cancel := context.WithCancel(ctx)
		subscription, err := c.Read(ctx, &streams.ReadReq{Options: options}, trailer)
		if err != nil {
			cancel()
			return err
		}
		answers := make(chan answered, answersAhead)
		go receive(ctx, subscription, answers)
		defer func() {
			cancel()
			for range answers { // until the receiver has ended, too
			}
		}()
		for a := range answers {
			if a.err != nil {
				return a.err
			}
			if err := f.take(a.ReadResp); err != nil {
				return err
			}
			if len(answers) == 0 {
				f.tell()
			}
			if f.left {
				return nil
			}
		}
		return ctx.Err()
	})
}

const answersAhead = 16 // messages received ahead of the caller

type answered struct {
	*streams.ReadResp
	err error
}

// receive passes on a subscription's messages, and its end last.
func receive(ctx context.Context, subscription streams.Streams_ReadClient, answers chan<- answered) {
	defer close(answers)
	for {
		answer, err := subscription.Recv()
		if errors.Is(err, io.EOF) {
			err = status.Error(codes.Unavailable, "the event log's server ended a subscription")
		}
		select {
		case answers <- answered{answer, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// take yields a message's record, if it has one, and notes the position of the subscription.
func (f *following) take(answer *streams.ReadResp) error {
	switch {
	case answer.GetConfirmation() != nil:
		f.confirmed = true
		f.link.tell(nil)
	case answer.GetCaughtUp() != nil:
		f.live = true
	case answer.GetFellBehind() != nil:
		f.live = false
	case answer.GetCheckpoint() != nil:
		f.at = max(f.at, store.Position(answer.GetCheckpoint().GetCommitPosition()))
	case answer.GetEvent() != nil:
		r, err := recordOf(answer.GetEvent())
		if err != nil || r.Position <= f.at {
			return err
		}
		if f.at = r.Position; f.system || !store.IsSystem(r.Kind) {
			f.left = !f.yield(r, nil)
		}
	}
	return nil
}

// tell yields a mark when nothing else is to be yielded. It needs no checkpoint, which EventStoreDB sends once
// in hundreds of records: once a subscription has caught up, everything that matches up to the last record has
// been yielded. An earlier mark could be taken for the first.
func (f *following) tell() {
	if f.left || !f.live || f.marked && f.at <= f.mark {
		return
	}
	f.marked, f.mark = true, f.at
	f.left = !f.yield(store.Recorded{Position: f.at}, nil)
}

// wireFilter lets the server filter: categories are prefixes of streams; without categories, all streams but
// the store's own match.
func wireFilter(f store.Filter) *streams.ReadReq_Options_FilterOptions {
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
		Window: &streams.ReadReq_Options_FilterOptions_Max{Max: store.PageRecords}, CheckpointIntervalMultiplier: 1}
}
