package files

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteTemp writes a new file that only its owner may read. It is on disk before WriteTemp returns; the caller
// renames it.
func WriteTemp(dir string, data []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDirs makes a folder below root and its missing parents; all their names are durable.
func MakeDirs(root, dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == root {
		return err
	}
	parent := filepath.Dir(dir)
	if err := MakeDirs(root, parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return SyncDir(parent)
}
