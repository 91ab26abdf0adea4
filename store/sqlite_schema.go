package store

import (
	"errors"
	"fmt"
)

const (
	applicationID = 0x6864646c // "hddl", at a fixed offset in the file, for file(1)
	schemaVersion = 2
)

// The schema is meant to stay: all later versions read stored events, and events are upcast when they are read,
// never rewritten. The writer assigns positions; high_water keeps them from being assigned twice after the
// newest records were removed. The index by category takes 9 bytes a record and lets the few events that people
// make be followed past the many that machines make.
var schema = []string{
	`CREATE TABLE streams (
		id      INTEGER PRIMARY KEY,
		name    TEXT NOT NULL UNIQUE,
		first   INTEGER NOT NULL DEFAULT 0, -- revisions before it were truncated
		removed INTEGER NOT NULL DEFAULT 0
	)`,
	`CREATE TABLE categories (
		id   INTEGER PRIMARY KEY,
		name TEXT NOT NULL UNIQUE
	)`,
	`CREATE TABLE events (
		position INTEGER PRIMARY KEY,
		stream   INTEGER NOT NULL,
		revision INTEGER NOT NULL,
		category INTEGER NOT NULL,
		id       BLOB NOT NULL,
		kind     TEXT NOT NULL,
		meta     BLOB NOT NULL,
		data     BLOB NOT NULL,
		created  INTEGER NOT NULL DEFAULT 0, -- microseconds since 1970, 0 before schema 2
		binary   INTEGER NOT NULL DEFAULT 0  -- data is not JSON
	)`,
	`CREATE UNIQUE INDEX events_stream ON events (stream, revision)`,
	`CREATE INDEX events_category ON events (category)`,
	`CREATE TABLE high_water (position INTEGER NOT NULL)`,
	`INSERT INTO high_water VALUES (0)`,
	fmt.Sprintf(`PRAGMA application_id = %d`, applicationID),
	fmt.Sprintf(`PRAGMA user_version = %d`, schemaVersion),
}

// upgrade1 makes schema 2 of schema 1, which did not record when events were appended.
var upgrade1 = []string{
	`ALTER TABLE events ADD COLUMN created INTEGER NOT NULL DEFAULT 0`,
	`ALTER TABLE events ADD COLUMN binary INTEGER NOT NULL DEFAULT 0`,
	`PRAGMA user_version = 2`,
}

// busyTimeout is for a backup or an operator's shell, which may hold the file for a moment.
const busyTimeout = "busy_timeout = 5000" // ms

// writerPragmas in this order: auto_vacuum can only be chosen while the file is empty.
var writerPragmas = []string{
	busyTimeout,
	"auto_vacuum = INCREMENTAL",
	"journal_mode = WAL",
	"synchronous = FULL", // every commit is an fsync
	"secure_delete = ON", // removed data is overwritten: people may require that
	"wal_autocheckpoint = 4000",
	"journal_size_limit = 67108864",
	"cache_size = -4096", // KiB, and twice that in memory: appends go to the ends of few trees
}

var readerPragmas = []string{
	busyTimeout,
	"query_only = 1",
	"cache_size = -1024", // the system caches the file's pages, too
}

// prepareSchema makes the tables in an empty file and refuses files that are not a log of a known version.
func prepareSchema(c *conn) error {
	application, err := c.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	tables, err := c.number("SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return err
	case tables == 0 && application == 0:
		return changeSchema(c, schema)
	case application != applicationID:
		return errors.New("the file is not an event log of heddle")
	case version > schemaVersion:
		return fmt.Errorf("the event log has schema %d, this version of heddle knows %d", version, schemaVersion)
	case version == 1:
		return changeSchema(c, upgrade1)
	}
	return nil
}

func changeSchema(c *conn, statements []string) error {
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, statement := range statements {
		if err := c.run(statement); err != nil {
			return errors.Join(err, c.run("ROLLBACK"))
		}
	}
	return c.run("COMMIT")
}
