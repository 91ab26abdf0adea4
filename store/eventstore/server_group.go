package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"heddle/store"
)

// The streams that a group keeps its state in.
const (
	checkpointStream = "checkpoint" // the last record such that all before it are handled
	parkedStream     = "parked"     // links to records that no consumer could handle
)

const (
	groupBuffer   = 500                    // records read ahead by default
	maxGroupBytes = 8 << 20                // of records read ahead, whatever the configuration
	beatTime      = 100 * time.Millisecond // precision of timeouts of records and checkpoints
)

// item is a record in a group.
type item struct {
	store.Recorded
	place   uint64 // its revision, or its position in the whole log
	parked  store.Revision
	replay  bool // it was parked, at that revision
	retries int
	done    bool
	due     time.Time // when its consumer has taken too long
}

// delivery is an item as sent to a consumer at one moment.
type delivery struct {
	store.Recorded
	retries int
}

// consumer is one connection to a group.
type consumer struct {
	out    chan delivery // with room for all that it may hold
	flying map[uuid.UUID]*item
	gone   chan struct{} // closed when the group drops it
	from   string
	total  int64
}

// group is one persistent subscription. All its state belongs to one goroutine; others pass it functions to
// run. Records are delivered at least once: after a stop those after the last checkpoint come again.
type group struct {
	server   *Server
	config   groupConfig
	commands chan func()
	cancel   context.CancelFunc
	done     chan struct{}
	source   chan store.Recorded // nil until the first consumer comes
	begun    bool

	consumers []*consumer
	turn      int
	waiting   []*item // to be delivered, in order
	held      int     // bytes of the records in order
	order     []*item // read and not covered by handled, in order
	flying    map[uuid.UUID]bool
	handled   uint64 // everything before this place has been handled
	saved     uint64
	savedAt   time.Time
	unsaved   int
	known     uint64                  // the newest place seen
	replaying map[store.Revision]bool // parked records under retry
	replayed  store.Revision          // all before it have been
	total     int64
}

// startGroup starts a group from its checkpoint, or from the start in its configuration.
func startGroup(ctx context.Context, s *Server, c groupConfig) (*group, error) {
	g := &group{server: s, config: c, commands: make(chan func()), done: make(chan struct{}),
		source: make(chan store.Recorded), flying: map[uuid.UUID]bool{}, replaying: map[store.Revision]bool{},
		handled: c.Start, savedAt: time.Now()}
	newest, err := s.log.PageDown(c.stream(checkpointStream), math.MaxInt64, 1)
	if err != nil {
		return nil, err
	}
	if len(newest) == 1 {
		var last uint64
		if err := json.Unmarshal(newest[0].Data, &last); err != nil {
			return nil, fmt.Errorf("reading the checkpoint of %s on %s: %w", c.Name, c.Source, err)
		}
		g.handled = last + 1
	}
	g.saved = g.handled
	ctx, g.cancel = context.WithCancel(ctx)
	go g.run(ctx)
	return g, nil
}

// end stops the group, drops its consumers and waits.
func (g *group) end() {
	g.cancel()
	<-g.done
}

// do runs a function in the group's goroutine and waits; it returns false if the group has ended.
func (g *group) do(command func()) bool {
	ready := make(chan struct{})
	select {
	case g.commands <- func() { command(); close(ready) }:
		<-ready
		return true
	case <-g.done:
		return false
	}
}

func (g *group) run(ctx context.Context) {
	pumped := make(chan struct{})
	defer close(g.done)
	defer func() {
		if g.begun {
			<-pumped
		}
		for _, c := range g.consumers {
			close(c.gone)
		}
		g.save()
	}()
	beat := time.NewTicker(beatTime)
	defer beat.Stop()
	room := g.config.Buffer
	if room == 0 {
		room = groupBuffer
	}
	for {
		if !g.begun && len(g.consumers) > 0 {
			g.begun = true
			go func(from uint64) {
				defer close(pumped)
				g.pump(ctx, from)
			}(g.handled)
		}
		g.dispatch()
		source, beats := g.source, beat.C
		if len(g.order) >= room || g.held >= maxGroupBytes {
			source = nil
		}
		if len(g.flying) == 0 && g.unsaved == 0 {
			beats = nil
		}
		select {
		case <-ctx.Done():
			return
		case do := <-g.commands:
			do()
		case r := <-source:
			g.take(r)
		case <-beats:
			g.expire()
		}
	}
}

