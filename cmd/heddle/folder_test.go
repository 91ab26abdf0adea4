package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A data folder that others may read is taken from them, with what is in it; one that is no data folder is left alone.
func TestTightenFolder(t *testing.T) {
	dir := t.TempDir()
	noError(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"one", "two"} {
		noError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	if was, still := tightenFolder(dir); len(was) != 0 || len(still) != 1 || !strings.Contains(still[0], dir) {
		t.Errorf("a folder of other things: %v, %v", was, still)
	}
	for _, name := range []string{"log.db", "master.key", "log.password", "runs.db-wal"} {
		noError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	noError(t, os.Mkdir(filepath.Join(dir, "blobs"), 0o755))
	was, still := tightenFolder(dir)
	if len(was) != 6 || len(still) != 0 || !slices.Contains(was, dir) {
		t.Errorf("a data folder: %v, %v", was, still)
	}
	noError(t, os.Remove(filepath.Join(dir, "one")))
	noError(t, os.Remove(filepath.Join(dir, "two")))
	if info, err := os.Stat(filepath.Join(dir, "blobs")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of blobs: %v, %v", info, err)
	}
	if was, still := tightenFolder(dir); len(was)+len(still) != 0 {
		t.Errorf("again: %v, %v", was, still)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
