// Package projections answers queries: it folds the log into read models. View holds in memory what people do;
// RunIndex holds on disk what machines do. Both are disposable: the log is the truth.
package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"unique"

	"heddle/domain"
	"heddle/store"
)

// View folds every aggregate of the design categories into memory, with the domain's own events,
// and keeps the few indexes that cross aggregates.
type View struct {
	Progress
	log    store.Log
	logger *slog.Logger

	Organizations Table[domain.Organization]
	Users         Table[domain.User]
	Customers     Table[domain.Customer]
	Integrations  Table[domain.Integration]
	Drafts        Table[domain.Draft]
	Instances     Table[domain.Instance]

	mu        sync.RWMutex                             // guards the tables and all below
	tokens    map[string]tokenOwner                    // by hash
	versions  map[string]string                        // integration by version
	attached  map[string]string                        // integration by attachment
	listings  map[string]*listing                      // by integration
	lists     map[string][]*listing                    // by organization, in the order of creation; append-only
	open      map[string]map[string]*row[domain.Draft] // drafts that have not ended, by organization and id
	ended     map[string]*listing                      // integrations of evicted drafts, by id
	scheduled map[string]*row[domain.Draft]            // scheduled drafts, by id
	unknown   map[string]bool                          // kinds already warned about
	// by organization, in the order of their events; append-only
	notifications   map[string][]*Notification
	notificationsTo map[string][]*Notification // the same by user
	decodable       map[string]decoder         // by category
	applied         atomic.Uint64              // position of the last record
}

// decoder turns a record into its application, which runs later, in order, under the View's lock.
type decoder func(*store.Recorded) (apply func(), err error)

type tokenOwner struct{ user, token string }

// NewView makes a view that is empty until Run follows the log.
func NewView(log store.Log, logger *slog.Logger) *View {
	v := &View{log: log, logger: logger, tokens: map[string]tokenOwner{}, versions: map[string]string{},
		attached: map[string]string{}, listings: map[string]*listing{}, lists: map[string][]*listing{},
		open: map[string]map[string]*row[domain.Draft]{}, ended: map[string]*listing{},
		scheduled: map[string]*row[domain.Draft]{}, notifications: map[string][]*Notification{},
		notificationsTo: map[string][]*Notification{}, unknown: map[string]bool{}, decodable: map[string]decoder{}}
	v.Progress.init()
	fold(v, &v.Organizations, domain.Organizations, nil)
	fold(v, &v.Users, domain.Users, v.indexUser)
	fold(v, &v.Customers, domain.Customers, nil)
	fold(v, &v.Integrations, domain.Integrations, v.indexIntegration)
	fold(v, &v.Drafts, domain.Drafts, v.indexDraft)
	fold(v, &v.Instances, domain.Instances, nil)
	return v
}

// Categories returns the names of the categories that the view follows.
func (v *View) Categories() []string { return slices.Sorted(maps.Keys(v.decodable)) }

// Applied returns the position of the newest record that the View shows. Unlike Position, which marks move too,
// every reader of the same categories passes it.
func (v *View) Applied() store.Position { return store.Position(v.applied.Load()) }

// batchSize is how many records are decoded together: enough to keep all cores busy at a rebuild.
const batchSize = 256

type batch struct {
	apply []func()
	upTo  store.Position
	last  store.Position // of its last record, 0 if it has none
	mark  bool
	done  chan struct{} // closed when decoded
	err   error
}

// Run follows the log until ctx ends. Records are decoded on all cores and applied in order.
func (v *View) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan *batch, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(batches)
		cancel(v.read(ctx, batches, &wg))
	})
	for b := range batches {
		<-b.done
		if b.err != nil {
			cancel(b.err)
			continue
		}
		if context.Cause(ctx) == nil {
			v.apply(b)
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// read cuts the log into batches, ends one at each mark, and has each decoded by a goroutine.
func (v *View) read(ctx context.Context, batches chan<- *batch, wg *sync.WaitGroup) error {
	var pending []store.Recorded
	room := batchSize
	flush := func(upTo store.Position, mark bool) error {
		b := &batch{upTo: upTo, mark: mark, done: make(chan struct{})}
		records := pending
		if pending = nil; len(records) > 0 {
			b.last = records[len(records)-1].Position
		}
		wg.Go(func() {
			defer close(b.done)
			b.err = v.decode(b, records)
		})
		select {
		case batches <- b:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for rec, err := range store.Own(v.log.Follow(ctx, 0, store.Filter{Categories: v.Categories()})) {
		if err != nil {
			return err
		}
		v.saw(rec.Position)
		if !rec.Mark() {
			if pending == nil {
				pending = make([]store.Recorded, 0, room)
			}
			pending = append(pending, rec)
		}
		if rec.Mark() {
			room = 1 // it has caught up: from now on records come one by one
		}
		if rec.Mark() || len(pending) == batchSize {
			if err := flush(rec.Position, rec.Mark()); err != nil {
				return err
			}
		}
	}
	return errors.New("the log ended")
}

func (v *View) decode(b *batch, records []store.Recorded) error {
	b.apply = make([]func(), 0, len(records))
	for i := range records {
		rec := &records[i]
		apply, err := v.decodable[rec.Category()](rec)
		if unknown, ok := errors.AsType[*domain.UnknownKindError](err); ok {
			apply = func() { v.skip(unknown) }
		} else if err != nil {
			return fmt.Errorf("folding %s@%d: %w", rec.Stream, rec.Revision, err)
		}
		b.apply = append(b.apply, apply)
	}
	return nil
}

func (v *View) apply(b *batch) {
	v.mu.Lock()
	for _, apply := range b.apply {
		apply()
	}
	v.mu.Unlock()
	if b.last > 0 {
		v.applied.Store(uint64(b.last))
	}
	v.reach(b.upTo, len(b.apply) > 0, b.mark)
}

// intern returns the previous string if it is equal: the same few come with each event, and are kept once.
func intern(last *atomic.Pointer[string], s string) string {
	if p := last.Load(); p != nil && *p == s {
		return *p
	}
	kept := unique.Make(s).Value()
	last.Store(&kept)
	return kept
}

// skip warns once of a kind that a newer version of heddle wrote.
func (v *View) skip(e *domain.UnknownKindError) {
	if !v.unknown[e.Kind] {
		v.unknown[e.Kind] = true
		v.logger.Warn("skipping events of an unknown kind", "category", e.Category, "kind", e.Kind)
	}
}

// applied is an event as applied, with its record and metadata.
type applied[S any] struct {
	*store.Recorded
	event domain.Event[S]
	meta  domain.Meta
}

// fold ties a category to its table. index runs with the states before and after each event and
// returns the state to keep.
func fold[S any](v *View, t *Table[S], c *domain.Category[S], index func(before, after S, by applied[S]) S) {
	t.init(&v.mu)
	var organization, actor atomic.Pointer[string]
	v.decodable[c.Name] = func(rec *store.Recorded) (func(), error) {
		event, err := c.DecodeSummary(rec.Kind, rec.Data)
		if err != nil {
			return nil, err
		}
		meta, err := store.MetaOf(*rec)
		if err != nil {
			return nil, err
		}
		meta.Organization, meta.Actor = intern(&organization, meta.Organization), intern(&actor, meta.Actor)
		return func() {
			if v.ended[meta.Aggregate] != nil {
				return // an event that no decision makes
			}
			row := t.row(meta, rec.Position)
			before := row.State
			row.State = event.Evolve(before, meta)
			if index != nil {
				row.State = index(before, row.State, applied[S]{Recorded: rec, event: event, meta: meta})
			}
		}, nil
	}
}
