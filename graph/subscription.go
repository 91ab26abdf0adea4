package graph

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// state sends what get returns, now and whenever it is not the same any more. A slow client misses what was
// between.
func state[T any](ctx context.Context, r *Resolver, what string, get func() (T, bool),
	same func(a, b T) bool) (<-chan *T, error) {
	if _, ok := get(); !ok {
		return nil, refusal.Missing(what)
	}
	return stream(ctx, func(ctx context.Context, send func(T) bool) error {
		signal, stop := r.View.Watch()
		defer stop()
		var last *T
		for {
			select {
			case <-signal:
			case <-ctx.Done():
				return ctx.Err()
			}
			v, ok := get()
			if !ok {
				return nil // it is gone
			}
			if last != nil && same(*last, v) {
				continue // something else has changed
			}
			last = &v
			if !send(v) {
				return ctx.Err()
			}
		}
	}), nil
}

// integrationState sends an integration's draft.
func (r *Resolver) integrationState(ctx context.Context, id string) (<-chan *Integration, error) {
	organization := access.Of(ctx).Organization
	return state(ctx, r, "integration", func() (i Integration, ok bool) {
		if i.integration, ok = r.View.Integrations.Get(organization, id); !ok || !i.integration.RemovedAt.IsZero() {
			return i, false
		}
		d, ok := r.View.MainDraft(id)
		i.draft = &d
		return i, ok
	}, equal)
}

func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

// feedCursor is a place in a feed: a record of the log, and how much of what it tells.
type feedCursor struct {
	position store.Position
	line     int // counted from 1, 0 for the whole record
}

func (c feedCursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "f%d.%d", c.position, c.line))
}

// after reads where a feed goes on. What a transport knows of the client wins: the document is from
// the beginning, and stays the same when the client comes again.
func after(ctx context.Context, argument *string) (c feedCursor, err error) {
	s := deref(argument)
	if seen := operationOf(ctx).resume; seen != "" {
		s = seen
	}
	return parseFeedCursor(s)
}

func parseFeedCursor(s string) (c feedCursor, err error) {
	if s == "" {
		return c, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "f%d.%d", &c.position, &c.line)
	}
	if err != nil || c.String() != s {
		return c, refuseCursor(s)
	}
	return c, nil
}

// happened is a record of a run with the run after it.
type happened struct {
	store.Recorded
	event domain.Event[domain.Run] // nil when a newer version of heddle wrote it
	time  time.Time
	run   domain.Run
}

// followRun calls each with every record of a run, as they come, until the run has ended, was removed,
// or nobody listens.
func (r *Resolver) followRun(ctx context.Context, id string, each func(happened) (more bool, err error)) error {
	stream := domain.Runs.Stream(id)
	signal, stop := r.Runs.Tail(stream)
	defer stop()
	var at happened
	var next store.Revision
	for {
		for rec, err := range store.Own(r.Log.Read(ctx, stream, next)) {
			if refusal.CodeOf(err) == refusal.NotFound {
				return nil
			}
			if err == nil {
				at, err = at.then(rec)
			}
			if err != nil {
				return err
			}
			next = rec.Revision + 1
			if more, err := each(at); !more || err != nil {
				return err
			}
		}
		if at.run.Finished != nil {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// then folds the next record.
func (h happened) then(rec store.Recorded) (happened, error) {
	meta, err := store.MetaOf(rec)
	if err != nil {
		return h, err
	}
	h.Recorded, h.time = rec, meta.Time
	h.event, err = domain.Runs.Decode(rec.Kind, rec.Data)
	if _, unknown := errors.AsType[*domain.UnknownKindError](err); unknown {
		return h, nil
	}
	if err == nil {
		h.run = h.event.Evolve(h.run, meta)
	}
	return h, err
}

// progress feeds what an execution does.
func (r *Resolver) progress(ctx context.Context, id string, argument *string) (<-chan *ExecutionEvent, error) {
	from, err := after(ctx, argument)
	if err != nil {
		return nil, err
	}
	if err := r.hasExecution(ctx, id); err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, send func(ExecutionEvent) bool) error {
		return r.followRun(ctx, id, func(h happened) (bool, error) {
			return h.Position <= from.position || send(h.progress()), nil
		})
	}), nil
}

// hasExecution refuses what is no execution of the caller's organization.
func (r *Resolver) hasExecution(ctx context.Context, id string) error {
	_, ok, err := r.execution(ctx, id)
	if err == nil && !ok {
		err = refusal.Missing("execution")
	}
	return err
}

// eventID returns an id that no other event has, nor anything else that is shown of it.
func eventID(what string, rec store.Recorded) string { return fmt.Sprint(what, ":", rec.Position) }

// progress is the event as clients see it.
func (h happened) progress() ExecutionEvent {
	e := ExecutionEvent{ID: eventID("execution", h.Recorded), Cursor: feedCursor{position: h.Position}.String(),
		Type: ExecutionEventTypeOther, Timestamp: h.time,
		ExecutionResult: InstanceExecutionResult{fromStream(h.run)}}
	switch event := h.event.(type) {
	case domain.RunQueued:
		e.Type = ExecutionEventTypeQueued
	case domain.RunClaimed:
		e.Type = ExecutionEventTypeClaimed
	case domain.StepFinished:
		e.Type, e.StepResult = ExecutionEventTypeStepFinished, &InstanceStepResult{run: h.run.ID, step: event}
	case domain.RunFinished:
		e.Type = ExecutionEventTypeFinished
	}
	return e
}
