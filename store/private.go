package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// What is kept is for its owner alone, whatever the umask: folders are 0700 and files 0600. SQLite gives the files beside
// its file the same mode.

const othersMay = 0o077 // the bits of a mode that concern others

// MakePrivate sees to it that only the owner may read a file, and makes an empty one if there is none. The files that
// SQLite keeps beside it are meant, too.
func MakePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if _, err := tighten(path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tighten takes the rights of others from a file or folder, and reports whether there were some.
func tighten(path string, mode fs.FileMode) (changed bool, err error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&othersMay == 0 {
		return false, err
	}
	return true, os.Chmod(path, mode)
}

// private are the names in a data folder that are for their owner alone.
var private = []string{"log.db", "log.db-wal", "log.db-shm", "runs.db", "runs.db-wal", "runs.db-shm", masterKeyFile, "log.password", "log.key", "log.crt", "lock", headFile}

const headFile = "head.json" // of a backup, which is restored with it

// TightenFolder takes the rights of others from a data folder and what is in it, since a folder may have been made, or
// files restored, with the rights that a shell gives. It tells what others could read, and what they still can. A folder
// that other things are kept in as well stays as it is.
func TightenFolder(dir string) (was, still []string) {
	take := func(path string, mode fs.FileMode) {
		switch changed, err := tighten(path, mode); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			still = append(still, fmt.Sprintf("%s (%v)", path, err))
		case changed:
			was = append(was, path)
		}
	}
	for _, name := range private {
		take(filepath.Join(dir, name), 0o600)
	}
	take(filepath.Join(dir, "blobs"), 0o700)
	switch info, err := os.Stat(dir); {
	case err != nil || info.Mode().Perm()&othersMay == 0:
	case !own(dir):
		still = append(still, dir+" (it holds more than Heddle's data)")
	default:
		take(dir, 0o700)
	}
	return was, still
}

// own reports whether a folder holds Heddle's data, or nothing.
func own(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() == "log.db" || e.Name() == "runs.db" || e.Name() == masterKeyFile {
			return true
		}
	}
	return len(entries) <= 1 // the lock
}

// WriteNew writes a file that only its owner may read in the place of what has that name, a link included: nothing that it
// points to is written.
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

// ReadOwn reads a small file that holds a secret. One behind a link is refused: others may choose where it leads.
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
