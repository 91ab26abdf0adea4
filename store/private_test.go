package store

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wantPrivate fails for what others may read in a folder, and for the folder.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&othersMay != 0 {
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

// Whatever is written is for its owner alone, also where something with more rights is there already.
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
	blobs, err := OpenBlobs(t.Context(), (&url.URL{Scheme: "file", Path: filepath.Join(dir, "blobs")}).String())
	must(t, err)
	must(t, blobs.Put(t.Context(), "run/1/out", []byte("x")))
	_, err = blobs.CopyTo(t.Context(), filepath.Join(dir, "copies"))
	must(t, err)
	must(t, blobs.Close())
	_, _, err = LoadMasterKey("", dir)
	must(t, err)
	wantPrivate(t, dir)
	if err := CopySQLite(context.Background(), restored, restored+".copy"); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a copy is written over: %v", err)
	}
}

// A data folder that others may read is taken from them, with what is in it; one that is no data folder is left alone.
func TestTightenFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"one", "two"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	if was, still := TightenFolder(dir); len(was) != 0 || len(still) != 1 || !strings.Contains(still[0], dir) {
		t.Errorf("a folder of other things: %v, %v", was, still)
	}
	for _, name := range []string{"log.db", "master.key", "log.password", "runs.db-wal"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	must(t, os.Mkdir(filepath.Join(dir, "blobs"), 0o755))
	was, still := TightenFolder(dir)
	if len(was) != 6 || len(still) != 0 || !slices.Contains(was, dir) {
		t.Errorf("a data folder: %v, %v", was, still)
	}
	must(t, os.Remove(filepath.Join(dir, "one")))
	must(t, os.Remove(filepath.Join(dir, "two")))
	wantPrivate(t, dir)
	if was, still := TightenFolder(dir); len(was)+len(still) != 0 {
		t.Errorf("again: %v, %v", was, still)
	}
}

// A link where a secret is kept leads nowhere: neither is what it points to read nor written.
func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "log.password")
	must(t, os.WriteFile(target, []byte("theirs"), 0o644))
	must(t, os.Symlink(target, link))
	if data, err := ReadOwn(link); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Errorf("read %q, %v", data, err)
	}
	must(t, WriteNew(link, []byte("ours")))
	if data, err := os.ReadFile(target); string(data) != "theirs" || err != nil {
		t.Errorf("the target holds %q, %v", data, err)
	}
	if data, err := ReadOwn(link); string(data) != "ours" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
}
