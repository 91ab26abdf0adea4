package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"heddle/domain/refusal"
)

func TestMemoryLog(t *testing.T) {
	testLog(t, func(*testing.T) Log { return NewMemory() })
}

func TestSQLiteLog(t *testing.T) {
	testLog(t, func(t *testing.T) Log { return openTestLog(t, filepath.Join(t.TempDir(), "events.db")) })
}

// The same without the newest records in memory: all that is followed is queried for.
func TestSQLiteLogQueried(t *testing.T) {
	testLog(t, func(t *testing.T) Log {
		log := openTestLog(t, filepath.Join(t.TempDir(), "events.db"))
		log.tail.newest.most = 0
		return log
	})
}

func openTestLog(t testing.TB, path string, opts ...SQLiteOption) *SQLite {
	t.Helper()
	log, err := OpenSQLite(path, opts...)
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

// testLog is what every adapter of Log has to pass.
func testLog(t *testing.T, open func(*testing.T) Log) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Log)
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

func event1(kind string) Event {
	id := uuid.Must(uuid.NewV7())
	return Event{ID: id, Kind: kind, Meta: []byte(`{"id":"` + id.String() + `"}`), Data: []byte(`{"kind":"` + kind + `"}`)}
}

func eventsOf(n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = event1(fmt.Sprint("E", i))
	}
	return events
}

func mustAppend(t testing.TB, log Log, stream string, expected Revision, events ...Event) Position {
	t.Helper()
	p, err := log.Append(context.Background(), stream, expected, events...)
	if err != nil {
		t.Fatalf("append to %s: %v", stream, err)
	}
	return p
}

func readAll(t testing.TB, log Log, stream string, from Revision) []Recorded {
	t.Helper()
	var all []Recorded
	for r, err := range log.Read(context.Background(), stream, from) {
		if err != nil {
			t.Fatalf("reading %s: %v", stream, err)
		}
		all = append(all, r)
	}
	return all
}

