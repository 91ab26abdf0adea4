package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"heddle/domain/refusal"
)

// Copies of storetest's functions, which can't be imported from inside.

func event1(kind string) Event {
	id := uuid.Must(uuid.NewV7())
	return Event{ID: id, Kind: kind, Meta: []byte(`{"id":"` + id.String() + `"}`),
		Data: []byte(`{"kind":"` + kind + `"}`)}
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

func wantCode(t testing.TB, err error, code refusal.Code) {
	t.Helper()
	if refusal.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
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
