package store

import (
	"context"
	"fmt"
	"time"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// IfRevision makes a change that was based on revision n. If the stream has moved past n, the change is decided
// on the newest state and made only if nothing that it touches changed after n; otherwise it is refused with a
// [ChangedError]. An event lists what it touches by a method Touches() []string, compared by
// [domain.OverlapKeys]; one without it touches everything. If the decision refuses the newest state and yet
// returns changes, a conflicting change is reported first.
func IfRevision(n Revision) Option {
	return func(o *options) { o.ifRevision = &n }
}

// ChangedError refuses a change of something that was changed since the revision it was based on. It is a
// CONFLICT.
type ChangedError struct {
	Actor   string
	At      time.Time
	Kind    string
	Touched []string // keys that both touch; none if one of the two touches everything
}

func (e *ChangedError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the refusal for callers.
func (e *ChangedError) Unwrap() error {
	return refusal.New(refusal.Conflict, "changed meanwhile by %s at %s: %s", e.Actor,
		e.At.Format(time.RFC3339), e.Kind)
}

type touching interface{ Touches() []string }

// allow refuses changes that conflict with a change after the revision that the caller has seen.
func (h *Handle[S]) allow(ctx context.Context, changes domain.Changes[S], o options) error {
	if o.ifRevision == nil || *o.ifRevision == h.at.revision {
		return nil
	}
	seen := *o.ifRevision
	if seen > h.at.revision {
		return refusal.New(refusal.Conflict, "revision %d does not exist, the newest one is %d", seen, h.at.revision)
	}
	for r, err := range Own(h.log.Read(ctx, h.stream(), seen+1)) {
		if err != nil {
			return fmt.Errorf("reading %s: %w", h.stream(), err)
		}
		event, meta, err := decode(h.category, r)
		if err != nil {
			return fmt.Errorf("reading %s at revision %d: %w", h.stream(), r.Revision, err)
		}
		for _, c := range changes {
			if touched, same := touchSame(c, event); same {
				return &ChangedError{Actor: meta.Actor, At: meta.Time, Kind: r.Kind, Touched: touched}
			}
		}
	}
	return nil
}

func touchSame(a, b any) (keys []string, same bool) {
	x, ok := a.(touching)
	y, too := b.(touching)
	if !ok || !too {
		return nil, true
	}
	keys = definition.OverlapKeys(x.Touches(), y.Touches())
	return keys, len(keys) > 0
}