// pump reads the source from a place on.
func (g *group) pump(ctx context.Context, from uint64) {
	give := func(r store.Recorded) error {
		select {
		case g.source <- r:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var err error
	if !g.config.all() {
		err = g.server.tailStream(ctx, g.config.Source, revisionOf(from), give, func() error { return nil })
	} else {
		for r, problem := range g.server.log.Follow(ctx, store.Position(max(from, 1))-1, g.config.Filter.pushed()) {
			err = problem
			if err == nil && (r.Mark() || g.config.Filter.takes(r) && !strings.HasPrefix(r.Stream, groupPrefix)) {
				err = give(r)
			}
			if err != nil {
				break
			}
		}
	}
	if ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
		g.server.logger.Error("a persistent subscription can't read on", "stream", g.config.Source, "group",
			g.config.Name, "error", err)
	}
}

// take adds a record that was read. A mark says that nothing up to it matches.
func (g *group) take(r store.Recorded) {
	i := &item{Recorded: r, place: uint64(r.Revision), done: r.Mark()}
	if g.config.all() {
		i.place = uint64(r.Position)
	}
	if i.place < g.handled {
		return
	}
	g.known = max(g.known, i.place)
	g.order = append(g.order, i)
	g.held += i.Size()
	if i.done {
		g.advance()
		return
	}
	g.waiting = append(g.waiting, i)
}

// dispatch delivers waiting records as long as consumers have room.
func (g *group) dispatch() {
	kept := g.waiting[:0]
	for n, i := range g.waiting {
		c := g.choose(i)
		if c == nil && g.config.Strategy != pinned {
			kept = append(kept, g.waiting[n:]...)
			break
		}
		if c == nil || g.flying[i.ID] { // the same id may be in several streams
			kept = append(kept, i)
			continue
		}
		i.due = time.Now().Add(g.config.timeout())
		c.flying[i.ID], g.flying[i.ID] = i, true
		c.total++
		g.total++
		c.out <- delivery{i.Recorded, i.retries}
	}
	clear(g.waiting[len(kept):])
	g.waiting = kept
}

func (g *group) choose(i *item) *consumer {
	n := len(g.consumers)
	if n == 0 {
		return nil
	}
	first := 0
	switch {
	case strings.HasPrefix(g.config.Strategy, pinned):
		h := fnv.New32a()
		_, _ = h.Write([]byte(i.Stream)) // it never fails
		if c := g.consumers[int(h.Sum32()%uint32(n))]; c.room() {
			return c
		}
		return nil
	case g.config.Strategy == roundRobin:
		first = g.turn
	}
	for k := range n {
		if c := g.consumers[(first+k)%n]; c.room() {
			g.turn = (first + k + 1) % n
			return c
		}
	}
	return nil
}

func (c *consumer) room() bool { return len(c.flying) < cap(c.out) && len(c.out) < cap(c.out) }

// join adds a consumer; false if the group is full.
func (g *group) join(c *consumer) bool {
	if g.config.Consumers > 0 && len(g.consumers) >= g.config.Consumers {
		return false
	}
	g.consumers = append(g.consumers, c)
	return true
}

// leave removes a consumer; its records go to others.
func (g *group) leave(c *consumer) {
	at := slices.Index(g.consumers, c)
	if at < 0 {
		return
	}
	g.consumers = slices.Delete(g.consumers, at, at+1)
	close(c.gone)
	var back []*item
	for id, i := range c.flying {
		delete(g.flying, id)
		back = append(back, i)
	}
	slices.SortFunc(back, func(a, b *item) int { return int(a.Position) - int(b.Position) })
	g.waiting = append(back, g.waiting...)
}

// release takes a record back from a consumer, nil if the consumer does not hold it any more.
func (g *group) release(c *consumer, id uuid.UUID) *item {
	i := c.flying[id]
	if i != nil {
		delete(c.flying, id)
		delete(g.flying, id)
	}
	return i
}

// retry delivers a record again, or parks it after too many tries.
func (g *group) retry(i *item, reason string) {
	if i.retries++; i.retries > g.config.Retries {
		g.park(i, reason)
		return
	}
	g.waiting = append([]*item{i}, g.waiting...)
}

// expire takes records back from consumers that take too long, and writes a checkpoint in time.
func (g *group) expire() {
	now := time.Now()
	for _, c := range g.consumers {
		for id, i := range c.flying {
			if now.After(i.due) {
				g.retry(g.release(c, id), "timed out")
			}
		}
	}
	if g.unsaved >= max(g.config.MinCheckpoint, 1) &&
		now.Sub(g.savedAt) >= time.Duration(g.config.After)*time.Millisecond {
		g.save()
	}
}

// finish counts a record as handled.
func (g *group) finish(i *item) {
	if i.replay {
		g.unpark(i.parked)
		return
	}
	i.done = true
	g.advance()
}

func (g *group) advance() {
	n := 0
	for n < len(g.order) && g.order[n].done {
		if g.handled = g.order[n].place + 1; !g.order[n].Mark() {
			g.unsaved++
		}
		g.held -= g.order[n].Size()
		n++
	}
	g.order = slices.Delete(g.order, 0, n)
	if g.config.MaxCheckpoint > 0 && g.unsaved >= g.config.MaxCheckpoint {
		g.save()
	}
}

// save writes the group's checkpoint.
func (g *group) save() {
	if g.saved == g.handled || g.unsaved == 0 {
		return
	}
	data, err := json.Marshal(g.handled - 1)
	if err == nil {
		err = g.server.keepNewest(context.Background(), g.config.stream(checkpointStream),
			"$SubscriptionCheckpoint", data)
	}
	if g.savedAt = time.Now(); err != nil {
		g.server.logger.Error("a persistent subscription's checkpoint can't be written", "stream", g.config.Source,
			"group", g.config.Name, "error", err)
		return
	}
	g.saved, g.unsaved = g.handled, 0
}
