package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
)

// landed is a COMMIT that does its work and then, some times, says that it failed.
type landed struct {
	driver.Stmt
	fails int
}

// ExecContext implements [driver.StmtExecContext].
func (l *landed) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := l.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	if err == nil && l.fails > 0 {
		l.fails--
		return nil, errDead
	}
	return result, err
}

// failCommit has the writer's next commit land and fail.
func failCommit(t *testing.T, log *SQLite) {
	t.Helper()
	change := func(w *writer, _ *request) (Position, error) {
		w.conn.statements["COMMIT"] = &landed{w.conn.statements["COMMIT"], 1}
		return 0, errDead // undone, without a commit
	}
	if _, err := log.writer.submit(context.Background(), &request{do: change}); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
}

// TestSQLiteCommitLandsAndFails has a commit land that is told as failed. Its outcome is unknown, a
// repeat succeeds with the first position, a change repeats it by itself, and a follower of the
// category is not led past the record by what is appended to others.
func TestSQLiteCommitLandsAndFails(t *testing.T) {
	log := openTestLog(t, filepath.Join(t.TempDir(), "events.db"))
	first := mustAppend(t, log, "draft-1", NoStream, event1("A"))
	drafts := startFollow(t, log, first, Filter{Categories: []string{"draft"}})
	drafts.next(t)
	defer func() { drafts.stop(t) }()

	failCommit(t, log)
	lost := event1("B")
	_, err := log.Append(context.Background(), "draft-1", 0, lost)
	if !errors.Is(err, errUnknown) {
		t.Fatalf("got %v, want an unknown outcome", err)
	}
	failCommit(t, log)
	if _, _, err := Change(as("ann"), log, tallies, "1", count); err != nil {
		t.Errorf("a change does not repeat what may have come through: %v", err)
	}
	run := mustAppend(t, log, "run-1", NoStream, event1("R"))
	if r := drafts.next(t); r.ID != lost.ID {
		t.Fatalf("got %+v, want the record that landed", r)
	}
	if p := mustAppend(t, log, "draft-1", 0, lost); p != first+1 || p >= run {
		t.Errorf("the repeat answered %d, want %d", p, first+1)
	}
	if s, _, err := Load(context.Background(), log, tallies, "1"); err != nil || s.N != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
