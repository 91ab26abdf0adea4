package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"heddle/domain/refusal"
	"heddle/store/files"
)

// CopySQLite makes a whole copy of a log's file as of one moment, while a server may be appending to it.
// It is for the caller to have it synced to the disk.
func CopySQLite(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil { // opening it would make one
		return fmt.Errorf("copying the event log: %w", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copying the event log: %s is there already", to)
	}
	if err := files.MakePrivate(to); err != nil { // an empty file is taken
		return fmt.Errorf("copying the event log: %w", err)
	}
	c, err := openConn(from, busyTimeout)
	if err == nil {
		_, err = c.raw.(driver.ExecerContext).ExecContext(ctx, "VACUUM INTO ?", []driver.NamedValue{{Ordinal: 1, Value: to}})
		err = errors.Join(err, c.close())
	}
	if err != nil {
		return fmt.Errorf("copying the event log: %w", unavailable(err))
	}
	return nil
}

// CopyTo copies all blobs into a folder that is to be opened as theirs, and tells how many they are. Those
// that are removed meanwhile may be left out. It is for blobs in a folder only, and for the caller to have them
// synced to the disk.
func (b *Blobs) CopyTo(ctx context.Context, dir string) (n int, err error) {
	if b.dir == "" {
		return 0, refusal.New(refusal.Invalid, "the blobs are not in a folder")
	}
	err = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if d.IsDir() && d.Name() == tempDir {
			return fs.SkipDir
		}
		name, err := filepath.Rel(b.dir, path)
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			to := filepath.Join(dir, name)
			err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600))
		}
		n++
		return err
	})
	if err != nil {
		return n, fmt.Errorf("copying the blobs: %w", noRoom(err))
	}
	return n, nil
}
