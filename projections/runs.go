package projections

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/files"
)

// RunIndex keeps every execution findable, in a SQLite file of its own that can be deleted at any
// time: it is rebuilt from the log. Steps and log lines are read from the run's stream; the index
// knows their words only.
type RunIndex struct {
	Progress
	// Blobs has the log lines that were too many for an event; without it they can't be found.
	Blobs *blobs.Store

	log    store.Log
	logger *slog.Logger
	db     *sql.DB
	writer sync.Mutex // held for each transaction that writes
	write  writing
	wanted atomic.Uint64 // the newest position that somebody waits for
	hurry  chan struct{} // signaled when it has grown
	tails  tails
	purged time.Time // when forgotten rows were last purged; for Forget only
}

// Execution is a run's row in the index.
type Execution struct {
	ID, Organization               string
	Instance, Integration, Version string
	Customer, Flow, FlowName       string
	Invoke                         domain.InvokeType
	Test                           bool
	Position                       store.Position // of its first event
	QueuedAt, StartedAt, EndedAt   time.Time      // zero if not yet
	Result                         domain.ResultType
	Error                          string
	Claims                         int
}

const runSchemaVersion = 5

// A run has one row, and one entry in each of a few indexes. Runs of one flow share a row of sources, runs with
// the same steps a row of step_sets, and only runs that failed or logged have a row in texts. Runs whose
// retries a newer request may still stop have one in requests. Lists sort a run by when it started or, before
// that, was queued.
const runSchema = `
CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, event BLOB NOT NULL, stream TEXT NOT NULL);
CREATE TABLE organizations (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE sources (
	id INTEGER PRIMARY KEY, organization INTEGER NOT NULL, instance TEXT NOT NULL, integration TEXT NOT NULL, version TEXT NOT NULL,
	customer TEXT NOT NULL, flow TEXT NOT NULL, flow_name TEXT NOT NULL, invoke TEXT NOT NULL,
	UNIQUE (instance, flow, version, invoke, organization, integration, customer, flow_name)
);
CREATE INDEX sources_by_flow ON sources (flow);
CREATE INDEX sources_by_customer ON sources (customer);
CREATE INDEX sources_by_integration ON sources (integration);
CREATE TABLE step_sets (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE step_words USING fts5 (names, content='step_sets', content_rowid='id', detail=none);
CREATE TRIGGER step_sets_words AFTER INSERT ON step_sets BEGIN
	INSERT INTO step_words (rowid, names) VALUES (new.id, new.names);
END;
CREATE TABLE runs (
	position INTEGER PRIMARY KEY, id NOT NULL UNIQUE, organization INTEGER NOT NULL, source INTEGER NOT NULL, steps INTEGER NOT NULL,
	at INTEGER NOT NULL, queued INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
	result TEXT NOT NULL, error TEXT NOT NULL, failed INTEGER NOT NULL, claims INTEGER NOT NULL
);
CREATE TABLE requests (position INTEGER PRIMARY KEY, request TEXT NOT NULL);
CREATE INDEX requests_by_request ON requests (request);
CREATE VIRTUAL TABLE texts USING fts5 (words, content='', contentless_delete=1, detail=none);
`

// clockSchema came later, so it is created if missing.
const clockSchema = `CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL);
`

// runIndexes are created once everything in the log is written: sorting many entries at once takes a tenth of
// the time of inserting each in its place.
const runIndexes = `
CREATE INDEX IF NOT EXISTS runs_by_organization ON runs (organization, at);
CREATE INDEX IF NOT EXISTS runs_by_source ON runs (source, at);
CREATE INDEX IF NOT EXISTS runs_failed ON runs (organization, at) WHERE failed = 1;
CREATE INDEX IF NOT EXISTS runs_unfinished ON runs (position) WHERE ended = 0;
`

// OpenRunIndex opens or creates the index file. A file of another version is replaced.
func OpenRunIndex(ctx context.Context, path string, log store.Log, logger *slog.Logger) (*RunIndex, error) {
	db, err := openRunFile(ctx, path)
	if errors.Is(err, errOtherVersion) {
		logger.Info("the index of executions is another version's; rebuilding it", "file", path)
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("removing run index: %w", err)
			}
		}
		db, err = openRunFile(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing run index %s: %w (it may be deleted: it is rebuilt from the log)", path, err)
	}
	x := &RunIndex{log: log, logger: logger, db: db, write: newWriting(), hurry: make(chan struct{}, 1),
		tails: tails{waiting: map[string]map[chan struct{}]struct{}{},
			instances: map[string]map[*InstanceTail]struct{}{}}}
	x.Progress.init()
	return x, nil
}

var errOtherVersion = errors.New("made by another version")

func openRunFile(ctx context.Context, path string) (*sql.DB, error) {
	if err := files.MakePrivate(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+path+
		"?_txlock=immediate&_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=secure_delete(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetConnMaxIdleTime(time.Minute)
	var version int
	var made bool
	err = db.QueryRowContext(ctx,
		`SELECT user_version, EXISTS (SELECT 1 FROM sqlite_schema) FROM pragma_user_version`).Scan(&version, &made)
	switch {
	case err != nil:
	case made && version != runSchemaVersion:
		err = errOtherVersion
	case made:
		_, err = db.ExecContext(ctx, clockSchema)
	default:
		_, err = db.ExecContext(ctx, runSchema+auditSchema+clockSchema+fmt.Sprintf("PRAGMA user_version = %d",
			runSchemaVersion))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close releases the file. Run must have returned.
func (x *RunIndex) Close() error { return x.db.Close() }

// checkpoint returns the position to continue from. An index made from another log, such as one restored from a
// backup since, is emptied: the log is the truth. If the record that the index reached last was removed, the
// log still knows its stream.
func (x *RunIndex) checkpoint(ctx context.Context) (store.Position, error) {
	var at store.Position
	var event []byte
	var stream string
	err := x.db.QueryRowContext(ctx, `SELECT position, event, stream FROM checkpoint`).Scan(&at, &event, &stream)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	for rec, err := range x.log.Read(ctx, stream, 0) {
		if refusal.CodeOf(err) == refusal.NotFound {
			return at, nil // removed: only a log that had it says so
		} else if err != nil {
			return 0, fmt.Errorf("%w: %w", errUnread, err)
		}
		if rec.Position == at && bytes.Equal(rec.ID[:], event) {
			return at, nil
		}
	}
	x.logger.Warn("the index of executions is not of this log; rebuilding it")
	_, err = x.db.ExecContext(ctx,
		`DELETE FROM runs; DELETE FROM requests; DELETE FROM acts; DELETE FROM checkpoint; DELETE FROM sources; DELETE FROM organizations; DELETE FROM step_sets;
		INSERT INTO step_words (step_words) VALUES ('delete-all'); INSERT INTO texts (texts) VALUES ('delete-all')`)
	return 0, err
}

// Wait returns once the index shows everything appended up to a position, or with ctx's error. A waiting caller
// is served at once.
func (x *RunIndex) Wait(ctx context.Context, pos store.Position) error {
	for {
		wanted := x.wanted.Load()
		if wanted >= uint64(pos) || x.wanted.CompareAndSwap(wanted, uint64(pos)) {
			break
		}
	}
	select {
	case x.hurry <- struct{}{}:
	default: // it is signaled already
	}
	return x.Progress.Wait(ctx, pos)
}
