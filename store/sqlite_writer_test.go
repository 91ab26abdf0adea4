package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heddle/domain/refusal"
	"heddle/store/cache"
)

// TestSQLiteWriteAheadLogResets has a follower rest in the middle of a page and a reader in the
// middle of a stream: neither may hold back the checkpoint, or the WAL would grow for ever.
func TestSQLiteWriteAheadLogResets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	log := openTestLog(t, path)
	mustAppend(t, log, "draft-1", NoStream, eventsOf(2*PageRecords)...)
	for range log.Follow(context.Background(), 0, Filter{}) {
		for range log.Read(context.Background(), "draft-1", 0) {
			c, err := openConn(path)
			if err != nil {
				t.Fatal(err)
			}
			// The next page may be under read-ahead just now, so the first try may meet it.
			for deadline := time.Now().Add(10 * time.Second); ; {
				busy, err := c.number("PRAGMA wal_checkpoint(TRUNCATE)")
				if err == nil && busy == 0 && size(t, path+"-wal") == 0 {
					break
				}
				if err != nil || time.Now().After(deadline) {
					t.Fatalf("busy %d, %v, WAL of %d bytes", busy, err, size(t, path+"-wal"))
				}
			}
			if err := c.close(); err != nil {
				t.Error(err)
			}
			break
		}
		break
	}
}

// TestSQLiteGroup has one commit take appends that succeed and others that do not.
func TestSQLiteGroup(t *testing.T) {
	var commits []Commit
	log := openIdleLog(t, OnCommit(func(c Commit) { commits = append(commits, c) }))
	ask := func(stream string, expected Revision, events ...Event) *request {
		return &request{stream: stream, expected: expected, events: events, do: (*writer).append,
			done: make(chan struct{})}
	}
	repeated := event1("Repeated")
	group := []*request{
		ask("draft-1", NoStream, eventsOf(2)...),
		ask("draft-1", NoStream, event1("Late")),
		ask("draft-1", 1, event1("Next")),
		ask("draft-2", 7, event1("Early")),
		ask("draft-3", NoStream, repeated),
		ask("draft-3", NoStream, repeated),
		{stream: "draft-3", do: (*writer).remove, done: make(chan struct{})},
		ask("draft-3", 0, event1("Removed")),
		{stream: "draft-4", do: (*writer).remove, done: make(chan struct{})},
	}
	log.writer.serve(group)
	for i, want := range []string{"", "conflict", "", "conflict", "", "", "", "NOT_FOUND", "NOT_FOUND"} {
		err := group[i].err
		got := string(refusal.CodeOf(err))
		if _, conflict := errors.AsType[*ConflictError](err); conflict {
			got = "conflict"
		}
		if got != want || (err == nil) != (want == "") {
			t.Errorf("request %d: %v, want %q", i, err, want)
		}
	}
	if len(commits) != 1 || commits[0].Appends != len(group) || commits[0].Err != nil {
		t.Errorf("commits %+v, want one for all", commits)
	}
	if group[4].position != group[5].position {
		t.Error("a repeat in the same commit has another position")
	}
	go log.writer.loop()
	if got := readAll(t, log, "draft-1", 0); len(got) != 3 {
		t.Errorf("draft-1 has %d records", len(got))
	}
}

