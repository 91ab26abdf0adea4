package eventstore

import (
	"context"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"heddle/store"
)

// confirm sends the confirmation of a subscription.
func (r *reading) confirm() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()}}})
}

func (r *reading) caughtUp() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// followAll sends the records after a position and, to a subscriber with a filter, checkpoints: the log's
// marks, which come whenever it has grown and everything that matches has been sent.
func (r *reading) followAll(o *streams.ReadReq_Options_AllOptions) error {
	after := store.Position(0)
	switch at := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		after = store.Position(at.Position.GetCommitPosition())
	case *streams.ReadReq_Options_AllOptions_End:
		after = r.log.End()
	}
	if after > r.log.End() {
		return store.ErrBehind
	}
	if err := r.confirm(); err != nil {
		return err
	}
	first := true
	for record, err := range r.log.Follow(r.ctx, after, r.filter.pushed()) {
		switch {
		case err != nil:
			return err
		case !record.Mark():
			err = r.give(record)
		case r.filter != nil:
			err = r.send(
				&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{
					CommitPosition: uint64(record.Position), PreparePosition: uint64(record.Position)}}})
		}
		if err == nil && record.Mark() && first {
			first = false
			err = r.caughtUp()
		}
		if err != nil {
			return err
		}
	}
	return r.ctx.Err()
}

// followStream sends a stream's records after a revision, first from the stream and then from the log.
func (r *reading) followStream(name string, o *streams.ReadReq_Options_StreamOptions) error {
	next := store.Revision(0)
	switch at := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		next = min(revisionOf(at.Revision), math.MaxInt64-1) + 1
	case *streams.ReadReq_Options_StreamOptions_End:
		head, err := r.log.PageDown(name, math.MaxInt64, 1)
		if err != nil {
			return err
		}
		if len(head) > 0 {
			next = head[0].Revision + 1
		}
	}
	if err := r.confirm(); err != nil {
		return err
	}
	return r.tailStream(r.ctx, name, next, r.give, r.caughtUp)
}

// tailStream calls back for each record of a stream from a revision on, and once when it has caught up. It ends
// with the context or an error.
func (s *Server) tailStream(ctx context.Context, name string, next store.Revision, give func(store.Recorded) error,
	caughtUp func() error) error {
	end, oldest := s.log.End(), s.oldest(name)
	for record, err := range s.log.Read(ctx, name, next) {
		if err != nil {
			return err
		}
		if next = record.Revision + 1; record.Created < oldest {
			continue
		}
		if err := give(record); err != nil {
			return err
		}
	}
	if err := caughtUp(); err != nil {
		return err
	}
	category := store.Recorded{Stream: name}.Category()
	for record, err := range s.log.Follow(ctx, end, store.Filter{Categories: []string{category}}) {
		if err != nil {
			return err
		}
		if record.Stream != name || record.Revision < next {
			continue
		}
		next = record.Revision + 1
		if err := give(record); err != nil {
			return err
		}
	}
	return ctx.Err()
}
