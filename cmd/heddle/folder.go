package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"heddle/store/files"
	"heddle/store/vault"
)

// private are the names in a data folder that are for their owner alone.
var private = []string{"log.db", "log.db-wal", "log.db-shm", "runs.db", "runs.db-wal", "runs.db-shm",
	vault.MasterKeyFile, "log.password", "log.key", "log.crt", "lock", headFile}

// tightenFolder takes the rights of others from a data folder and what is in it, since a folder may have been made, or
// files restored, with the rights that a shell gives. It tells what others could read, and what they still can. A
// folder that other things are kept in as well stays as it is.
func tightenFolder(dir string) (was, still []string) {
	take := func(path string, mode fs.FileMode) {
		switch changed, err := files.Tighten(path, mode); {
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
	case err != nil || info.Mode().Perm()&files.OthersMay == 0:
	case !ownFolder(dir):
		still = append(still, dir+" (it holds more than Heddle's data)")
	default:
		take(dir, 0o700)
	}
	return was, still
}

// ownFolder reports whether a folder holds Heddle's data, or nothing.
func ownFolder(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() == "log.db" || e.Name() == "runs.db" || e.Name() == vault.MasterKeyFile {
			return true
		}
	}
	return len(entries) <= 1 // the lock
}
