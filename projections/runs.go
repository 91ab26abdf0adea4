package projections

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"heddle/domain"
	"heddle/store"
)

// RunIndex keeps every execution findable, in a SQLite file of its own that can be deleted at any
// time: it is rebuilt from the log. Steps and log lines are read from the run's stream.
type RunIndex struct {
	Progress
	log    store.Log
	logger *slog.Logger
	db     *sql.DB
}

// Execution is what the index knows of a run.
type Execution struct {
	ID, Organization               string
	Instance, Integration, Version string
	Customer, Flow, FlowName       string
	Invoke                         domain.InvokeType
	Test                           bool
	Position                       store.Position // of its first event: the sort key and cursor
	QueuedAt, StartedAt, EndedAt   time.Time      // zero when not yet
	Result                         domain.ResultType
	Error                          string
	Claims                         int
}

const runSchema = `
CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, event BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, instance TEXT NOT NULL, integration TEXT NOT NULL,
	version TEXT NOT NULL, customer TEXT NOT NULL, flow TEXT NOT NULL, flow_name TEXT NOT NULL,
	invoke TEXT NOT NULL, test INTEGER NOT NULL, position INTEGER NOT NULL,
	queued INTEGER NOT NULL, started INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0,
	result TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', claims INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_organization ON runs (organization, position);
CREATE INDEX IF NOT EXISTS runs_by_instance ON runs (instance, position);
CREATE INDEX IF NOT EXISTS runs_by_flow ON runs (flow, position);
CREATE INDEX IF NOT EXISTS runs_unfinished ON runs (position) WHERE ended = 0;
PRAGMA user_version = 1;`

// OpenRunIndex opens or makes the index file.
func OpenRunIndex(ctx context.Context, path string, log store.Log, logger *slog.Logger) (*RunIndex, error) {
	db, err := sql.Open("sqlite", "file:"+path+
		"?_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("opening run index: %w", err)
	}
	db.SetMaxOpenConns(4)
	db.SetConnMaxIdleTime(time.Minute)
	if _, err := db.ExecContext(ctx, runSchema); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing run index %s: %w (it may be deleted: it is rebuilt from the log)", path, err), db.Close())
	}
	return &RunIndex{Progress: newProgress(), log: log, logger: logger, db: db}, nil
}

// Close releases the file. Run must have returned.
func (x *RunIndex) Close() error { return x.db.Close() }

// Run follows the log from the index's checkpoint until ctx ends.
func (x *RunIndex) Run(ctx context.Context) error {
	from, err := x.checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("reading run index: %w", err)
	}
	var pending []store.Recorded
	for rec, err := range x.log.Follow(ctx, from, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil {
			return err
		}
		if !rec.Mark() {
			pending = append(pending, rec)
		}
		if !rec.Mark() && len(pending) < batchSize {
			continue
		}
		if len(pending) > 0 {
			if err := x.applyInTime(ctx, pending); err != nil {
				return fmt.Errorf("writing run index: %w", err)
			}
		}
		x.reach(rec.Position, len(pending) > 0, rec.Mark())
		pending = pending[:0]
	}
	return errors.New("the log ended")
}

// checkpoint tells where to go on. An index that was made from another log, such as one restored
// from a backup since, is emptied: the log is the truth.
func (x *RunIndex) checkpoint(ctx context.Context) (store.Position, error) {
	var at store.Position
	var event []byte
	err := x.db.QueryRowContext(ctx, `SELECT position, event FROM checkpoint`).Scan(&at, &event)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	for rec, err := range x.log.Follow(ctx, at-1, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil {
			return 0, err
		}
		if rec.Position == at && bytes.Equal(rec.ID[:], event) {
			return at, nil
		}
		break
	}
	x.logger.Warn("the index of executions is not of this log; rebuilding it")
	_, err = x.db.ExecContext(ctx, `DELETE FROM runs; DELETE FROM checkpoint`)
	return 0, err
}

// again is how long the index waits after a write that failed.
const again = time.Second

// applyInTime is apply, again and again until it succeeds: a full disk must not end the process, and
// what waits meanwhile is safe in the log.
func (x *RunIndex) applyInTime(ctx context.Context, records []store.Recorded) error {
	for {
		err := x.apply(ctx, records)
		if !passing(err) || ctx.Err() != nil {
			return err
		}
		x.logger.Error("writing the run index failed; trying again", "error", err)
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// passing tells errors that end when somebody makes room or lets go of the file.
func passing(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && slices.Contains([]int{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}, e.Code()&0xff)
}

// apply writes records and the checkpoint in one transaction.
func (x *RunIndex) apply(ctx context.Context, records []store.Recorded) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, rec := range records {
		if err := x.write(ctx, tx, rec); err != nil {
			return fmt.Errorf("%s@%d: %w", rec.Stream, rec.Revision, err)
		}
	}
	last := records[len(records)-1]
	if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)`, last.Position, last.ID[:]); err != nil {
		return err
	}
	return tx.Commit()
}

func (x *RunIndex) write(ctx context.Context, tx *sql.Tx, rec store.Recorded) error {
	if rec.Kind == "StepFinished" {
		return nil // nothing that the index keeps
	}
	event, err := domain.Runs.Decode(rec.Kind, rec.Data)
	if unknown, ok := errors.AsType[*domain.UnknownKindError](err); ok {
		x.logger.Warn("skipping an event of an unknown kind", "kind", unknown.Kind, "stream", rec.Stream)
		return nil
	}
	m, metaErr := store.MetaOf(rec)
	if err = errors.Join(err, metaErr); err != nil {
		return err
	}
	id, at := m.Aggregate, m.Time.UnixMicro()
	switch e := event.(type) {
	case domain.RunQueued:
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO runs
			(id, organization, instance, integration, version, customer, flow, flow_name, invoke, test, position, queued)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, m.Organization, e.Instance, e.Integration, e.Version,
			e.Customer, e.Flow, e.FlowName, e.Invoke, e.Version == "", rec.Position, at)
	case domain.RunClaimed:
		_, err = tx.ExecContext(ctx, `UPDATE runs SET claims = ?, started = iif(started = 0, ?, started) WHERE id = ?`, e.Claim, at, id)
	case domain.RunFinished:
		_, err = tx.ExecContext(ctx, `UPDATE runs SET ended = ?, result = ?, error = ? WHERE id = ?`, at, e.Result, e.Error, id)
	}
	return err
}
