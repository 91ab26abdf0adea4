package projections

import (
	"context"
	"fmt"
	"time"

	"heddle/domain"
)

// Expired returns executions that ended before a time, in no order.
func (x *RunIndex) Expired(ctx context.Context, before time.Time, limit int) ([]Execution, error) {
	at := before.UnixMicro() // one that ended before it started before it, too
	return x.list(ctx,
		`organizations o CROSS JOIN runs r INDEXED BY runs_by_organization ON r.organization = o.id JOIN sources s ON s.id = r.source
		WHERE r.at < ? AND r.ended BETWEEN 1 AND ? LIMIT ?`, at, at-1, limit)
}

// Forget removes executions whose streams were removed from the log.
func (x *RunIndex) Forget(ctx context.Context, gone []Execution) (err error) {
	x.writer.Lock()
	defer x.writer.Unlock()
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // err says what happened
		}
	}()
	for from, by := range map[string]func(Execution) any{
		`texts WHERE rowid`: func(e Execution) any { return e.Position }, `runs WHERE position`: func(e Execution) any {
			return e.Position
		},
		`acts WHERE stream`: func(e Execution) any { return domain.Runs.Stream(e.ID) },
	} {
		stmt, err := tx.PrepareContext(ctx, `DELETE FROM `+from+` = ?`)
		if err != nil {
			return err
		}
		for _, e := range gone {
			if _, err := stmt.ExecContext(ctx, by(e)); err != nil {
				return fmt.Errorf("forgetting execution %s: %w", e.ID, err)
			}
		}
	}
	return tx.Commit()
}

const (
	freePagesKept = 256 // of 4 KiB, for new rows
	vacuumStep    = 512 // pages released in one transaction
)

// GiveBack returns the space of forgotten rows to the file system, and leaves nothing of them in the file. The
// full-text index of a large file is purged only once in a while, since that rewrites all of it.
func (x *RunIndex) GiveBack(ctx context.Context) error {
	if err := x.purge(ctx); err != nil {
		return fmt.Errorf("purging the words of the run index: %w", err)
	}
	for {
		free, err := x.giveBackSome(ctx)
		if err != nil {
			return fmt.Errorf("giving back space of the run index: %w", err)
		}
		if free <= freePagesKept {
			return nil
		}
	}
}

func (x *RunIndex) giveBackSome(ctx context.Context) (free int, err error) {
	x.writer.Lock()
	defer x.writer.Unlock()
	if err := x.db.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil {
		return 0, err
	}
	what := `PRAGMA wal_checkpoint(TRUNCATE)`
	if free > freePagesKept {
		what = fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, vacuumStep)
	}
	_, err = x.db.ExecContext(ctx, what)
	return free, err
}

const (
	purgePause = 24 * time.Hour // between two purges of a large index
	purgeSmall = 16 << 20       // bytes of words up to which each call purges
	purgeStep  = 500            // pages written in one transaction
)

// purge merges the full-text index into one segment, a step at a time: until then words of forgotten rows are
// only marked.
func (x *RunIndex) purge(ctx context.Context) error {
	var size int64
	if err := x.db.QueryRowContext(ctx,
		`SELECT ifnull(sum(length(block)), 0) FROM texts_data`).Scan(&size); err != nil {
		return err
	}
	if size > purgeSmall && time.Since(x.purged) < purgePause {
		return nil
	}
	for pages := -purgeStep; ; pages = purgeStep { // a negative number begins anew
		more, err := x.purgeSome(ctx, pages)
		if err != nil || !more {
			x.purged = time.Now()
			return err
		}
	}
}

func (x *RunIndex) purgeSome(ctx context.Context, pages int) (more bool, err error) {
	x.writer.Lock()
	defer x.writer.Unlock()
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // err says what happened
		}
	}()
	var before, after int
	if err := tx.QueryRowContext(ctx, `SELECT total_changes()`).Scan(&before); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO texts (texts, rank) VALUES ('merge', ?)`, pages); err != nil {
		return false, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT total_changes()`).Scan(&after); err != nil {
		return false, err
	}
	return after-before >= 2, tx.Commit()
}

// Trusted returns the newest time that is known to be right: the one kept last or, in a new index, that of the
// newest record. It is zero if there is none.
func (x *RunIndex) Trusted(ctx context.Context) (time.Time, error) {
	var at int64
	err := x.db.QueryRowContext(ctx, `SELECT ifnull((SELECT at FROM clock), max(
		ifnull((SELECT max(queued, started, ended) FROM runs ORDER BY position DESC LIMIT 1), 0), ifnull((SELECT at FROM acts ORDER BY position DESC LIMIT 1), 0)))`).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading what is known of the time: %w", err)
	}
	return fromMicro(at), nil
}

// Trust keeps a time for the next start.
func (x *RunIndex) Trust(ctx context.Context, at time.Time) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	if _, err := x.db.ExecContext(ctx, `INSERT OR REPLACE INTO clock VALUES (1, ?)`, micro(at)); err != nil {
		return fmt.Errorf("keeping what is known of the time: %w", err)
	}
	return nil
}
