package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"heddle/domain"
	"heddle/store"
	"heddle/store/storetest"
)

// runsOfTest and statesOfTest are aggregates with passing streams.
var (
	runsOfTest   = domain.NewCategory("run", domain.Kind[counted]("Counted"))
	statesOfTest = domain.NewCategory("state", domain.Kind[counted]("Counted"))
)

// verifiable fills a log with 3 lists of 5 words each, a run and a truncated state.
func verifiable(t *testing.T, log store.Log) {
	t.Helper()
	ctx := as("ann")
	for i := range 15 {
		if _, _, err := store.Change(ctx, log, lists, fmt.Sprint(i%3), add(fmt.Sprint("word", i))); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		for _, category := range []*domain.Category[tally]{runsOfTest, statesOfTest} {
			if _, _, err := store.Change(ctx, log, category, "1", count); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := log.Truncate(ctx, "state-1", 2); err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	bothLogs(t, func(t *testing.T, log store.Log) {
		ctx := context.Background()
		verifiable(t, log)
		head, err := store.Verify(ctx, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		if head.Events != 15+4+2 || head.Streams != 5 || head.Categories["list"].Events != 15 {
			t.Errorf("head %+v", head)
		}
		encoded, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		var since store.Head
		if err := json.Unmarshal(encoded, &since); err != nil {
			t.Fatal(err)
		}
		if again, err := store.Verify(ctx, log, &since); err != nil || again.Digest != head.Digest {
			t.Errorf("the same log: %+v, %v", again, err)
		}
		// Life goes on: new events, a removed run, a truncated state. The head still holds.
		if _, _, err := store.Change(as("ann"), log, lists, "1", add("more")); err != nil {
			t.Fatal(err)
		}
		if err := log.Remove(ctx, "run-1"); err != nil {
			t.Fatal(err)
		}
		if err := log.Truncate(ctx, "state-1", 3); err != nil {
			t.Fatal(err)
		}
		later, err := store.Verify(ctx, log, &since)
		if err != nil || later.Digest == head.Digest || later.Events != 15+1+1 {
			t.Errorf("later: %+v, %v", later, err)
		}
		for name, wrong := range map[string]store.Head{
			"another digest": {Position: since.Position, Digest: "00"},
			"a longer log":   {Position: later.Position + 1, Digest: later.Digest},
		} {
			if _, err := store.Verify(ctx, log, &wrong); err == nil {
				t.Errorf("%s was not noticed", name)
			}
		}
	})
}

// TestVerifyDetects changes the file behind the log's back.
func TestVerifyDetects(t *testing.T) {
	const inStream = `stream = (SELECT id FROM streams WHERE name = 'list-1')`
	for _, test := range []struct {
		name, edit string
		says       string // without a head
		sinceSays  string // with one
	}{
		{"a byte of data",
			`UPDATE events SET data = CAST(replace(CAST(data AS TEXT), 'word7', 'word8') AS BLOB) WHERE ` + inStream +
				` AND revision = 2`, "stream list-1: revision 3 ", ""},
		{"a byte of meta",
			`UPDATE events SET meta = CAST(replace(CAST(meta AS TEXT), '"ann"', '"bob"') AS BLOB) WHERE ` + inStream +
				` AND revision = 1`, "stream list-1: revision 2 ", ""},
		{"the kind", `UPDATE events SET kind = 'ListCleared' WHERE ` + inStream + ` AND revision = 1`,
			"stream list-1: revision 2 ", ""},
		{"the id", `UPDATE events SET id = x'00112233445566778899aabbccddeeff' WHERE ` + inStream + ` AND revision = 4`,
			"stream list-1: revision 4 ", ""},
		{"a row in between", `DELETE FROM events WHERE ` + inStream + ` AND revision = 2`,
			"stream list-1: revision 3 follows 1", ""},
		{"the first row", `DELETE FROM events WHERE ` + inStream + ` AND revision = 0`,
			"stream list-1 begins at revision 1", ""},
		{"two rows swapped", `UPDATE events SET revision = CASE revision WHEN 1 THEN -1 WHEN 2 THEN -2 END WHERE ` +
			inStream + ` AND revision IN (1, 2);
			UPDATE events SET revision = CASE revision WHEN -1 THEN 2 WHEN -2 THEN 1 END WHERE ` + inStream +
			` AND revision < 0`, "stream list-1: revision 2 follows 0", ""},
		{"the contents of two rows swapped",
			`CREATE TEMP TABLE x AS SELECT revision, meta, data, id FROM events WHERE ` + inStream +
				` AND revision IN (1, 2);
			UPDATE events SET (id, meta, data) = (SELECT id, meta, data FROM x WHERE x.revision = 3 - events.revision) WHERE ` + inStream + ` AND revision IN (1, 2)`, "stream list-1: revision 1 ", ""},
		{"the data of the last record", `UPDATE events SET data = x'7b7d' WHERE ` + inStream + ` AND revision = 4`, "",
			"category list has 15 events in 3 streams"},
		{"the end of a stream", `DELETE FROM events WHERE ` + inStream + ` AND revision > 2`, "",
			"category list has 13 events in 3 streams, it had 15 in 3"},
		{"a whole stream", `DELETE FROM events WHERE ` + inStream, "",
			"category list has 10 events in 2 streams, it had 15 in 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "events.db")
			log := storetest.SQLite(t, path)
			verifiable(t, log)
			since, err := store.Verify(context.Background(), log, nil)
			if err != nil {
				t.Fatal(err)
			}
			tamper(t, path, test.edit)
			_, err = store.Verify(context.Background(), log, nil)
			wantSays(t, "without a head", err, test.says)
			_, err = store.Verify(context.Background(), log, &since)
			wantSays(t, "with a head", err, test.says+test.sinceSays)
		})
	}
}

func wantSays(t *testing.T, when string, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("%s: %v, which is more than is promised", when, err)
	case says != "" && err == nil:
		t.Errorf("%s: nothing was noticed", when)
	case says != "" && !strings.Contains(err.Error(), says):
		t.Errorf("%s: %q does not say %q", when, err, says)
	}
}

func tamper(t *testing.T, path, edit string) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(edit); err != nil {
		t.Fatal(err)
	}
}
