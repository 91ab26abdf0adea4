// Package storetest is the suite that every adapter of the log passes, so that all of them behave alike, with
// helpers for tests of logs.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"heddle/domain/refusal"
	"heddle/store"
)

// Log tests an adapter of [store.Log].
func Log(t *testing.T, open func(*testing.T) store.Log) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Log)
	}{
		{"what is appended is read", testReadBack},
		{"pages join without seams", testPages},
		{"a wrong revision is a conflict", testConflict},
		{"a repeat succeeds with the first position", testRepeat},
		{"what no log takes is refused", testRefused},
		{"a removed name is never used again", testRemove},
		{"a truncated stream goes on", testTruncate},
		{"following catches up, marks and wakes", testFollow},
		{"following some categories", testFollowFilter},
		{"following ends with its context or the log", testFollowEnds},
		{"many append at once", testConcurrent},
		{"one wins where many expect the same", testRace},
		{"a leaving caller's append is whole or not there", testLeaving},
		{"a closed log is unavailable", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			log := open(t)
			t.Cleanup(func() { log.Close() })
			test.run(t, log)
		})
	}
}

// Event returns an event that Heddle could have appended.
func Event(kind string) store.Event {
	id := uuid.Must(uuid.NewV7())
	return store.Event{ID: id, Kind: kind, Meta: []byte(`{"id":"` + id.String() + `"}`),
		Data: []byte(`{"kind":"` + kind + `"}`)}
}

// Events returns so many events, all different.
func Events(n int) []store.Event {
	events := make([]store.Event, n)
	for i := range events {
		events[i] = Event(fmt.Sprint("E", i))
	}
	return events
}

// MustAppend appends, or ends the test.
func MustAppend(t testing.TB, log store.Log, stream string, expected store.Revision,
	events ...store.Event) store.Position {
	t.Helper()
	p, err := log.Append(context.Background(), stream, expected, events...)
	if err != nil {
		t.Fatalf("append to %s: %v", stream, err)
	}
	return p
}

// ReadAll reads a stream from a revision on.
func ReadAll(t testing.TB, log store.Log, stream string, from store.Revision) []store.Recorded {
	t.Helper()
	var all []store.Recorded
	for r, err := range log.Read(context.Background(), stream, from) {
		if err != nil {
			t.Fatalf("reading %s: %v", stream, err)
		}
		all = append(all, r)
	}
	return all
}

// CaughtUp follows until the first mark.
func CaughtUp(t testing.TB, log store.Log, after store.Position,
	f store.Filter) (all []store.Recorded, mark store.Position) {
	t.Helper()
	for r, err := range log.Follow(context.Background(), after, f) {
		if err != nil {
			t.Fatalf("following: %v", err)
		}
		if r.Mark() {
			return all, r.Position
		}
		all = append(all, r)
	}
	t.Fatal("following ended without an error")
	return nil, 0
}

// WantCode ends a test where an error is not a refusal with a code.
func WantCode(t testing.TB, err error, code refusal.Code) {
	t.Helper()
	if refusal.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
}

func wantConflict(t testing.TB, err error, expected, actual store.Revision) {
	t.Helper()
	conflict, ok := errors.AsType[*store.ConflictError](err)
	if !ok || conflict.Expected != expected || conflict.Actual != actual {
		t.Fatalf("got %#v, want a conflict: expected %d, actual %d", err, expected, actual)
	}
}

func testReadBack(t *testing.T, log store.Log) {
	events := Events(3)
	events[1].Data, events[1].Meta = nil, nil
	events[2].Data = []byte("\x00\xff'\"")
	first := MustAppend(t, log, "draft-1", store.NoStream, events[0])
	last := MustAppend(t, log, "draft-1", 0, events[1:]...)
	if first == 0 || last <= first {
		t.Errorf("positions %d, %d do not grow from above 0", first, last)
	}
	got := ReadAll(t, log, "draft-1", 0)
	if len(got) != 3 {
		t.Fatalf("read %d records", len(got))
	}
	for i, r := range got {
		if r.Stream != "draft-1" || r.Revision != store.Revision(i) || r.ID != events[i].ID ||
			r.Kind != events[i].Kind ||
			!bytes.Equal(r.Data, events[i].Data) || !bytes.Equal(r.Meta, events[i].Meta) {
			t.Errorf("record %d is %+v, want %+v", i, r, events[i])
		}
		if r.Category() != "draft" || r.AggregateID() != "1" || r.Mark() {
			t.Errorf("record %d: category %q, id %q", i, r.Category(), r.AggregateID())
		}
	}
	if got[0].Position != first || got[2].Position != last {
		t.Errorf("positions %d and %d, want %d and %d", got[0].Position, got[2].Position, first, last)
	}
	if from := ReadAll(t, log, "draft-1", 2); len(from) != 1 || from[0].Revision != 2 {
		t.Errorf("from revision 2: %v", from)
	}
	if beyond := append(ReadAll(t, log, "draft-1", 3), ReadAll(t, log, "draft-2", 0)...); len(beyond) != 0 {
		t.Errorf("beyond the end: %v", beyond)
	}
}

