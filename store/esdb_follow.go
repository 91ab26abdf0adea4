package store

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
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
		f := &following{EventStoreDB: e, at: after, yield: yield, options: esdb.SubscribeToAllOptions{
			Filter: wireFilter(filter), MaxSearchWindow: pageRecords, CheckpointInterval: 1}}
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
	options esdb.SubscribeToAllOptions
	yield   func(Recorded, error) bool
	at      Position // all up to here has been yielded
	marked  bool
	mark    Position // the last one yielded
	left    bool     // the caller has
}

// run subscribes and yields until the subscription ends.
func (f *following) run(ctx context.Context) error {
	f.options.From = esdb.AllPosition(esdb.Start{})
	if f.at > 0 {
		f.options.From = esdb.Position{Commit: uint64(f.at), Prepare: uint64(f.at)}
	}
	return f.link.use(ctx, "", func(ctx context.Context, c *esdb.Client) error {
		s, err := c.SubscribeToAll(ctx, f.options)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }() // it never fails
		for caughtUp := f.marked; ; {
			event := s.Recv()
			switch {
			case event.SubscriptionDropped != nil:
				return event.SubscriptionDropped.Error
			case event.EventAppeared != nil:
				r := recordOf(event.EventAppeared)
				if r.Position <= f.at {
					continue
				}
				f.at = r.Position
				f.left = !f.yield(r, nil)
			case event.CheckPointReached != nil:
				f.at = max(f.at, Position(event.CheckPointReached.Commit))
				if caughtUp && f.at > f.mark {
					f.tell()
				}
			case event.CaughtUp != nil && (!f.marked || f.at > f.mark):
				caughtUp = true
				f.tell()
			}
			if f.left {
				return nil
			}
		}
	})
}

// tell yields a mark.
func (f *following) tell() {
	f.marked, f.mark = true, f.at
	f.left = !f.yield(Recorded{Position: f.at}, nil)
}

// wireFilter lets the server choose: categories are prefixes of streams, and without any all streams
// but the store's own.
func wireFilter(f Filter) *esdb.SubscriptionFilter {
	chosen := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType}
	for _, category := range slices.Compact(slices.Sorted(slices.Values(f.Categories))) {
		chosen.Prefixes = append(chosen.Prefixes, category+"-")
	}
	switch {
	case len(chosen.Prefixes) > 0:
	case f.System:
		chosen.Regex = "."
	default:
		chosen.Regex = `^[^\$]`
	}
	return chosen
}
