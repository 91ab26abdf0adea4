package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"heddle/domain"
	"heddle/domain/refusal"
)

// Option changes how [Change] works.
type Option func(*options)

type options struct {
	ifRevision *Revision
}

// Change opens an aggregate, passes its state to decide and appends the returned events; after a conflict it
// decides again on the newest state, until ctx ends. It returns the new state and the position of its last
// record; a decision without events is a success, too. An event kind unknown to this version is a
// [domain.UnknownKindError].
func Change[S any](ctx context.Context, log Log, category *domain.Category[S], id string,
	decide func(S) (domain.Changes[S], error), opts ...Option,
) (S, Position, error) {
	var none S
	leave, err := log.shared().changing.enter(ctx, category.Stream(id))
	if err != nil {
		return none, 0, err
	}
	defer leave()
	h, err := Open(ctx, log, category, id)
	if err != nil {
		return none, 0, err
	}
	return h.change(ctx, decide, true, opts)
}

// Change is like the function [Change], but begins with the handle's state, without reading; only if decide
// refuses it or returns no event does it read newer records first.
func (h *Handle[S]) Change(ctx context.Context, decide func(S) (domain.Changes[S], error),
	opts ...Option) (S, Position, error) {
	leave, err := h.log.shared().changing.enter(ctx, h.stream())
	if err != nil {
		return h.at.state, 0, err
	}
	defer leave()
	return h.change(ctx, decide, false, opts)
}

func (h *Handle[S]) change(ctx context.Context, decide func(S) (domain.Changes[S], error), fresh bool,
	opts []Option) (S, Position, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	for {
		changes, err := decide(h.at.state)
		if (err != nil || len(changes) == 0) && !fresh {
			if fresh, err = true, h.catchUp(ctx, nil); err != nil {
				return h.at.state, 0, err
			}
			continue
		}
		if len(changes) > 0 {
			if changed := h.allow(ctx, changes, o); changed != nil {
				err = changed
			} else if err == nil {
				err = h.append(ctx, changes)
			}
		}
		conflict, again := errors.AsType[*ConflictError](err)
		if !again {
			if err != nil {
				return h.at.state, 0, err
			}
			return h.at.state, h.at.position, nil
		}
		if fresh, err = true, h.catchUp(ctx, conflict); err != nil {
			return h.at.state, 0, err
		}
	}
}

// catchUp reads newer records, after a conflict or before a final refusal.
func (h *Handle[S]) catchUp(ctx context.Context, conflict *ConflictError) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if conflict != nil && conflict.Actual < conflict.Expected { // the log was restored to an older state
		h.log.shared().folds.Remove(h.foldKey())
		return fmt.Errorf("changing %s: the log is at revision %d, behind %d that was read from it", h.stream(),
			conflict.Actual, conflict.Expected)
	}
	_, err := h.refresh(ctx)
	return err
}

// append adds the changes at the handle's revision. The state is folded from the stored form, so it equals that
// of every later reader.
func (h *Handle[S]) append(ctx context.Context, changes domain.Changes[S]) error {
	author := AuthorOf(ctx)
	if author.Organization == "" {
		return fmt.Errorf("changing %s: %w", h.stream(), errNoOrganization)
	}
	author.trace = traceParent(ctx)
	at := h.at
	events, size := make([]Event, 0, len(changes)), 0
	for _, change := range changes {
		r, err := h.record(author, at, change)
		if err != nil {
			return fmt.Errorf("changing %s: %w", h.stream(), err)
		}
		event, meta, err := decode(h.category, r)
		if err != nil {
			return fmt.Errorf("changing %s: %w", h.stream(), err)
		}
		events = append(events, r.Event)
		if size += len(r.Data) + len(r.Meta) + 2*len(r.Kind); size > MaxChange {
			return refusal.New(refusal.Invalid,
				"the change of %s has %s and over %d bytes, more than one append may have: make several of it",
				h.stream(), refusal.Count(len(changes), "event"), MaxChange)
		}
		at.state, at.revision, at.hash = event.Evolve(at.state, meta), r.Revision, HashOf(r)
		at.read++
	}
	position, err := deliver(ctx, h.log, h.stream(), h.at.revision, events)
	if err != nil {
		return fmt.Errorf("changing %s: %w", h.stream(), err)
	}
	at.position = position
	h.keep(at)
	return nil
}

// record returns the change as it will be stored after at.
func (h *Handle[S]) record(author Author, at fold[S], change domain.Event[S]) (Recorded, error) {
	encoded, err := h.category.Encode(change)
	if err != nil {
		return Recorded{}, err
	}
	meta, err := author.meta(at.hash)
	if err != nil {
		return Recorded{}, err
	}
	event := Event{ID: meta.ID, Kind: encoded.Kind, Meta: meta.Encode(), Data: encoded.Data}
	return Recorded{Event: event, Stream: h.stream(), Revision: at.revision + 1}, nil
}

const deliverTries = 6 // about 2 s in all

// deliver appends, and repeats with the same ids if it can't know whether the append came through.
func deliver(ctx context.Context, log Log, stream string, expected Revision, events []Event) (Position, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier = 50*time.Millisecond, 2
	return backoff.Retry(ctx, func() (Position, error) {
		position, err := log.Append(ctx, stream, expected, events...)
		_, conflict := errors.AsType[*ConflictError](err)
		final := conflict || refusal.CodeOf(err) != "" && !errors.Is(err, ErrUnknownOutcome) ||
			errors.Is(err, ErrUnreachable)
		if final || err != nil && ctx.Err() != nil {
			return 0, backoff.Permanent(err)
		}
		return position, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(deliverTries))
}
