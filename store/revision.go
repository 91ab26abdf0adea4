package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"heddle/domain"
)

// IfRevision makes a change that was thought out on revision n. If the stream has moved past n, the
// change is decided on the newest state and made only if nothing that it touches changed after n;
// otherwise it is refused with CONFLICT, saying who changed what. An event says what it touches by a
// method Touches() []string; one without it touches everything.
func IfRevision(n Revision) Option {
	return func(o *options) { o.ifRevision = &n }
}

type touching interface{ Touches() []string }

// allow refuses changes to what was changed after the revision that the caller has seen.
func (h *Handle[S]) allow(ctx context.Context, changes domain.Changes[S], o options) error {
	if o.ifRevision == nil || *o.ifRevision == h.at.revision {
		return nil
	}
	seen := *o.ifRevision
	if seen > h.at.revision {
		return domain.Refuse(domain.Conflict, "revision %d does not exist, the newest one is %d", seen, h.at.revision)
	}
	for r, err := range h.log.Read(ctx, h.stream(), seen+1) {
		if err != nil {
			return fmt.Errorf("reading %s: %w", h.stream(), err)
		}
		event, meta, err := decode(h.category, r)
		if err != nil {
			return fmt.Errorf("reading %s at revision %d: %w", h.stream(), r.Revision, err)
		}
		if slices.ContainsFunc(changes, func(c domain.Event[S]) bool { return touchSame(c, event) }) {
			return domain.Refuse(domain.Conflict, "changed meanwhile by %s at %s: %s", meta.Actor, meta.Time.Format(time.RFC3339), r.Kind)
		}
	}
	return nil
}

func touchSame(a, b any) bool {
	x, ok := a.(touching)
	y, too := b.(touching)
	if !ok || !too {
		return true
	}
	others := y.Touches()
	return slices.ContainsFunc(x.Touches(), func(t string) bool { return slices.Contains(others, t) })
}
