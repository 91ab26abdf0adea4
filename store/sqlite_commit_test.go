package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"heddle/store"
	"heddle/store/storetest"
)

// TestSQLiteCommitLandsAndFails has a commit land that reports a failure. Its outcome is unknown, a repeat
// succeeds with the first position, a change repeats it by itself, and appends to other streams do not lead a
// follower of the category past the record.
func TestSQLiteCommitLandsAndFails(t *testing.T) {
	log := storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db"))
	first := storetest.MustAppend(t, log, "draft-1", store.NoStream, storetest.Event("A"))
	drafts := storetest.Follow(t, log, first, store.Filter{Categories: []string{"draft"}})
	drafts.Next(t)
	defer func() { drafts.Stop(t) }()

	store.FailCommit(t, log)
	lost := storetest.Event("B")
	_, err := log.Append(context.Background(), "draft-1", 0, lost)
	if !errors.Is(err, store.ErrUnknownOutcome) {
		t.Fatalf("got %v, want an unknown outcome", err)
	}
	store.FailCommit(t, log)
	if _, _, err := store.Change(as("ann"), log, tallies, "1", count); err != nil {
		t.Errorf("a change does not repeat what may have come through: %v", err)
	}
	run := storetest.MustAppend(t, log, "run-1", store.NoStream, storetest.Event("R"))
	if r := drafts.Next(t); r.ID != lost.ID {
		t.Fatalf("got %+v, want the record that landed", r)
	}
	if p := storetest.MustAppend(t, log, "draft-1", 0, lost); p != first+1 || p >= run {
		t.Errorf("the repeat answered %d, want %d", p, first+1)
	}
	if s, _, err := store.Load(context.Background(), log, tallies, "1"); err != nil || s.N != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