// caughtUp follows until the first mark.
func caughtUp(t testing.TB, log Log, after Position, f Filter) (all []Recorded, mark Position) {
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

func wantCode(t testing.TB, err error, code refusal.Code) {
	t.Helper()
	if refusal.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
}

func wantConflict(t testing.TB, err error, expected, actual Revision) {
	t.Helper()
	conflict, ok := errors.AsType[*ConflictError](err)
	if !ok || conflict.Expected != expected || conflict.Actual != actual {
		t.Fatalf("got %#v, want a conflict: expected %d, actual %d", err, expected, actual)
	}
}

func testReadBack(t *testing.T, log Log) {
	events := eventsOf(3)
	events[1].Data, events[1].Meta = nil, nil
	events[2].Data = []byte("\x00\xff'\"")
	first := mustAppend(t, log, "draft-1", NoStream, events[0])
	last := mustAppend(t, log, "draft-1", 0, events[1:]...)
	if first == 0 || last <= first {
		t.Errorf("positions %d, %d do not grow from above 0", first, last)
	}
	got := readAll(t, log, "draft-1", 0)
	if len(got) != 3 {
		t.Fatalf("read %d records", len(got))
	}
	for i, r := range got {
		if r.Stream != "draft-1" || r.Revision != Revision(i) || r.ID != events[i].ID || r.Kind != events[i].Kind ||
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
	if from := readAll(t, log, "draft-1", 2); len(from) != 1 || from[0].Revision != 2 {
		t.Errorf("from revision 2: %v", from)
	}
	if beyond := append(readAll(t, log, "draft-1", 3), readAll(t, log, "draft-2", 0)...); len(beyond) != 0 {
		t.Errorf("beyond the end: %v", beyond)
	}
}

func testPages(t *testing.T, log Log) {
	const n = 2*pageRecords + 3
	mustAppend(t, log, "draft-1", NoStream, eventsOf(pageRecords)...)
	mustAppend(t, log, "draft-1", pageRecords-1, eventsOf(n-pageRecords)...)
	big := make([]Event, 12) // more bytes than a page
	for i := range big {
		big[i] = Event{ID: uuid.New(), Kind: "Big", Data: bytes.Repeat([]byte("x"), MaxEvent)}
	}
	mustAppend(t, log, "draft-2", NoStream, big...)
	for stream, want := range map[string]int{"draft-1": n, "draft-2": len(big)} {
		got := readAll(t, log, stream, 0)
		if len(got) != want {
			t.Fatalf("%s has %d records, want %d", stream, len(got), want)
		}
		for i, r := range got {
			if r.Revision != Revision(i) {
				t.Fatalf("record %d has revision %d", i, r.Revision)
			}
		}
	}
	for _, f := range []Filter{{}, {Categories: []string{"draft"}}} {
		all, _ := caughtUp(t, log, 0, f)
		if len(all) != n+len(big) || !slices.IsSortedFunc(all, func(a, b Recorded) int { return int(a.Position) - int(b.Position) }) {
			t.Errorf("following %v yields %d records, want %d in order", f, len(all), n+len(big))
		}
	}
	for i := range readPrefix(log, "draft-1", 600) { // a reader may leave at any time
		_ = i
	}
	mustAppend(t, log, "draft-1", n-1, event1("After"))
}

func readPrefix(log Log, stream string, n int) (got []Recorded) {
	for r := range log.Read(context.Background(), stream, 0) {
		if got = append(got, r); len(got) == n {
			break
		}
	}
	return got
}

func testConflict(t *testing.T, log Log) {
	ctx := context.Background()
	_, err := log.Append(ctx, "draft-1", 0, event1("A"))
	wantConflict(t, err, 0, NoStream)
	mustAppend(t, log, "draft-1", NoStream, eventsOf(2)...)
	for _, expected := range []Revision{NoStream, 0, 2, 1000} {
		_, err := log.Append(ctx, "draft-1", expected, event1("B"))
		wantConflict(t, err, expected, 1)
	}
	if got := readAll(t, log, "draft-1", 0); len(got) != 2 {
		t.Errorf("conflicts left %d records", len(got))
	}
}

func testRepeat(t *testing.T, log Log) {
	ctx := context.Background()
	first, second := eventsOf(3), eventsOf(2)
	p1 := mustAppend(t, log, "run-1", NoStream, first...)
	p2 := mustAppend(t, log, "run-1", 2, second...)
	for range 2 {
		if p := mustAppend(t, log, "run-1", NoStream, first...); p != p1 {
			t.Errorf("repeat answered %d, first was %d", p, p1)
		}
		if p := mustAppend(t, log, "run-1", 2, second...); p != p2 {
			t.Errorf("repeat answered %d, first was %d", p, p2)
		}
	}
	mixed := []Event{first[0], first[1], event1("Other")}
	for expected, events := range map[Revision][]Event{
		NoStream: mixed,
		0:        first,
		2:        append(slices.Clone(second), event1("More")),
		1:        second,
	} {
		_, err := log.Append(ctx, "run-1", expected, events...)
		wantConflict(t, err, expected, 4)
	}
	if got := readAll(t, log, "run-1", 0); len(got) != 5 {
		t.Errorf("repeats left %d records", len(got))
	}
}

func testRefused(t *testing.T, log Log) {
	ctx := context.Background()
	big := Event{ID: uuid.New(), Kind: "Big", Meta: make([]byte, 100), Data: make([]byte, MaxEvent-99)}
	for name, try := range map[string]func() error{
		"over the limit":     func() error { _, err := log.Append(ctx, "draft-1", NoStream, event1("A"), big); return err },
		"no event":           func() error { _, err := log.Append(ctx, "draft-1", NoStream); return err },
		"no category":        func() error { _, err := log.Append(ctx, "draft", NoStream, event1("A")); return err },
		"no id of the event": func() error { _, err := log.Append(ctx, "draft-1", NoStream, Event{Kind: "A"}); return err },
		"endless name": func() error {
			_, err := log.Append(ctx, "draft-"+strings.Repeat("x", 300), NoStream, event1("A"))
			return err
		},
		"below none": func() error { _, err := log.Append(ctx, "draft-1", -2, event1("A")); return err },
	} {
		if err := try(); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v, want INVALID", name, err)
		}
	}
	big.Data = big.Data[1:]
	mustAppend(t, log, "draft-1", NoStream, big)
}

func testRemove(t *testing.T, log Log) {
	ctx := context.Background()
	mustAppend(t, log, "draft-1", NoStream, event1("Kept"))
	gone := eventsOf(3)
	last := mustAppend(t, log, "run-1", NoStream, gone...)
	for range 2 {
		if err := log.Remove(ctx, "run-1"); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, log.Remove(ctx, "run-2"), refusal.NotFound)
	for _, expected := range []Revision{NoStream, 2} {
		_, err := log.Append(ctx, "run-1", expected, gone...)
		wantCode(t, err, refusal.NotFound)
	}
	var err error
	for _, err = range log.Read(ctx, "run-1", 0) {
	}
	wantCode(t, err, refusal.NotFound)
	wantCode(t, log.Truncate(ctx, "run-1", 1), refusal.NotFound)
	if all, mark := caughtUp(t, log, 0, Filter{}); len(all) != 1 || mark < last {
		t.Errorf("following yields %v and a mark at %d", all, mark)
	}
	if p := mustAppend(t, log, "draft-1", 0, event1("Next")); p <= last {
		t.Errorf("position %d was given twice", p)
	}
}

func testTruncate(t *testing.T, log Log) {
	ctx := context.Background()
	wantCode(t, log.Truncate(ctx, "state-1", 1), refusal.NotFound)
	mustAppend(t, log, "state-1", NoStream, eventsOf(10)...)
	if err := log.Truncate(ctx, "state-1", 4); err != nil {
		t.Fatal(err)
	}
	if err := log.Truncate(ctx, "state-1", 2); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, log, "state-1", 0); len(got) != 6 || got[0].Revision != 4 {
		t.Errorf("%d records from %d on", len(got), got[0].Revision)
	}
	if err := log.Truncate(ctx, "state-1", 1000); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, log, "state-1", 9, event1("Next"))
	got := readAll(t, log, "state-1", 0)
	if len(got) != 2 || got[0].Revision != 9 || got[1].Revision != 10 {
		t.Errorf("after truncating all but the last: %v", got)
	}
	if all, _ := caughtUp(t, log, 0, Filter{}); !cmp.Equal(all, got) {
		t.Errorf("following yields %v", all)
	}
}

