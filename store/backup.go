package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"heddle/store/files"
)

// CopySQLite copies a log's file as of one moment, while a server may be appending to it. The caller syncs the
// copy to the disk.
func CopySQLite(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil { // opening it would create one
		return fmt.Errorf("copying the event log: %w", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copying the event log: %s is there already", to)
	}
	if err := files.MakePrivate(to); err != nil { // SQLite accepts an empty file
		return fmt.Errorf("copying the event log: %w", err)
	}
	c, err := openConn(from, busyTimeout)
	if err == nil {
		_, err = c.raw.(driver.ExecerContext).ExecContext(ctx, "VACUUM INTO ?",
			[]driver.NamedValue{{Ordinal: 1, Value: to}})
		err = errors.Join(err, c.close())
	}
	if err != nil {
		return fmt.Errorf("copying the event log: %w", unavailable(err))
	}
	return nil
}
