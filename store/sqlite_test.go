package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/storetest"
)

func TestSQLiteLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	log := storetest.SQLite(t, path)
	events := storetest.Events(3)
	storetest.MustAppend(t, log, "draft-1", store.NoStream, events...)
	storetest.MustAppend(t, log, "run-1", store.NoStream, storetest.Events(3)...)
	newest := storetest.MustAppend(t, log, "run-2", store.NoStream, storetest.Events(3)...)
	if err := log.Remove(context.Background(), "run-2"); err != nil {
		t.Fatal(err)
	}
	want := storetest.ReadAll(t, log, "draft-1", 0)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) != 0 {
		t.Errorf("after Close there is more than the one file: %v", left)
	}
	log = storetest.SQLite(t, path)
	if got := storetest.ReadAll(t, log, "draft-1", 0); len(got) != 3 || got[2].Position != want[2].Position ||
		!bytes.Equal(got[2].Data, want[2].Data) {
		t.Errorf("read %v, want %v", got, want)
	}
	if p := storetest.MustAppend(t, log, "draft-1", store.NoStream, events...); p != want[2].Position {
		t.Errorf("a repeat after reopening answers %d, want %d", p, want[2].Position)
	}
	if p := storetest.MustAppend(t, log, "draft-1", 2, storetest.Event("Next")); p <= newest {
		t.Errorf("position %d was given twice", p)
	}
	_, err := log.Append(context.Background(), "run-2", store.NoStream, storetest.Event("Again"))
	storetest.WantCode(t, err, refusal.NotFound)
}

func TestSQLiteRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	make := func(name, edit string) string {
		path := filepath.Join(dir, name)
		tamper(t, path, edit)
		return path
	}
	newer := filepath.Join(dir, "newer.db")
	if err := storetest.SQLite(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, newer, `PRAGMA user_version = 99`)
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		make("other.db", `CREATE TABLE cakes (name)`): "not an event log",
		newer: "schema 99",
		text:  "not a database",
		filepath.Join(dir, "missing", "events.db"): "no such file",
	} {
		if _, err := store.OpenSQLite(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", path, err, says)
		}
	}
}

func TestSQLiteGivesSpaceBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	log := storetest.SQLite(t, path)
	big := store.Event{Kind: "Big", Data: bytes.Repeat([]byte("x"), 100<<10)}
	for i := range 200 {
		big.ID = storetest.Event("").ID
		storetest.MustAppend(t, log, fmt.Sprint("run-", i), store.NoStream, big)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	full := fileSize(t, path)
	log = storetest.SQLite(t, path)
	for i := range 190 {
		if err := log.Remove(context.Background(), fmt.Sprint("run-", i)); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); fileSize(t, path) > full/2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the file has %d bytes, before the removal it had %d", fileSize(t, path), full)
		}
	}
	if all, _ := storetest.CaughtUp(t, log, 0, store.Filter{}); len(all) != 10 {
		t.Errorf("%d records are left", len(all))
	}
}

// TestSQLiteOpenTwice shares a file between two writers, as two processes would: neither may trust its memory.
func TestSQLiteOpenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	logs := []store.Log{storetest.SQLite(t, path), storetest.SQLite(t, path)}
	var writing sync.WaitGroup
	for w := range 8 {
		writing.Go(func() {
			for range 10 {
				if _, _, err := store.Change(as("ann"), logs[w%2], tallies, "1", count); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	for _, log := range logs {
		if s, _, err := store.Load(context.Background(), log, tallies, "1"); err != nil || s.N != 80 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	head, err := store.Verify(context.Background(), storetest.SQLite(t, path), nil)
	if err != nil || head.Events != 80 || head.Position != 80 {
		t.Errorf("%+v, %v", head, err)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
