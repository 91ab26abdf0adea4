package store

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSQLiteUpgrade opens a log of schema 1.
func TestSQLiteUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	c, err := openConn(path, writerPragmas...)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range schema {
		before, _, _ := strings.Cut(statement, ",\n\t\tcreated")
		if before != statement {
			statement = before + ")"
		}
		statement = strings.ReplaceAll(statement, "user_version = 2", "user_version = 1")
		if err := c.run(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{
		`INSERT INTO streams (name) VALUES ('draft-1')`, `INSERT INTO categories (name) VALUES ('draft')`,
		`INSERT INTO events VALUES (1, 1, 0, 1, x'00000000000000000000000000000001', 'Old', '{}', '{}')`,
	} {
		if err := c.run(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		log := openTestLog(t, path)
		mustAppend(t, log, "draft-1", Revision(len(readAll(t, log, "draft-1", 0)))-1, event1("New"))
		if got := readAll(t, log, "draft-1", 0); got[0].Kind != "Old" || got[0].Created != 0 || got[1].Created == 0 {
			t.Errorf("after the upgrade: %+v", got)
		}
	}
}
