package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/storetest"
)

// list is an aggregate for tests: words, and how often each was added.
type list struct {
	Words   []string
	Authors []string
	Last    domain.Meta
}

type wordAdded struct {
	Word string   `json:"word"`
	At   []string `json:"at,omitempty"`
}

func (e wordAdded) Evolve(l list, m domain.Meta) list {
	return list{append(slices.Clip(l.Words), e.Word), append(slices.Clip(l.Authors), m.Actor), m}
}

func (e wordAdded) Touches() []string { return e.At }

// listCleared touches everything.
type listCleared struct{}

func (listCleared) Evolve(list, domain.Meta) list { return list{} }

// counted has a state that costs nothing to fold, for streams of many events.
type counted struct {
	By string `json:"by"`
}

func (e counted) Evolve(s tally, _ domain.Meta) tally { return tally{s.N + 1} }

type tally struct{ N int }

var (
	lists   = domain.NewCategory("list", domain.Kind[wordAdded]("WordAdded"), domain.Kind[listCleared]("ListCleared"))
	tallies = domain.NewCategory("tally", domain.Kind[counted]("Counted"))
)

func add(words ...string) func(list) (domain.Changes[list], error) {
	return func(list) (domain.Changes[list], error) {
		var changes domain.Changes[list]
		for _, w := range words {
			changes = append(changes, wordAdded{Word: w, At: []string{w}})
		}
		return changes, nil
	}
}

func count(tally) (domain.Changes[tally], error) { return domain.Changes[tally]{counted{"x"}}, nil }

func as(actor string) context.Context {
	return store.As(context.Background(), store.Author{Organization: "org", Actor: actor, Token: "tok", Remote: "::1",
		Correlation: "c", Causation: "d"})
}

func bothLogs(t *testing.T, run func(*testing.T, store.Log)) {
	t.Run("memory", func(t *testing.T) { run(t, store.NewMemory()) })
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db"))) })
}

