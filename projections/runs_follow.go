package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"heddle/domain"
	"heddle/store"
)

// The index shares its cores with the runs themselves. While they come in numbers it writes what
// gathers in a quarter of a second in one transaction; most runs are then over when they are written.
const (
	gatherFor  = 250 * time.Millisecond
	gatherMost = 4096    // records
	gatherSize = 8 << 20 // bytes, about
)

// touched is a run that changed since the last transaction.
type touched struct {
	id       string
	position store.Position // of its first event, 0 when that was written a while ago
	run      domain.Run     // as folded, while position is known
	logged   int            // bytes of log lines in it
	dirty    bool           // something happened that its row shows

	old       bool     // it has a row already, and its position is that row's
	names     []string // of its steps, once it has ended
	words     string   // its errors and log lines, then
	collected bool     // all of this has been read
}

// gathered is what the next transaction will write.
type gathered struct {
	open  map[string]*touched // as the last transaction left them: most end with the next one
	runs  map[string]*touched
	order []*touched // of their first events
	audit []auditRecord
	last  store.Recorded
	count int
	size  int
}

// stepsKept is how many steps a run has at most that is kept from one transaction to the next. One that has more is
// read when it has ended, and not again for each transaction: only its other events are in its row until then.
const stepsKept = 1000

// after begins what follows on what was written.
func after(g *gathered) *gathered {
	open := map[string]*touched{}
	for _, t := range g.order {
		if t.position != 0 && !t.old && t.run.Finished == nil && t.run.Held() <= stepsKept {
			open[t.id] = t
		}
	}
	return &gathered{open: open, runs: map[string]*touched{}}
}

func (g *gathered) full() bool { return g.count >= gatherMost || g.size >= gatherSize }

// Run follows the log from the index's checkpoint until ctx ends.
func (x *RunIndex) Run(ctx context.Context) error {
	var from store.Position
	err := x.inTime(ctx, func() (err error) { from, err = x.checkpoint(ctx); return err })
	if err != nil {
		return fmt.Errorf("reading run index: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	records := make(chan store.Recorded, 64)
	var reader sync.WaitGroup
	reader.Go(func() { cancel(x.read(ctx, from, records)) })
	defer reader.Wait()
	err = x.gather(ctx, records)
	cancel(err)
	return err
}

// read hands on what the log has.
func (x *RunIndex) read(ctx context.Context, from store.Position, records chan<- store.Recorded) error {
	for rec, err := range store.Own(x.log.Follow(ctx, from, store.Filter{Categories: append([]string{domain.Runs.Name}, auditedCategories...)})) {
		if err != nil {
			return err
		}
		x.saw(rec.Position)
		x.tails.pass(rec)
		select {
		case records <- rec:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the log ended")
}

// gather folds records and writes them when it is time: at once when there was quiet or somebody
// waits for them, else together with what comes soon after.
func (x *RunIndex) gather(ctx context.Context, records <-chan store.Recorded) error {
	g, due := after(&gathered{}), time.NewTimer(0)
	defer due.Stop()
	var written time.Time
	var reached store.Position // marked while records before it are not written yet
	marked, indexed := false, false
	for {
		flush := false
		select {
		case rec := <-records:
			reached, marked = rec.Position, rec.Mark()
			if !rec.Mark() {
				if err := x.fold(g, rec); err != nil {
					return err
				}
			}
			flush = g.full() || marked && (g.count == 0 || time.Since(written) >= gatherFor || x.awaited())
			if marked && !flush {
				due.Reset(gatherFor - time.Since(written))
			}
		case <-due.C:
			flush = marked
		case <-x.hurry:
			flush = g.count > 0 && x.awaited()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !flush {
			continue
		}
		if g.count > 0 {
			if err := (indexWriter{x}).put(ctx, g); err != nil {
				return fmt.Errorf("writing run index: %w", err)
			}
			if err := x.inTime(ctx, func() error { return x.announce(ctx, g) }); err != nil {
				return fmt.Errorf("reading run index: %w", err)
			}
			written = time.Now()
		}
		if marked && !indexed {
			if err := x.inTime(ctx, func() error { return indexWriter{x}.index(ctx) }); err != nil {
				return fmt.Errorf("writing run index: %w", err)
			}
			indexed = true
		}
		x.reach(reached, g.count > 0, marked)
		g = after(g)
	}
}

// freshWait is how long a query waits for what has happened before it.
const freshWait = 2 * time.Second

// fresh waits until what the log has shown so far is written, so that a query finds it. An index that
// is further behind than the wait answers with what it has.
func (x *RunIndex) fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, freshWait)
	defer cancel()
	err := x.Wait(ctx, x.Seen())
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// awaited tells whether somebody waits for what is not written yet.
func (x *RunIndex) awaited() bool { return x.wanted.Load() > uint64(x.Position()) }

// fold adds a record to what will be written.
func (x *RunIndex) fold(g *gathered, rec store.Recorded) error {
	g.last = rec
	g.count++
	meta, err := store.MetaOf(rec)
	if err != nil {
		return err
	}
	if audited(rec, meta) {
		a := auditRecord{rec, meta}
		a.Data = nil // an index needs none, and it may be large
		g.audit = append(g.audit, a)
	}
	if rec.Category() != domain.Runs.Name {
		return nil
	}
	id := rec.AggregateID()
	t := g.runs[id]
	if t == nil {
		t = &touched{id: id}
		g.runs[id] = t
		g.order = append(g.order, t)
		if before := g.open[id]; before != nil {
			t.position, t.run, t.logged = before.position, before.run, before.logged
		} else if rec.Revision == 0 {
			t.position = rec.Position
		}
	}
	t.dirty = t.dirty || rec.Kind != "StepFinished" // a row shows steps only once the run has ended
	if t.position == 0 {
		return nil // it began long ago: its stream is read when it is written
	}
	g.size += len(rec.Data)
	t.run, err = x.evolve(t.run, rec, meta, &t.logged)
	return err
}

// evolve folds a record into a run, and leaves out what a newer version of heddle wrote and what a run is not found
// by: what steps gave, and log lines beyond those that are searched.
func (x *RunIndex) evolve(r domain.Run, rec store.Recorded, meta domain.Meta, logged *int) (domain.Run, error) {
	event, err := domain.Runs.Decode(rec.Kind, rec.Data)
	if unknown, ok := errors.AsType[*domain.UnknownKindError](err); ok {
		x.logger.Warn("skipping an event of an unknown kind", "kind", unknown.Kind, "stream", rec.Stream)
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("%s@%d: %w", rec.Stream, rec.Revision, err)
	}
	if s, step := event.(domain.StepFinished); step {
		s.Output, s.Headers, s.State = domain.Content{}, nil, nil
		if *logged >= maxWords {
			s.Log = nil
		}
		for _, line := range s.Log {
			*logged += len(line.Message)
		}
		event = s
	}
	return event.Evolve(r, meta), nil
}

// again is how long the index waits after a write that failed.
const again = time.Second

// inTime does something again and again until it succeeds: neither a full disk nor a log that is away may end the
// process, and what waits meanwhile is safe in the log.
func (x *RunIndex) inTime(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !passing(err) || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, errUnread) {
			x.logger.Warn("the run index can't read the log; trying again", "error", err)
		} else {
			x.logger.Error("writing the run index failed; trying again", "error", err)
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errUnread is in the error of what could not be read from the log.
var errUnread = errors.New("reading the log")

// passing tells errors that end when somebody makes room, lets go of the file or starts the log's server again.
func passing(err error) bool {
	if errors.Is(err, errUnread) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && slices.Contains([]int{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}, e.Code()&0xff)
}
