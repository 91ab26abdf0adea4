package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"heddle/domain/refusal"
)

// conn is one SQLite connection for one goroutine at a time. It uses the driver directly: on the paths of every
// append and every record read, database/sql would cost as much as SQLite does.
type conn struct {
	raw        driver.Conn
	statements map[string]driver.Stmt
	args       []driver.NamedValue
}

func openConn(path string, pragmas ...string) (*conn, error) {
	raw, err := (&sqlite.Driver{}).Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	c := &conn{raw: raw, statements: map[string]driver.Stmt{}}
	for _, p := range pragmas {
		if err := c.run("PRAGMA " + p); err != nil {
			return nil, errors.Join(fmt.Errorf("setting %s of %s: %w", p, path, err), c.close())
		}
	}
	return c, nil
}

// run executes a statement once, without caching it.
func (c *conn) run(sql string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

func (c *conn) exec(sql string, args ...any) error {
	_, err := c.result(sql, args)
	return err
}

// insert is exec for one new row, whose id it returns.
func (c *conn) insert(sql string, args ...any) (int64, error) {
	result, err := c.result(sql, args)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

func (c *conn) result(sql string, args []any) (driver.Result, error) {
	s, err := c.prepared(sql)
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtExecContext).ExecContext(context.Background(), c.named(args))
}

// query calls each with every row, until it returns false. The row's slice is reused for the next row; the byte
// slices in it are not.
func (c *conn) query(sql string, each func(row []driver.Value) bool, args ...any) (err error) {
	s, err := c.prepared(sql)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.named(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !each(row) {
			return nil
		}
	}
}

// number is query for a single integer, 0 if there is no row.
func (c *conn) number(sql string, args ...any) (int64, error) {
	var n int64
	err := c.query(sql, func(row []driver.Value) bool {
		n, _ = row[0].(int64)
		return false
	}, args...)
	return n, err
}

func (c *conn) prepared(sql string) (driver.Stmt, error) {
	if s, ok := c.statements[sql]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, err
	}
	c.statements[sql] = s
	return s, nil
}

func (c *conn) named(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// uncertain marks the error of a commit that may have landed all the same; on a full disk it never does.
func uncertain(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if err == nil || ok && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code()&0xff == sqlite3.SQLITE_BUSY) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// unavailable turns SQLite's errors about a write or read that is impossible now into a refusal that an
// operator understands; other errors stay as they are.
func unavailable(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w (%w)",
			refusal.New(refusal.Unavailable, "the disk that holds the event log is full: nothing was written"), err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w (%w)",
			refusal.New(refusal.Unavailable, "the disk that holds the event log can't be read or written"), err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w (%w)", refusal.New(refusal.Unavailable, "the event log is locked by another program"),
			err)
	}
	return err
}
