package blobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
		"s3":     fakeS3(t),
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
	if _, err := b.GetContent(ctx, "org", hash); err == nil || !strings.Contains(err.Error(), "damaged") || refusal.CodeOf(err) != "" {
		t.Errorf("damaged content: %v", err)
	}
	if _, err := b.PutContent(ctx, "org", []byte("content")); err != nil {
		t.Error(err)
	}
	if _, err := b.GetContent(ctx, "org", hash); err != nil {
		t.Errorf("storing again did not mend it: %v", err)
	}
}

func TestBlobKeys(t *testing.T) {
	ctx := context.Background()
	b := openTestBlobs(t, "file://"+t.TempDir())
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".new/x", "a/.b", "a.attrs", "a\x00b", "a b", `a\b`, "ü", strings.Repeat("a/", 300) + "a"} {
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

func TestFullDiskIsUnavailable(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		wantCode(t, noRoom(&os.PathError{Op: "write", Path: "x", Err: cause}), refusal.Unavailable)
	}
	if err := noRoom(io.ErrUnexpectedEOF); refusal.CodeOf(err) != "" {
		t.Error(err)
	}
}

// fakeS3 serves the few calls of S3 that a Store makes, and returns the address of a bucket there.
func fakeS3(t *testing.T) string {
	var mu sync.Mutex
	objects := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		key := strings.TrimPrefix(r.URL.Path, "/bucket/")
		switch {
		case r.URL.Query().Has("list-type"):
			fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated>`)
			for name, data := range objects {
				if strings.HasPrefix(name, r.URL.Query().Get("prefix")) {
					fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"00"</ETag><LastModified>2020-01-01T00:00:00Z</LastModified></Contents>`, name, len(data))
				}
			}
			fmt.Fprint(w, `</ListBucketResult>`)
		case r.Method == http.MethodPut:
			data, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			objects[key] = data
			w.Header().Set("ETag", `"00"`)
		case r.Method == http.MethodDelete:
			delete(objects, key)
			w.WriteHeader(http.StatusNoContent)
		case objects[key] == nil:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>`)
		default:
			http.ServeContent(w, r, "", testDay, bytes.NewReader(objects[key]))
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	return "s3://bucket?region=us-east-1&use_path_style=true&disable_https=true&endpoint=" + server.URL +
		"&request_checksum_calculation=when_required&response_checksum_validation=when_required"
}
