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

	"heddle/domain/refusal"
	"heddle/store/files"
)

// folder keeps each blob in the file named by its key.
type folder string

func openFolder(host, dir string) (folder, error) {
	if host != "" || !filepath.IsAbs(dir) {
		return "", refusal.New(refusal.Invalid,
			"the address of the blobs must hold an absolute folder, such as file:///var/lib/heddle/blobs")
	}
	if err := os.MkdirAll(filepath.Join(dir, tempDir), 0o700); err != nil {
		return "", fmt.Errorf("opening the blobs: %w", err)
	}
	// who owns it answers for it
	if _, err := files.Tighten(dir, 0o700); err != nil && !errors.Is(err, os.ErrPermission) {
		return "", fmt.Errorf("opening the blobs: %w", err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := files.SyncDir(d); err != nil {
			return "", fmt.Errorf("opening the blobs: %w", err)
		}
	}
	f := folder(filepath.Clean(dir))
	return f, f.sweep()
}

func (f folder) close() {}

// tempDir holds blobs that have no name yet. Keys never begin with a dot.
const tempDir = ".new"

// sweep removes what a crash has left half written, but not what may be in the writing.
func (f folder) sweep() error {
	left, err := filepath.Glob(filepath.Join(f.temp(), "*"))
	for _, path := range left {
		if info, e := os.Stat(path); e == nil && time.Since(info.ModTime()) > time.Hour {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// put writes and fsyncs the blob before it gives it its name, and then fsyncs the name.
func (f folder) put(ctx context.Context, key string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	temp, err := files.WriteTemp(f.temp(), data)
	if err != nil {
		return err
	}
	path := f.path(key)
	for range 3 { // DeleteAll may take the folder away in between
		if err = files.MakeDirs(string(f), filepath.Dir(path)); err != nil {
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

func (f folder) get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(f.path(key))
	if noBlob(err) {
		return nil, fs.ErrNotExist
	}
	return data, err
}

func (f folder) remove(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(f.path(key)); !noBlob(err) {
		return err
	}
	return nil
}

// noBlob reports whether a file is missing, or is a folder of blobs, or would be below a blob.
func noBlob(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, syscall.ENOTEMPTY)
}

func (f folder) settle(key string) error {
	for dir := filepath.Dir(f.path(key)); ; dir = filepath.Dir(dir) {
		if err := files.SyncDir(dir); err != nil || dir == string(f) {
			return err
		}
	}
}

// removeFolder takes the folder away under another name first, so that a put at the same time either
// goes with it or makes a new one.
func (f folder) removeFolder(_ context.Context, name string) error {
	away, err := os.MkdirTemp(f.temp(), "deleted-*")
	if err == nil {
		err = os.Rename(f.path(name), filepath.Join(away, "blobs"))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		e := os.RemoveAll(away)
		for range 5 { // a put may have had its last step into the folder still to do
			if e != nil {
				e = os.RemoveAll(away)
			}
		}
		err = errors.Join(err, e)
	}
	return err
}

func (f folder) temp() string { return filepath.Join(string(f), tempDir) }

func (f folder) path(key string) string { return filepath.Join(string(f), filepath.FromSlash(key)) }

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
			return fmt.Errorf("%w (%w)", refusal.New(refusal.Unavailable,
				"the disk that holds the blobs is full: nothing was written"), err)
		}
	}
	return err
}