func testPages(t *testing.T, log store.Log) {
	const n = 2*store.PageRecords + 3
	MustAppend(t, log, "draft-1", store.NoStream, Events(store.PageRecords)...)
	MustAppend(t, log, "draft-1", store.PageRecords-1, Events(n-store.PageRecords)...)
	big := make([]store.Event, 12) // more bytes than a page
	for i := range big {
		big[i] = store.Event{ID: uuid.New(), Kind: "Big", Data: bytes.Repeat([]byte("x"), store.MaxEvent)}
	}
	MustAppend(t, log, "draft-2", store.NoStream, big...)
	for stream, want := range map[string]int{"draft-1": n, "draft-2": len(big)} {
		got := ReadAll(t, log, stream, 0)
		if len(got) != want {
			t.Fatalf("%s has %d records, want %d", stream, len(got), want)
		}
		for i, r := range got {
			if r.Revision != store.Revision(i) {
				t.Fatalf("record %d has revision %d", i, r.Revision)
			}
		}
	}
	for _, f := range []store.Filter{{}, {Categories: []string{"draft"}}} {
		all, _ := CaughtUp(t, log, 0, f)
		if len(all) != n+len(big) || !slices.IsSortedFunc(all, func(a, b store.Recorded) int {
			return int(a.Position) - int(b.Position)
		}) {
			t.Errorf("following %v yields %d records, want %d in order", f, len(all), n+len(big))
		}
	}
	for i := range readPrefix(log, "draft-1", 600) { // a reader may leave at any time
		_ = i
	}
	MustAppend(t, log, "draft-1", n-1, Event("After"))
}

func readPrefix(log store.Log, stream string, n int) (got []store.Recorded) {
	for r := range log.Read(context.Background(), stream, 0) {
		if got = append(got, r); len(got) == n {
			break
		}
	}
	return got
}

func testConflict(t *testing.T, log store.Log) {
	ctx := context.Background()
	_, err := log.Append(ctx, "draft-1", 0, Event("A"))
	wantConflict(t, err, 0, store.NoStream)
	MustAppend(t, log, "draft-1", store.NoStream, Events(2)...)
	for _, expected := range []store.Revision{store.NoStream, 0, 2, 1000} {
		_, err := log.Append(ctx, "draft-1", expected, Event("B"))
		wantConflict(t, err, expected, 1)
	}
	if got := ReadAll(t, log, "draft-1", 0); len(got) != 2 {
		t.Errorf("conflicts left %d records", len(got))
	}
}

func testRepeat(t *testing.T, log store.Log) {
	ctx := context.Background()
	first, second := Events(3), Events(2)
	p1 := MustAppend(t, log, "run-1", store.NoStream, first...)
	p2 := MustAppend(t, log, "run-1", 2, second...)
	for range 2 {
		if p := MustAppend(t, log, "run-1", store.NoStream, first...); p != p1 {
			t.Errorf("repeat answered %d, first was %d", p, p1)
		}
		if p := MustAppend(t, log, "run-1", 2, second...); p != p2 {
			t.Errorf("repeat answered %d, first was %d", p, p2)
		}
	}
	mixed := []store.Event{first[0], first[1], Event("Other")}
	for expected, events := range map[store.Revision][]store.Event{
		store.NoStream: mixed,
		0:              first,
		2:              append(slices.Clone(second), Event("More")),
		1:              second,
	} {
		_, err := log.Append(ctx, "run-1", expected, events...)
		wantConflict(t, err, expected, 4)
	}
	if got := ReadAll(t, log, "run-1", 0); len(got) != 5 {
		t.Errorf("repeats left %d records", len(got))
	}
}

func testRefused(t *testing.T, log store.Log) {
	ctx := context.Background()
	big := store.Event{ID: uuid.New(), Kind: "Big", Meta: make([]byte, 100), Data: make([]byte, store.MaxEvent-99)}
	for name, try := range map[string]func() error{
		"over the limit": func() error {
			_, err := log.Append(ctx, "draft-1", store.NoStream, Event("A"), big)
			return err
		},
		"no event": func() error { _, err := log.Append(ctx, "draft-1", store.NoStream); return err },
		"no category": func() error {
			_, err := log.Append(ctx, "draft", store.NoStream, Event("A"))
			return err
		},
		"no id of the event": func() error {
			_, err := log.Append(ctx, "draft-1", store.NoStream, store.Event{Kind: "A"})
			return err
		},
		"endless name": func() error {
			_, err := log.Append(ctx, "draft-"+strings.Repeat("x", 300), store.NoStream, Event("A"))
			return err
		},
		"below none": func() error { _, err := log.Append(ctx, "draft-1", -2, Event("A")); return err },
	} {
		if err := try(); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v, want INVALID", name, err)
		}
	}
	big.Data = big.Data[1:]
	MustAppend(t, log, "draft-1", store.NoStream, big)
}

