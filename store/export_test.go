package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
)

// Internals for tests outside the package.
const (
	DeliverTries = deliverTries
	LongStream   = longStream
)

// KeepNothing has followers query for every record.
func (s *SQLite) KeepNothing() { s.tail.newest.most = 0 }

// Pragma adds a pragma to the writer's connection.
func Pragma(statement string) SQLiteOption {
	return func(w *writer) { w.pragmas = append(w.pragmas, statement) }
}

// FailCommit makes the writer's next commit land and fail.
func FailCommit(t *testing.T, log *SQLite) {
	t.Helper()
	change := func(w *writer, _ *request) (Position, error) {
		w.conn.statements["COMMIT"] = &landed{w.conn.statements["COMMIT"], 1}
		return 0, errDead // undone, without a commit
	}
	if _, err := log.writer.submit(context.Background(), &request{do: change}); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
}

// landed is a COMMIT that does its work and then, some times, reports a failure.
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
