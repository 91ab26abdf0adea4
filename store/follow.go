package store

import (
	"context"
	"iter"
	"slices"
)

// pager reads the next records in (after, until] that match a filter, at most a page of them, and
// whether that was all.
type pager func(after, until Position, f Filter) (page []Recorded, all bool, err error)

// follow is Follow for adapters that know when they grow: it reads pages up to the tail, yields a
// mark and sleeps until the tail moves. Nothing is polled.
func follow(ctx context.Context, t *tail, closing <-chan struct{}, read pager, after Position, f Filter) iter.Seq2[Recorded, error] {
	f.Categories = slices.Compact(slices.Sorted(slices.Values(f.Categories)))
	return func(yield func(Recorded, error) bool) {
		at, marked, first := after, after, true
		for {
			last, matching, grown := t.look(f)
			if first || matching > at {
				if !followPages(ctx, closing, read, &at, last, f, yield) {
					return
				}
			}
			if first || last > marked {
				at, first = max(at, last), false
				marked = at
				if !yield(Recorded{Position: at}, nil) {
					return
				}
			}
			select {
			case <-grown:
			case <-ctx.Done():
				yield(Recorded{}, ctx.Err())
				return
			case <-closing:
				yield(Recorded{}, errClosed)
				return
			}
		}
	}
}

// followPages yields the records in (*at, until] and moves at along; false ends the iteration.
func followPages(ctx context.Context, closing <-chan struct{}, read pager, at *Position, until Position, f Filter, yield func(Recorded, error) bool) bool {
	for *at < until {
		if ctx.Err() != nil {
			yield(Recorded{}, ctx.Err())
			return false
		}
		select {
		case <-closing:
			yield(Recorded{}, errClosed)
			return false
		default:
		}
		page, all, err := read(*at, until, f)
		if err != nil {
			yield(Recorded{}, err)
			return false
		}
		for _, r := range page {
			*at = r.Position
			if !yield(r, nil) {
				return false
			}
		}
		if all {
			return true
		}
	}
	return true
}
