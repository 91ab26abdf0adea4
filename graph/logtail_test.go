package graph

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"heddle/domain"
	"heddle/store"
)

// counted is a log that counts the records of runs that are read from it, by stream.
type counted struct {
	store.Log
	mu   sync.Mutex
	read map[string]int
}

func (c *counted) count(all iter.Seq2[store.Recorded, error]) iter.Seq2[store.Recorded, error] {
	return func(yield func(store.Recorded, error) bool) {
		for rec, err := range all {
			if err == nil && strings.HasPrefix(rec.Stream, "run-") {
				c.mu.Lock()
				c.read[rec.Stream]++
				c.mu.Unlock()
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

func (c *counted) Read(ctx context.Context, stream string, from store.Revision) iter.Seq2[store.Recorded, error] {
	return c.count(c.Log.Read(ctx, stream, from))
}

func (c *counted) Follow(ctx context.Context, after store.Position,
	filter store.Filter) iter.Seq2[store.Recorded, error] {
	return c.count(c.Log.Follow(ctx, after, filter))
}

// counts returns the records read of some runs and of all others, and begins again.
func (c *counted) counts(of []string) (these, others int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, run := range of {
		these += c.read[domain.Runs.Stream(run)]
		delete(c.read, domain.Runs.Stream(run))
	}
	for _, n := range c.read {
		others += n
	}
	c.read = map[string]int{}
	return these, others
}

// The log of an instance comes in the order in which it was written, from a cursor and then live, and costs
// what the instance's own runs cost.
func TestLogOfAnInstanceCostsItsRuns(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	first := h.started(instance)
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("a", tailDocument, vars{"execution": first})
	cursor := c.next("a").text("logTail.cursor")
	mine, open, want := []string{first}, []string{first}, []string{}
	step := func(n int) {
		run := open[rand.IntN(len(open))]
		h.stepped(run, fmt.Sprint("s", n))
		want = append(want, fmt.Sprintf("s%d 1", n), fmt.Sprintf("s%d 2", n))
	}
	const busy = 300
	for n := range busy {
		other := h.started("another")
		h.stepped(other, "unseen")
		h.finished(other)
		switch {
		case n%10 == 0:
			run := h.started(instance)
			mine, open, want = append(mine, run), append(open, run), append(want, "Starting Instance Execution")
		case n%15 == 1:
			h.finished(open[0])
			open, want = open[1:], append(want, "Ending Instance Execution")
		}
		step(n)
	}
	log := &counted{Log: h.Log, read: map[string]int{}}
	h.Log = log
	s := h.connect(h.tokens[domain.Viewer])
	s.subscribe("b", tailDocument, vars{"instance": instance, "after": cursor})
	told := func(want []string) {
		t.Helper()
		for i, message := range want {
			if a := s.next("b"); a.text("logTail.node.message") != message {
				t.Fatalf("line %d of %d is %q, not %q", i, len(want), a.text("logTail.node.message"), message)
			}
		}
	}
	told(want)
	if these, others := log.counts(mine); these > 2*len(want) || others > 2 {
		t.Errorf("%d records of its runs and %d of others were read for %d lines", these, others, len(want))
	}
	h.Log = log.Log // what changes a run reads it
	want = nil
	for n := range 20 {
		step(busy + n)
	}
	told(want)
	if these, others := log.counts(mine); these > 20+len(open) || others > 0 {
		t.Errorf("%d records of its runs and %d of others were read for %d lines", these, others, len(want))
	}
}