// openIdleLog opens a log whose writer the test drives itself until it starts its loop.
func openIdleLog(t *testing.T, opts ...SQLiteOption) *SQLite {
	t.Helper()
	log, err := openSQLite(filepath.Join(t.TempDir(), "events.db"), opts...)
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

// TestSQLiteFull limits the file so that SQLite reports a full disk, and takes the limit away.
func TestSQLiteFull(t *testing.T) {
	log := openIdleLog(t, func(w *writer) { w.pragmas = []string{"max_page_count = 100"} })
	ask := func(stream string, size int) *request {
		e := event1("E")
		e.Data = bytes.Repeat([]byte("x"), size)
		return &request{stream: stream, expected: NoStream, events: []Event{e}, do: (*writer).append,
			done: make(chan struct{})}
	}
	group := []*request{ask("draft-1", 100), ask("draft-2", 450<<10), ask("draft-3", 100)}
	log.writer.serve(group)
	if group[0].err != nil || group[2].err != nil {
		t.Errorf("what has room went down with what has not: %v, %v", group[0].err, group[2].err)
	}
	wantCode(t, group[1].err, refusal.Unavailable)
	if !strings.Contains(group[1].err.Error(), "full") {
		t.Error(group[1].err)
	}
	if got := append(readAll(t, log, "draft-2", 0), readAll(t, log, "draft-1", 0)...); len(got) != 1 {
		t.Errorf("%d records, want that of draft-1", len(got))
	}
	if err := log.writer.conn.run("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	go log.writer.loop()
	mustAppend(t, log, "draft-2", NoStream, group[1].events...)
	mustAppend(t, log, "draft-1", 0, event1("Next"))
}

// TestSQLiteBrokenConnection has the writer's connection fail altogether, which the next append must
// not notice, and then refuse to write.
func TestSQLiteBrokenConnection(t *testing.T) {
	ctx := context.Background()
	log := openTestLog(t, filepath.Join(t.TempDir(), "events.db"))
	mustAppend(t, log, "draft-1", NoStream, event1("A"))
	dead := func(w *writer, _ *request) (Position, error) {
		err := errors.Join(errDead, w.conn.run("ROLLBACK"), w.conn.close())
		w.conn = &conn{raw: deadConn{}, statements: map[string]driver.Stmt{}}
		return 0, err
	}
	if _, err := log.writer.submit(ctx, &request{do: dead}); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	mustAppend(t, log, "draft-1", 0, event1("B"))
	readOnly := func(w *writer, _ *request) (Position, error) { return 0, w.conn.run("PRAGMA query_only = 1") }
	if _, err := log.writer.submit(ctx, &request{do: readOnly}); err != nil {
		t.Fatal(err)
	}
	_, err := log.Append(ctx, "draft-1", 1, event1("C"))
	wantCode(t, err, refusal.Unavailable)
	if got := readAll(t, log, "draft-1", 0); len(got) != 2 {
		t.Errorf("%d records, want 2", len(got))
	}
}

var errDead = errors.New("dead")

type deadConn struct{}

func (deadConn) Prepare(string) (driver.Stmt, error) { return nil, errDead }
func (deadConn) Close() error                        { return errDead }
func (deadConn) Begin() (driver.Tx, error)           { return nil, errDead }
func (deadConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, errDead
}

// TestSQLiteForgetsHeads has more streams than the writer remembers.
func TestSQLiteForgetsHeads(t *testing.T) {
	log := openTestLog(t, filepath.Join(t.TempDir(), "events.db"), func(w *writer) {
		w.heads = cache.New[string, head](4)
	})
	for round := range 3 {
		for i := range 30 {
			mustAppend(t, log, fmt.Sprint("draft-", i), Revision(round)-1, event1("E"))
		}
	}
	if n := log.writer.heads.Len(); n > 8 {
		t.Errorf("%d heads are kept", n)
	}
}

// TestSQLiteFollowPassesOver asks SQLite how it finds the drafts among many runs.
func TestSQLiteFollowPassesOver(t *testing.T) {
	log := openTestLog(t, filepath.Join(t.TempDir(), "events.db"))
	var plan []string
	err := log.read("EXPLAIN QUERY PLAN "+selectFollow(2, false), func(row []driver.Value) bool {
		plan = append(plan, row[3].(string))
		return true
	}, int64(0), int64(10), "draft", "user")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(plan, "\n")
	if strings.Count(all, "events_category (category=? AND rowid>? AND rowid<?)") != 2 ||
		strings.Contains(all, "TEMP B-TREE") || strings.Contains(all, "SCAN e\n") {
		t.Errorf("plan:\n%s", all)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
