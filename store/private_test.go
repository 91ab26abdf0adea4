package store

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heddle/store/blobs"
	"heddle/store/files"
	"heddle/store/vault"
)

// wantPrivate fails for everything in a folder that others may read, and for the folder.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&files.OthersMay != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever is written is for its owner alone, even in the place of something with more rights.
func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.MkdirAll(filepath.Join(dir, "blobs"), 0o755))
	must(t, os.Chmod(dir, 0o700))
	restored := filepath.Join(dir, "restored.db")
	log := openTestLog(t, restored)
	must(t, log.Close())
	must(t, os.Chmod(restored, 0o644))
	for _, path := range []string{restored, filepath.Join(dir, "new.db")} {
		log := openTestLog(t, path)
		mustAppend(t, log, "draft-1", Revision(len(readAll(t, log, "draft-1", 0)))-1, event1("A"))
		readAll(t, log, "draft-1", 0)
		must(t, CopySQLite(t.Context(), path, path+".copy"))
	}
	kept, err := blobs.Open(t.Context(), (&url.URL{Scheme: "file", Path: filepath.Join(dir, "blobs")}).String())
	must(t, err)
	must(t, kept.Put(t.Context(), "run/1/out", []byte("x")))
	_, err = kept.CopyTo(t.Context(), filepath.Join(dir, "copies"))
	must(t, err)
	must(t, kept.Close())
	_, _, err = vault.LoadMasterKey("", dir)
	must(t, err)
	wantPrivate(t, dir)
	if err := CopySQLite(context.Background(), restored, restored+".copy"); err == nil ||
		!strings.Contains(err.Error(), "there already") {
		t.Errorf("a copy is written over: %v", err)
	}
}
