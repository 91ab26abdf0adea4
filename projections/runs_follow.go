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

// The index shares its cores with the runs themselves. Under load it writes the records of a quarter of a
// second in one transaction; most runs have ended by the time they are written.
const (
	gatherFor  = 250 * time.Millisecond
	gatherMost = 4096    // records
	gatherSize = 8 << 20 // bytes, about
)

// touched is a run that changed since the last transaction.
type touched struct {
	id       string
	position store.Position // of its first event, 0 if that was written in an earlier transaction
	run      domain.Run     // as folded, while position is known
	logged   int            // bytes of log lines in it
	dirty    bool           // an event came that its row shows

	old       bool     // it has a row already, and its position is that row's
	names     []string // of its steps, once it has ended
	words     string   // its errors and log lines, then
	collected bool     // all of this has been read
}

// gathered is the content of the next transaction.
type gathered struct {
	open  map[string]*touched // after the last transaction: most end with the next one
	runs  map[string]*touched
	order []*touched // of their first events
	audit []auditRecord
	last  store.Recorded
	count int
	size  int
}

// stepsKept is the largest number of steps of a run that is kept from one transaction to the next. A longer run
// is read once it has ended, and not again for each transaction: until then its row has only its other events.
const stepsKept = 1000

// after starts the next batch, carrying over unfinished runs.
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

// read passes the log's records on.
func (x *RunIndex) read(ctx context.Context, from store.Position, records chan<- store.Recorded) error {
	for rec, err := range store.Own(x.log.Follow(ctx, from,
		store.Filter{Categories: append([]string{domain.Runs.Name}, auditedCategories...)})) {
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

// gather folds records and writes them when due: at once if it was quiet before or somebody waits for them,
// else together with the records that follow soon.
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

// freshWait is how long a query waits for the index to catch up.
const freshWait = 2 * time.Second

// fresh waits until everything the log has shown so far is written, so that a query finds it. If the index is
// further behind than the wait, it answers with what it has.
func (x *RunIndex) fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, freshWait)
	defer cancel()
	err := x.Wait(ctx, x.Seen())
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// awaited reports whether somebody waits for records that are not written yet.
func (x *RunIndex) awaited() bool { return x.wanted.Load() > uint64(x.Position()) }

// fold adds a record to the next transaction.
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

// evolve folds a record into a run. It skips events of newer versions of heddle, and drops data that no search
// uses: outputs of steps, and log lines beyond those that are searched.
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

// again is the pause after a failed write.
const again = time.Second

// inTime calls do until it succeeds: neither a full disk nor an unreachable log may end the process, and the
// records that wait meanwhile are safe in the log.
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

// errUnread is in the error of a failed read from the log.
var errUnread = errors.New("reading the log")

// passing reports whether an error ends when somebody frees space, releases the file or restarts the log's
// server.
func passing(err error) bool {
	if errors.Is(err, errUnread) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok &&
		slices.Contains([]int{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY,
			sqlite3.SQLITE_CANTOPEN}, e.Code()&0xff)
}
