package blobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"heddle/domain/refusal"
	"heddle/store/files"
)

func openTestBlobs(t *testing.T, address string) *Store {
	t.Helper()
	b, err := Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestBlobs(t *testing.T) {
	for name, address := range map[string]string{
		"memory": "mem://",
		"folder": "file://" + filepath.Join(t.TempDir(), "new", "blobs"),
		"s3":     newFakeS3(t).address(""),
	} {
		t.Run(name, func(t *testing.T) { testBlobs(t, openTestBlobs(t, address)) })
	}
}

func testBlobs(t *testing.T, b *Store) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Get(ctx, "run/1/output")
	wantCode(t, err, refusal.NotFound)
	for _, data := range [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("two"), 100_000)} {
		must(b.Put(ctx, "run/1/output", data))
		got, err := b.Get(ctx, "run/1/output")
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, len(data))
		}
	}
	must(b.Put(ctx, "run/1/deep/er/log", []byte("x")))
	must(b.Put(ctx, "run/10/output", []byte("x")))
	must(b.DeleteAll(ctx, "run/1/"))
	must(b.DeleteAll(ctx, "run/1/"))
	for key, there := range map[string]bool{"run/1/output": false, "run/1/deep/er/log": false, "run/10/output": true} {
		if _, err := b.Get(ctx, key); (err == nil) != there {
			t.Errorf("%s: %v", key, err)
		}
	}
	must(b.Delete(ctx, "run/10/output"))
	must(b.Delete(ctx, "run/10/output"))
	_, err = b.Get(ctx, "run/10/output")
	wantCode(t, err, refusal.NotFound)

	hash, err := b.PutContent(ctx, "org", []byte("content"))
	must(err)
	again, err := b.PutContent(ctx, "org", []byte("content"))
	must(err)
	got, err := b.GetContent(ctx, "org", hash)
	if err != nil || again != hash || len(hash) != 64 || string(got) != "content" {
		t.Errorf("%q under %s and %s, %v", got, hash, again, err)
	}
	_, err = b.GetContent(ctx, "other", hash)
	wantCode(t, err, refusal.NotFound)
	must(b.Put(ctx, contentKey("org", hash), []byte("CONTENT")))
	if _, err := b.GetContent(ctx, "org", hash); err == nil || !strings.Contains(err.Error(), "damaged") ||
		refusal.CodeOf(err) != "" {
		t.Errorf("damaged content: %v", err)
	}
	if _, err := b.PutContent(ctx, "org", []byte("content")); err != nil {
		t.Error(err)
	}
	if _, err := b.GetContent(ctx, "org", hash); err != nil {
		t.Errorf("storing again did not mend it: %v", err)
	}

	must(b.Put(ctx, "run/1/output", []byte("x")))
	_, err = b.Get(ctx, "run/1")
	wantCode(t, err, refusal.NotFound) // the folder of a blob is none
	_, err = b.Get(ctx, "run/1/output/more")
	wantCode(t, err, refusal.NotFound)
	must(b.Delete(ctx, "run/1"))
	must(b.Delete(ctx, "run/1/output/more"))
	data, err := b.Get(ctx, "run/1/output")
	must(err)
	data[0] = 'y'
	if data, err = b.Get(ctx, "run/1/output"); string(data) != "x" || err != nil {
		t.Errorf("what a reader changed is %q, %v", data, err)
	}
	must(b.Close())
	_, err = b.Get(ctx, "run/1/output")
	for what, err := range map[string]error{"get": err, "put": b.Put(ctx, "a", nil), "delete": b.Delete(ctx, "a"),
		"delete all": b.DeleteAll(ctx, "a/")} {
		if err == nil || !strings.Contains(err.Error(), "the blobs are closed") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestBlobKeys(t *testing.T) {
	ctx := context.Background()
	b := openTestBlobs(t, "file://"+t.TempDir())
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".new/x", "a/.b", "a.attrs",
		"a\x00b", "a b", `a\b`, "ü", strings.Repeat("a/", 300) + "a"} {
		wantCode(t, b.Put(ctx, key, []byte("x")), refusal.Invalid)
		_, err := b.Get(ctx, key)
		wantCode(t, err, refusal.Invalid)
		wantCode(t, b.Delete(ctx, key), refusal.Invalid)
	}
	for _, prefix := range []string{"", "/", "run/1", "../", "run//"} {
		wantCode(t, b.DeleteAll(ctx, prefix), refusal.Invalid)
	}
	_, err := b.PutContent(ctx, "../other", []byte("x"))
	wantCode(t, err, refusal.Invalid)
	for _, address := range []string{"file://relative/dir", "gopher://x", ":"} {
		if _, err := Open(ctx, address); err == nil {
			t.Errorf("%s was opened", address)
		}
	}
}

// TestBlobsAreWholeOrNotThere kills a process, so to speak, at each step of a Put: what has no name
// yet is never taken for content.
func TestBlobsAreWholeOrNotThere(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	b := openTestBlobs(t, "file://"+dir)
	half, err := files.WriteTemp(filepath.Join(dir, tempDir), []byte("half"))
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, tempDir, "old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, testDay, testDay); err != nil {
		t.Fatal(err)
	}
	again := openTestBlobs(t, "file://"+dir)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error("what a crash left is still there")
	}
	if _, err := os.Stat(half); err != nil {
		t.Error("what may be in the writing is gone")
	}
	var putting sync.WaitGroup
	for i := range 4 {
		putting.Go(func() {
			for j := range 50 {
				data := bytes.Repeat([]byte{byte('a' + i)}, 1+j*1000)
				if err := b.Put(ctx, "run/1/output", data); err != nil {
					t.Error(err)
				}
				got, err := again.Get(ctx, "run/1/output")
				if refusal.CodeOf(err) == refusal.NotFound { // between two Puts, DeleteAll came by
					continue
				}
				if err != nil || len(got) == 0 || len(got)%1000 != 1 || bytes.Count(got, got[:1]) != len(got) {
					t.Errorf("read %d bytes that nobody wrote: %v", len(got), err)
				}
				if j%10 == 0 {
					if err := again.DeleteAll(ctx, "run/1/"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	putting.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, tempDir, "*")); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

// A folder is the same whoever wrote it: a blob is the file of its key, and nothing is beside it.
func TestBlobsAreFiles(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "1", "a=b_c.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := openTestBlobs(t, "file://"+dir)
	if data, err := b.Get(ctx, "run/1/a=b_c.log"); err != nil || string(data) != "old" {
		t.Errorf("%q, %v", data, err)
	}
	if err := b.Put(ctx, "run/1/a=b_c.log", []byte("new")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	beside, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || string(data) != "new" || len(beside) != 1 {
		t.Errorf("%q, %v, %v", data, err, beside)
	}
	if err := b.Delete(ctx, "run/1/a=b_c.log"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestFullDiskIsUnavailable(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		wantCode(t, noRoom(&os.PathError{Op: "write", Path: "x", Err: cause}), refusal.Unavailable)
	}
	if err := noRoom(io.ErrUnexpectedEOF); refusal.CodeOf(err) != "" {
		t.Error(err)
	}
}
