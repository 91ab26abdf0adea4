package store

import (
	"context"
	"iter"
	"slices"
)

// pager reads the next records in (after, until] that match a filter, at most a page of them, and reports
// whether that was all.
type pager func(after, until Position, f Filter) (page []Recorded, all bool, err error)

// follow implements Follow for adapters that know when they grow: it reads pages up to the tail, yields a mark
// and sleeps until the tail moves. Nothing is polled.
func follow(ctx context.Context, t *tail, closing <-chan struct{}, read pager, after Position,
	f Filter) iter.Seq2[Recorded, error] {
	f.Categories = slices.Compact(slices.Sorted(slices.Values(f.Categories)))
	return func(yield func(Recorded, error) bool) {
		at, marked, first := after, after, true
		if after > t.end() {
			yield(Recorded{}, ErrBehind)
			return
		}
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
				yield(Recorded{}, ErrClosed)
				return
			}
		}
	}
}

// followPages yields the records in (*at, until] and advances at; false ends the iteration. While the caller
// handles a page, the next one is read: at a start, reading and folding share two cores.
func followPages(ctx context.Context, closing <-chan struct{}, read pager, at *Position, until Position, f Filter,
	yield func(Recorded, error) bool) bool {
	next := make(chan paged, 1)
	fetch := func(after Position) {
		page, all, err := read(after, until, f)
		next <- paged{page, all || err != nil || len(page) == 0, err}
	}
	for fetch(*at); ; {
		p := <-next
		if err := followEnd(ctx, closing, p.err); err != nil {
			yield(Recorded{}, err)
			return false
		}
		if !p.all {
			go fetch(p.records[len(p.records)-1].Position)
		}
		for _, r := range p.records {
			*at = r.Position
			if !yield(r, nil) {
				if !p.all {
					<-next // no goroutine is left behind
				}
				return false
			}
		}
		if p.all {
			return true
		}
	}
}

type paged struct {
	records []Recorded
	all     bool
	err     error
}

func followEnd(ctx context.Context, closing <-chan struct{}, err error) error {
	select {
	case <-closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
		return err
	}
}
