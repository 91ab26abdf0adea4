package projections

import (
	"context"
	"time"

	"heddle/domain"
	"heddle/store"
)

// settleTime is how long a change waits for the view to show it. After that the answer is the changed state
// itself, and queries follow within moments.
const settleTime = 2 * time.Second

// Change makes a change and waits until the view shows it.
func Change[S any](ctx context.Context, log store.Log, v *View, c *domain.Category[S], id string,
	decide func(S) (domain.Changes[S], error), opts ...store.Option) (S, error) {
	state, pos, err := store.Change(ctx, log, c, id, decide, opts...)
	if err == nil {
		v.Settle(ctx, pos)
	}
	return state, err
}

// Settle waits, but not for long, until the view shows a position.
func (v *View) Settle(ctx context.Context, pos store.Position) {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := v.Wait(wait, pos); err != nil {
		v.logger.Warn("a reader lags behind a change", "position", pos)
	}
}

// Settle waits, but not for long, until the index shows a position.
func (x *RunIndex) Settle(ctx context.Context, pos store.Position) {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := x.Wait(wait, pos); err != nil {
		x.logger.Warn("a reader lags behind a change", "position", pos)
	}
}
