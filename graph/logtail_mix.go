package graph

import (
	"container/heap"
	"context"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// mixing reads the streams of several runs in the order of the log. Of each it holds a few records at a time.
type mixing struct {
	log  store.Log
	at   store.Position            // up to here all has been told
	next map[string]store.Revision // where to go on reading the runs that go on, by id
}

// opened is a run of which something is to be told.
type opened struct {
	id      string
	from    store.Revision
	records []store.Recorded // the next ones
}

// recordsHeld is how many records of a run are read together.
const recordsHeld = 64

// upTo returns what is recorded up to a position of runs that have grown, and of the runs that later returns.
func (m *mixing) upTo(ctx context.Context, grown []string, later *begun, to store.Position,
	tell func(happened) (bool, error)) (more bool, err error) {
	var open heads
	add := func(run string) error {
		o := &opened{id: run, from: m.next[run]}
		if err := m.fill(ctx, o); err != nil {
			return err
		}
		if len(o.records) > 0 {
			heap.Push(&open, o)
		}
		return nil
	}
	for _, run := range grown {
		if err := add(run); err != nil {
			return false, err
		}
	}
	for {
		e, err := later.first()
		if err != nil {
			return false, err
		}
		if e != nil && (len(open) == 0 || e.Position <= open.place(0)) {
			later.page = later.page[1:]
			if err := add(e.ID); err != nil {
				return false, err
			}
			continue
		}
		if len(open) == 0 || open.place(0) > to {
			m.at = max(m.at, to)
			return true, nil
		}
		if more, err := m.tellFirst(ctx, &open, tell); !more || err != nil {
			return more, err
		}
	}
}

// tellFirst returns the record that comes first.
func (m *mixing) tellFirst(ctx context.Context, open *heads, tell func(happened) (bool, error)) (more bool, err error) {
	o := (*open)[0]
	h, err := happened{}.then(o.records[0])
	if err != nil {
		return false, err
	}
	if more, err := tell(h); !more || err != nil {
		return more, err
	}
	m.next[o.id] = h.Revision + 1
	if h.Kind == "RunFinished" {
		delete(m.next, o.id)
	}
	if o.records = o.records[1:]; len(o.records) == 0 {
		if err := m.fill(ctx, o); err != nil {
			return false, err
		}
	}
	if len(o.records) == 0 {
		heap.Pop(open)
	} else {
		heap.Fix(open, 0)
	}
	return true, nil
}

// fill reads what comes next in a run, none if it has been removed. What queues a run tells no lines.
func (m *mixing) fill(ctx context.Context, o *opened) error {
	for rec, err := range store.Own(m.log.Read(ctx, domain.Runs.Stream(o.id), o.from)) {
		if refusal.CodeOf(err) == refusal.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		o.from = rec.Revision + 1
		if rec.Position <= m.at || rec.Kind == "RunQueued" {
			continue
		}
		if o.records = append(o.records, rec); len(o.records) == recordsHeld {
			return nil
		}
	}
	return nil
}

// begun yields the runs that the index finds, in the order in which they began. A nil one yields none.
type begun struct {
	find func(after store.Position, limit int) ([]projections.Execution, error)
	page []projections.Execution
	at   store.Position
	end  bool
}

const runsPage = 1000 // runs that are asked for together

// first returns the next run, nil when there is none.
func (b *begun) first() (*projections.Execution, error) {
	if b == nil {
		return nil, nil
	}
	if len(b.page) == 0 && !b.end {
		var err error
		if b.page, err = b.find(b.at, runsPage); err != nil {
			return nil, err
		}
		b.end = len(b.page) < runsPage
		if len(b.page) > 0 {
			b.at = b.page[len(b.page)-1].Position
		}
	}
	if len(b.page) == 0 {
		return nil, nil
	}
	return &b.page[0], nil
}

// heads are runs by what comes next in each.
type heads []*opened

func (h heads) place(i int) store.Position { return h[i].records[0].Position }

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return h.place(i) < h.place(j) }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(o any)        { *h = append(*h, o.(*opened)) }

func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
