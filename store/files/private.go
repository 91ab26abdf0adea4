// Package files writes durable files that only their owner may read, since neither os nor SQLite does both by
// itself.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Data is for its owner alone, whatever the umask: folders are 0700 and files 0600. SQLite gives the files
// beside its file the same mode.

// OthersMay is the bits of a mode that concern others.
const OthersMay = 0o077

// MakePrivate makes a file private to its owner, and creates an empty one if there is none. It includes the
// files that SQLite keeps beside it.
func MakePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if _, err := Tighten(path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Tighten removes the rights of others from a file or folder, and reports whether there were some.
func Tighten(path string, mode fs.FileMode) (changed bool, err error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&OthersMay == 0 {
		return false, err
	}
	return true, os.Chmod(path, mode)
}

// WriteNew writes a private file and replaces an existing one; a link of that name is replaced, not followed.
func WriteNew(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadOwn reads a small secret file. One behind a link is refused: others may choose where it leads.
func ReadOwn(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a link; put the file itself there", path)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, 4<<10))
	return data, errors.Join(err, f.Close())
}
