package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gocloud.dev/blob/fileblob"

	"heddle/domain/refusal"
	"heddle/store/files"
)

// In a folder, a blob is the file named by its key, as fileblob reads it. It is written here, since
// fileblob does not fsync: a crash could leave an empty file under a name that an event holds.

func openFileBlobs(host, dir string) (*Store, error) {
	if host != "" || !filepath.IsAbs(dir) {
		return nil, refusal.New(refusal.Invalid, "the address of the blobs must hold an absolute folder, such as file:///var/lib/heddle/blobs")
	}
	if err := os.MkdirAll(filepath.Join(dir, tempDir), 0o700); err != nil {
		return nil, fmt.Errorf("opening the blobs: %w", err)
	}
	if _, err := files.Tighten(dir, 0o700); err != nil && !errors.Is(err, os.ErrPermission) { // who owns it answers for it
		return nil, fmt.Errorf("opening the blobs: %w", err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := files.SyncDir(d); err != nil {
			return nil, fmt.Errorf("opening the blobs: %w", err)
		}
	}
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("opening the blobs: %w", err)
	}
	b := &Store{bucket: bucket, dir: filepath.Clean(dir)}
	return b, b.sweep()
}

// tempDir holds blobs that have no name yet. Keys never begin with a dot.
const tempDir = ".new"

// sweep removes what a crash has left half written, but not what may be in the writing.
func (b *Store) sweep() error {
	left, err := filepath.Glob(filepath.Join(b.dir, tempDir, "*"))
	for _, path := range left {
		if info, e := os.Stat(path); e == nil && time.Since(info.ModTime()) > time.Hour {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// putFile writes and fsyncs the blob before it gives it its name, and then fsyncs the name.
func (b *Store) putFile(ctx context.Context, key string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	temp, err := files.WriteTemp(filepath.Join(b.dir, tempDir), data)
	if err != nil {
		return err
	}
	path := b.path(key)
	for range 3 { // DeleteAll may take the folder away in between
		if err = files.MakeDirs(b.dir, filepath.Dir(path)); err != nil {
			break
		}
		if err = os.Rename(temp, path); !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err = files.SyncDir(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
		return nil // DeleteAll came after it
	}
	return err
}

// settle makes the name of a blob that is there durable.
func (b *Store) settle(key string) error {
	if b.dir == "" {
		return nil
	}
	for dir := filepath.Dir(b.path(key)); ; dir = filepath.Dir(dir) {
		if err := files.SyncDir(dir); err != nil {
			return fmt.Errorf("storing blob %s: %w", key, err)
		}
		if dir == b.dir {
			return nil
		}
	}
}

// deleteFolder takes the folder away under another name first, so that a Put at the same time either
// goes with it or makes a new one.
func (b *Store) deleteFolder(folder string) error {
	away, err := os.MkdirTemp(filepath.Join(b.dir, tempDir), "deleted-*")
	if err == nil {
		err = os.Rename(b.path(folder), filepath.Join(away, "blobs"))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		e := os.RemoveAll(away)
		for range 5 { // a Put may have had its last step into the folder still to do
			if e != nil {
				e = os.RemoveAll(away)
			}
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("deleting blobs %s/: %w", folder, err)
	}
	return nil
}

func (b *Store) path(key string) string { return filepath.Join(b.dir, filepath.FromSlash(key)) }

// CopyTo copies all blobs into a folder that is to be opened as theirs, and tells how many they are. Those
// that are removed meanwhile may be left out. It is for blobs in a folder only, and for the caller to have them
// synced to the disk.
func (b *Store) CopyTo(ctx context.Context, dir string) (n int, err error) {
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

// noRoom turns the errors of a full disk, quota or file size limit into a refusal.
func noRoom(err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%w (%w)", refusal.New(refusal.Unavailable, "the disk that holds the blobs is full: nothing was written"), err)
		}
	}
	return err
}
