package store_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/storetest"
)

// runAndKill lets a child append for a time after its first line and returns the lines that it printed.
func runAndKill(t *testing.T, path string, after time.Duration) map[string]store.Revision {
	t.Helper()
	cmd := storetest.Command(t, "append", path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	promised := map[string]store.Revision{}
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if timer == nil {
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		var w string
		var revision store.Revision
		if n, _ := fmt.Sscan(lines.Text(), &w, &revision); n == 2 {
			promised["tally-"+w] = max(promised["tally-"+w], revision)
		}
	}
	if err := cmd.Wait(); err == nil || timer == nil {
		t.Fatalf("the child was not killed: %v", err)
	}
	return promised
}

// TestFullDisk fills a file system, and in another process a file size limit, in the middle of
// appends and puts, and then makes room again.
func TestFullDisk(t *testing.T) {
	t.Run("file size limit", func(t *testing.T) { runChild(t, storetest.Command(t, "file size limit", t.TempDir())) })
	t.Run("tmpfs", func(t *testing.T) {
		cmd := storetest.Command(t, "full tmpfs", t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			// a mount that only the child sees needs no rights where namespaces are allowed
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		runChild(t, cmd)
	})
}

func runChild(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), errNoMount) || err != nil && cmd.ProcessState == nil {
		t.Skipf("this machine lets tests mount no file system: %v %s", err, out)
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

const errNoMount = "mounting a small file system"

func fullTmpfs(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		return fmt.Errorf("%s: %w", errNoMount, err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		return err
	}
	return fillUp(dir, func() error { return os.Remove(ballast) })
}

func fileSizeLimit(dir string) error {
	limit := func(n uint64) error {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			return err
		}
		l.Cur = min(n, l.Max)
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l)
	}
	if err := limit(2 << 20); err != nil {
		return err
	}
	return fillUp(dir, func() error { return limit(64 << 20) })
}

// fillUp appends and puts until the disk is full, checks that nothing is stored in part, has space freed and
// continues.
func fillUp(dir string, makeRoom func() error) error {
	ctx := context.Background()
	path := filepath.Join(dir, "events.db")
	log, err := store.OpenSQLite(path)
	if err != nil {
		return err
	}
	kept, err := blobs.Open(ctx, "file://"+filepath.Join(dir, "blobs"))
	if err != nil {
		return err
	}
	acked, err := appendUntilFull(log)
	if err != nil {
		return err
	}
	if err := putUntilFull(ctx, kept, filepath.Join(dir, "blobs", ".new")); err != nil {
		return err
	}
	if err := wantRecords(log, acked); err != nil {
		return fmt.Errorf("while full: %w", err)
	}
	if err := makeRoom(); err != nil {
		return err
	}
	for stream, revision := range acked {
		if _, err := log.Append(ctx, stream, revision, storetest.Event("Room")); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		acked[stream]++
	}
	if err := kept.Put(ctx, "run/1/big", make([]byte, 1<<20)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := log.Close(); err != nil {
		return err
	}
	if log, err = store.OpenSQLite(path); err != nil {
		return err
	}
	if err := checkIntegrity(path); err != nil {
		return err
	}
	if err := wantRecords(log, acked); err != nil {
		return fmt.Errorf("reopened: %w", err)
	}
	return log.Close()
}

// appendUntilFull returns the last revisions that were acknowledged.
func appendUntilFull(log store.Log) (map[string]store.Revision, error) {
	var mu sync.Mutex
	acked := map[string]store.Revision{}
	errs := make(chan error, 8)
	for w := range cap(errs) {
		go func() {
			stream := fmt.Sprint("draft-", w)
			for refused, at := 0, store.NoStream; ; {
				e := storetest.Event("Fill")
				e.Data = bytes.Repeat([]byte("x"), 20<<10)
				_, err := log.Append(context.Background(), stream, at, e)
				switch {
				case err == nil:
					at++
					mu.Lock()
					acked[stream] = at
					mu.Unlock()
				case refusal.CodeOf(err) != refusal.Unavailable || !strings.Contains(err.Error(), "disk"):
					errs <- fmt.Errorf("a full disk is told as %w", err)
					return
				default:
					if refused++; refused == 3 {
						errs <- nil
						return
					}
				}
			}
		}()
	}
	var first error
	for range cap(errs) {
		if err := <-errs; first == nil {
			first = err
		}
	}
	if len(acked) == 0 && first == nil {
		first = fmt.Errorf("nothing was appended before the disk was full")
	}
	return acked, first
}

func putUntilFull(ctx context.Context, kept *blobs.Store, temp string) error {
	for size := 64 << 10; size < 1<<30; size *= 2 {
		err := kept.Put(ctx, "run/1/big", make([]byte, size))
		if err == nil {
			continue
		}
		if refusal.CodeOf(err) != refusal.Unavailable {
			return fmt.Errorf("a full disk is told as %w", err)
		}
		got, err := kept.Get(ctx, "run/1/big")
		if size > 64<<10 && (err != nil || len(got) != size/2) {
			return fmt.Errorf("the older blob has %d bytes, %w", len(got), err)
		}
		if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) != 0 {
			return fmt.Errorf("left behind: %v", left)
		}
		return nil
	}
	return fmt.Errorf("the disk never was full")
}

func wantRecords(log store.Log, acked map[string]store.Revision) error {
	total := 0
	for stream, revision := range acked {
		n := 0
		for r, err := range log.Read(context.Background(), stream, 0) {
			if err != nil {
				return err
			}
			if r.Revision != store.Revision(n) {
				return fmt.Errorf("%s: revision %d after %d", stream, r.Revision, n-1)
			}
			n++
		}
		if n != int(revision)+1 {
			return fmt.Errorf("%s has %d records, %d were acknowledged", stream, n, revision+1)
		}
		total += n
	}
	for r, err := range log.Follow(context.Background(), 0, store.Filter{}) {
		if err != nil {
			return err
		}
		if r.Mark() {
			break
		}
		total--
	}
	if total != 0 {
		return fmt.Errorf("following differs from reading by %d records", total)
	}
	return nil
}

func checkIntegrity(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	var said string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("integrity check: %s", said)
	}
	return nil
}