func TestChange(t *testing.T) {
	bothLogs(t, func(t *testing.T, log store.Log) {
		ctx := as("ann")
		state, position, err := store.Change(ctx, log, lists, "1", add("a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(state.Words, []string{"a", "b"}) || state.Last.Aggregate != "1" {
			t.Errorf("state %+v", state)
		}
		records := storetest.ReadAll(t, log, "list-1", 0)
		if position != records[1].Position {
			t.Errorf("position %d, want %d", position, records[1].Position)
		}
		loaded, revision, err := store.Load(context.Background(), log, lists, "1")
		if err != nil || revision != 1 {
			t.Fatal(revision, err)
		}
		if diff := cmp.Diff(state, loaded); diff != "" {
			t.Errorf("the state that Change returned differs from what is read:\n%s", diff)
		}
		m := loaded.Last
		if m.Organization != "org" || m.Actor != "ann" || m.Token != "tok" || m.Remote != "::1" ||
			m.Correlation != "c" || m.Causation != "d" ||
			m.ID != records[1].ID || m.ID.Version() != 7 || m.Time.Location() != time.UTC ||
			time.Since(m.Time) > time.Minute {
			t.Errorf("meta %+v", m)
		}
		if m.Previous != store.HashOf(records[0]) {
			t.Errorf("previous %s, want the hash of the record before", m.Previous)
		}
		same, again, err := store.Change(ctx, log, lists, "1", func(list) (domain.Changes[list], error) {
			return nil, nil
		})
		if err != nil || again != position || !cmp.Equal(same, state) {
			t.Errorf("no events: %v at %d, %v", same, again, err)
		}
		_, _, err = store.Change(ctx, log, lists, "1", func(list) (domain.Changes[list], error) {
			return nil, refusal.New(refusal.Forbidden, "no")
		})
		storetest.WantCode(t, err, refusal.Forbidden)
	})
}

func TestChangeNeedsAnOrganization(t *testing.T) {
	_, _, err := store.Change(store.As(context.Background(), store.Author{Actor: "ann"}), store.NewMemory(), lists,
		"1", add("a"))
	if err == nil || !strings.Contains(err.Error(), "without an author's organization") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownKindFailsADecision(t *testing.T) {
	log := store.NewMemory()
	newer := storetest.Event("FromTheFuture")
	storetest.MustAppend(t, log, "list-1", store.NoStream, newer)
	_, _, err := store.Change(as("ann"), log, lists, "1", add("a"))
	unknown, ok := errors.AsType[*domain.UnknownKindError](err)
	if !ok || unknown.Kind != "FromTheFuture" {
		t.Errorf("got %v", err)
	}
}

func TestHandleDecidesAgainAfterAConflict(t *testing.T) {
	bothLogs(t, func(t *testing.T, log store.Log) {
		h, err := store.Open(as("ann"), log, lists, "1")
		if err != nil || h.Revision() != store.NoStream {
			t.Fatal(h, err)
		}
		if _, _, err := store.Change(as("bob"), log, lists, "1", add("theirs")); err != nil {
			t.Fatal(err)
		}
		var seen [][]string
		state, position, err := h.Change(as("ann"), func(l list) (domain.Changes[list], error) {
			seen = append(seen, l.Words)
			return add("mine")(l)
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{nil, {"theirs"}}, seen); diff != "" {
			t.Errorf("decided on:\n%s", diff)
		}
		if !slices.Equal(state.Authors, []string{"bob", "ann"}) || h.Revision() != 1 || h.Position() != position ||
			!cmp.Equal(h.State(), state) {
			t.Errorf("%+v at %d", state, h.Revision())
		}
	})
}

func TestHandleRefusesOnlyOnTheNewestState(t *testing.T) {
	log := store.NewMemory()
	h, _ := store.Open(as("ann"), log, lists, "1")
	if _, _, err := store.Change(as("bob"), log, lists, "1", add("needed")); err != nil {
		t.Fatal(err)
	}
	needs := func(l list) (domain.Changes[list], error) {
		if !slices.Contains(l.Words, "needed") {
			return nil, refusal.New(refusal.Invalid, "not yet")
		}
		return nil, nil
	}
	state, position, err := h.Change(as("ann"), needs)
	if err != nil || len(state.Words) != 1 || position == 0 {
		t.Errorf("%v at %d: %v", state, position, err)
	}
}

func TestIfRevision(t *testing.T) {
	bothLogs(t, func(t *testing.T, log store.Log) {
		change := func(actor string, n store.Revision, changes ...domain.Event[list]) error {
			_, _, err := store.Change(as(actor), log, lists, "1", func(list) (domain.Changes[list], error) {
				return changes, nil
			}, store.IfRevision(n))
			return err
		}
		word := func(w string) wordAdded { return wordAdded{Word: w, At: []string{w, "w" + w}} }
		for i, test := range []struct {
			name    string
			actor   string
			seen    store.Revision
			changes domain.Changes[list]
			refused string
		}{
			{"the first", "ann", store.NoStream, domain.Changes[list]{word("a"), word("b")}, ""},
			{"at the newest", "bob", 1, domain.Changes[list]{word("c")}, ""},
			{"past what it does not touch", "cy", 1, domain.Changes[list]{word("d")}, ""},
			{"past what it touches", "dee", 1, domain.Changes[list]{word("x"), word("c")},
				"changed meanwhile by bob at "},
			{"seen again, the same goes", "dee", 3, domain.Changes[list]{word("c")}, ""},
			{"what touches everything", "eve", 3, domain.Changes[list]{listCleared{}}, "by dee at "},
			{"clearing at the newest", "eve", 4, domain.Changes[list]{listCleared{}}, ""},
			{"past what touched everything", "fay", 4, domain.Changes[list]{word("z")}, "ListCleared"},
			{"a revision that is not there", "fay", 99, domain.Changes[list]{word("z")}, "does not exist"},
		} {
			err := change(test.actor, test.seen, test.changes...)
			if test.refused == "" {
				if err != nil {
					t.Fatalf("%d %s: %v", i, test.name, err)
				}
				continue
			}
			storetest.WantCode(t, err, refusal.Conflict)
			if !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%s: %q does not say %q", test.name, err, test.refused)
			}
		}
		if err := change("fay", 0); err != nil {
			t.Errorf("nothing to change is a success, got %v", err)
		}
	})
}

// If a decision refuses because of what changed meanwhile, the change is reported; and a part includes
// everything in it.
func TestIfRevisionTellsWhoRemoved(t *testing.T) {
	bothLogs(t, func(t *testing.T, log store.Log) {
		gone := refusal.New(refusal.NotFound, "it is not there")
		edit := func(actor string, n store.Revision, key string, refusal error) error {
			_, _, err := store.Change(as(actor), log, lists, "1", func(list) (domain.Changes[list], error) {
				return domain.Changes[list]{wordAdded{Word: key, At: []string{key}}}, refusal
			}, store.IfRevision(n))
			return err
		}
		for n, key := range []string{"a", "part", "c/d"} {
			if err := edit("ann", store.Revision(n-1), key, nil); err != nil {
				t.Fatal(err)
			}
		}
		err := edit("bob", 0, "part/inputs/url", gone)
		if changed, is := errors.AsType[*store.ChangedError](err); !is || changed.Actor != "ann" ||
			changed.Kind != "WordAdded" || !slices.Equal(changed.Touched, []string{"part"}) {
			t.Errorf("got %v", err)
		}
		storetest.WantCode(t, err, refusal.Conflict)
		for key, want := range map[string]error{"c": nil, "parts": gone, "b": gone} {
			err := edit("bob", 1, key, gone)
			if _, is := errors.AsType[*store.ChangedError](err); is != (want == nil) ||
				want != nil && !errors.Is(err, want) {
				t.Errorf("%s: got %v", key, err)
			}
		}
	})
}

// elsewhere is a log as another process sees it.
type elsewhere struct {
	store.Shared
	wrapped
}

type wrapped struct{ store.Log }

func from(log store.Log) store.Log { return &elsewhere{wrapped: wrapped{log}} }

// TestManyChangeOneStream has 50 writers in three lock domains change one stream: every change that succeeded
// must be there, once.
func TestManyChangeOneStream(t *testing.T) {
	bothLogs(t, func(t *testing.T, log store.Log) {
		processes := []store.Log{log, from(log), from(log)}
		ctx, cancel := context.WithTimeout(as("w"), 5*time.Second)
		defer cancel()
		if testing.Short() {
			ctx, cancel = context.WithTimeout(as("w"), time.Second)
			defer cancel()
		}
		var writing sync.WaitGroup
		var done, perWriter [50]int
		for w := range done {
			writing.Go(func() {
				for ctx.Err() == nil {
					_, _, err := store.Change(context.WithoutCancel(ctx), processes[w%3], tallies, "1",
						func(tally) (domain.Changes[tally], error) {
							return domain.Changes[tally]{counted{fmt.Sprint(w)}}, nil
						})
					if err != nil {
						t.Error(err)
						return
					}
					done[w]++
				}
			})
		}
		writing.Wait()
		total, least := 0, done[0]
		for _, r := range storetest.ReadAll(t, log, "tally-1", 0) {
			event, err := tallies.Decode(r.Kind, r.Data)
			if err != nil {
				t.Fatal(err)
			}
			var w int
			fmt.Sscan(event.(counted).By, &w)
			perWriter[w]++
		}
		for w := range done {
			total, least = total+done[w], min(least, done[w])
			if done[w] != perWriter[w] {
				t.Errorf("writer %d was told of %d changes, %d are there", w, done[w], perWriter[w])
			}
		}
		if least == 0 {
			t.Error("a writer never had its turn")
		}
		t.Logf("%d changes, %d to %d a writer", total, least, slices.Max(done[:]))
		if head, err := store.Verify(context.Background(), log, nil); err != nil || head.Events != total {
			t.Errorf("verify: %+v, %v", head, err)
		}
	})
}

// flaky loses the answer of appends that came through, and some appends altogether.
type flaky struct {
	store.Log
	calls atomic.Int32
	fail  func(call int32) (lost, before bool)
}

var errLost = errors.New("connection lost")

func (f *flaky) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	lost, before := f.fail(f.calls.Add(1))
	if lost && before {
		return 0, errLost
	}
	p, err := f.Log.Append(ctx, stream, expected, events...)
	if lost {
		return 0, errLost
	}
	return p, err
}

func TestUnknownOutcomeIsRepeated(t *testing.T) {
	log := &flaky{Log: store.NewMemory(), fail: func(call int32) (bool, bool) { return call%4 != 0, call%4 == 1 }}
	for i := range 2 {
		state, _, err := store.Change(as("ann"), log, lists, "1", add(fmt.Sprint(i), "x"))
		if err != nil || len(state.Words) != 2*(i+1) {
			t.Fatalf("%v: %v", state.Words, err)
		}
	}
	if got := len(storetest.ReadAll(t, log, "list-1", 0)); got != 4 {
		t.Errorf("%d records, want each change once", got)
	}
	dead := &flaky{Log: store.NewMemory(), fail: func(int32) (bool, bool) { return true, true }}
	if _, _, err := store.Change(as("ann"), dead, lists, "1", add("a")); !errors.Is(err, errLost) ||
		dead.calls.Load() != store.DeliverTries {
		t.Errorf("%v after %d tries", err, dead.calls.Load())
	}
}

// counting counts the records read from a log.
type counting struct {
	store.Log
	read int
}

func (c *counting) Read(ctx context.Context, stream string, from store.Revision) iter.Seq2[store.Recorded, error] {
	return func(yield func(store.Recorded, error) bool) {
		for r, err := range c.Log.Read(ctx, stream, from) {
			c.read++
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestLongStreamsAreNotReadAgain(t *testing.T) {
	log := &counting{Log: store.NewMemory()}
	for range 500 {
		if _, _, err := store.Change(as("ann"), log, tallies, "1", count); err != nil {
			t.Fatal(err)
		}
	}
	if log.read > store.LongStream*store.LongStream {
		t.Errorf("%d records were read for 500 changes", log.read)
	}
	if _, _, err := store.Change(as("bob"), from(log.Log), tallies, "1", count); err != nil {
		t.Fatal(err)
	}
	if s, r, err := store.Load(as("ann"), log, tallies, "1"); err != nil || s.N != 501 || r != 500 {
		t.Errorf("%v at %d: %v", s, r, err)
	}
	if err := log.Remove(context.Background(), "tally-1"); err != nil {
		t.Fatal(err)
	}
	_, _, err := store.Change(as("ann"), log, tallies, "1", count)
	storetest.WantCode(t, err, refusal.NotFound)
}