func testClosed(t *testing.T, log Log) {
	ctx := context.Background()
	mustAppend(t, log, "draft-1", NoStream, event1("A"))
	var appending sync.WaitGroup
	for i := range 8 { // whoever is handed over is waited for, whoever is late is told
		appending.Go(func() {
			if _, err := log.Append(ctx, fmt.Sprint("draft-x", i), NoStream, event1("A")); err != nil {
				wantClosed(t, err)
			}
		})
	}
	for range 2 {
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	appending.Wait()
	_, err := log.Append(ctx, "draft-1", 0, event1("B"))
	wantClosed(t, err)
	for _, err = range log.Read(ctx, "draft-1", 0) {
	}
	wantClosed(t, err)
	wantClosed(t, log.Remove(ctx, "draft-1"))
	for _, err = range log.Follow(ctx, 0, Filter{}) {
	}
	wantClosed(t, err)
}

func wantClosed(t *testing.T, err error) {
	t.Helper()
	if refusal.CodeOf(err) != refusal.Unavailable {
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
}

func testLeaving(t *testing.T, log Log) {
	for i := range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		stream := fmt.Sprint("draft-", i)
		time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
		_, err := log.Append(ctx, stream, NoStream, eventsOf(20)...)
		want := 20
		if err != nil {
			want = 0
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if got := readAll(t, log, stream, 0); len(got) != want {
			t.Errorf("append answered %v and left %d records", err, len(got))
		}
		cancel()
	}
}