func testRemove(t *testing.T, log store.Log) {
	ctx := context.Background()
	MustAppend(t, log, "draft-1", store.NoStream, Event("Kept"))
	gone := Events(3)
	last := MustAppend(t, log, "run-1", store.NoStream, gone...)
	for range 2 {
		if err := log.Remove(ctx, "run-1"); err != nil {
			t.Fatal(err)
		}
	}
	WantCode(t, log.Remove(ctx, "run-2"), refusal.NotFound)
	for _, expected := range []store.Revision{store.NoStream, 2} {
		_, err := log.Append(ctx, "run-1", expected, gone...)
		WantCode(t, err, refusal.NotFound)
	}
	var err error
	for _, err = range log.Read(ctx, "run-1", 0) {
	}
	WantCode(t, err, refusal.NotFound)
	WantCode(t, log.Truncate(ctx, "run-1", 1), refusal.NotFound)
	if all, mark := CaughtUp(t, log, 0, store.Filter{}); len(all) != 1 || mark < last {
		t.Errorf("following yields %v and a mark at %d", all, mark)
	}
	if p := MustAppend(t, log, "draft-1", 0, Event("Next")); p <= last {
		t.Errorf("position %d was given twice", p)
	}
}

func testTruncate(t *testing.T, log store.Log) {
	ctx := context.Background()
	WantCode(t, log.Truncate(ctx, "state-1", 1), refusal.NotFound)
	MustAppend(t, log, "state-1", store.NoStream, Events(10)...)
	if err := log.Truncate(ctx, "state-1", 4); err != nil {
		t.Fatal(err)
	}
	if err := log.Truncate(ctx, "state-1", 2); err != nil {
		t.Fatal(err)
	}
	if got := ReadAll(t, log, "state-1", 0); len(got) != 6 || got[0].Revision != 4 {
		t.Errorf("%d records from %d on", len(got), got[0].Revision)
	}
	if err := log.Truncate(ctx, "state-1", 1000); err != nil {
		t.Fatal(err)
	}
	MustAppend(t, log, "state-1", 9, Event("Next"))
	got := ReadAll(t, log, "state-1", 0)
	if len(got) != 2 || got[0].Revision != 9 || got[1].Revision != 10 {
		t.Errorf("after truncating all but the last: %v", got)
	}
	if all, _ := CaughtUp(t, log, 0, store.Filter{}); !cmp.Equal(all, got) {
		t.Errorf("following yields %v", all)
	}
}

func testClosed(t *testing.T, log store.Log) {
	ctx := context.Background()
	MustAppend(t, log, "draft-1", store.NoStream, Event("A"))
	var appending sync.WaitGroup
	for i := range 8 { // an append that was handed over is awaited, a late one is refused
		appending.Go(func() {
			if _, err := log.Append(ctx, fmt.Sprint("draft-x", i), store.NoStream, Event("A")); err != nil {
				WantUnavailable(t, err)
			}
		})
	}
	for range 2 {
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	appending.Wait()
	_, err := log.Append(ctx, "draft-1", 0, Event("B"))
	WantUnavailable(t, err)
	for _, err = range log.Read(ctx, "draft-1", 0) {
	}
	WantUnavailable(t, err)
	WantUnavailable(t, log.Remove(ctx, "draft-1"))
	for _, err = range log.Follow(ctx, 0, store.Filter{}) {
	}
	WantUnavailable(t, err)
}

// WantUnavailable fails unless the error is that of a closed or lost log.
func WantUnavailable(t *testing.T, err error) {
	t.Helper()
	if refusal.CodeOf(err) != refusal.Unavailable {
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
}

func testLeaving(t *testing.T, log store.Log) {
	for i := range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		stream := fmt.Sprint("draft-", i)
		time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
		_, err := log.Append(ctx, stream, store.NoStream, Events(20)...)
		want := 20
		if err != nil {
			want = 0
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if got := ReadAll(t, log, stream, 0); len(got) != want {
			t.Errorf("append answered %v and left %d records", err, len(got))
		}
		cancel()
	}
}

// SQLite opens a log in a file until the test ends.
func SQLite(t testing.TB, path string, opts ...store.SQLiteOption) *store.SQLite {
	t.Helper()
	log, err := store.OpenSQLite(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}
