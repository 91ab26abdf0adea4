package worker

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
)

// archive is a worker over files, whose loops do not run: what lasts, and what removes it.
type archive struct {
	*Worker
	t    *testing.T
	dir  string
	ctx  context.Context
	last store.Position
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t: t, dir: t.TempDir(),
		ctx: store.As(t.Context(), store.Author{Organization: uuid.NewString(), Actor: "test"})}
	quiet := slog.New(slog.DiscardHandler)
	log, err := store.OpenSQLite(filepath.Join(a.dir, "log.db"))
	a.must(err)
	kept, err := blobs.Open(t.Context(), (&url.URL{Scheme: "file", Path: filepath.Join(a.dir, "blobs")}).String())
	a.must(err)
	runs, err := projections.OpenRunIndex(t.Context(), filepath.Join(a.dir, "runs.db"), log, quiet)
	a.must(err)
	a.Worker = &Worker{Log: log, Blobs: kept, Runs: runs, Logger: quiet}
	ctx, cancel := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() { _ = runs.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		reader.Wait()
		for _, close := range []func() error{runs.Close, kept.Close, log.Close} {
			a.must(close())
		}
	})
	return a
}

func (a *archive) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// run writes an execution of about 17 kilobytes that logs words of its own, and a blob of it.
func (a *archive) run(ended bool) string {
	a.t.Helper()
	id := uuid.NewString()
	blob := runBlob(id, "out")
	a.must(a.Blobs.Put(a.ctx, blob, []byte(strings.Repeat("b", 9<<10))))
	payload := domain.Content{Inline: json.RawMessage(`"` + strings.Repeat(id, 200) + `"`), Size: 7202}
	var line strings.Builder
	line.WriteString(loggedWord + " ")
	for range 60 {
		line.WriteString(uuid.NewString() + " ")
	}
	events := domain.Changes[domain.Run]{domain.RunQueued{Instance: "n", Flow: "f", Version: "v", Payload: payload},
		domain.RunClaimed{Claim: 1},
		domain.StepFinished{Claim: 1, Path: "a", Name: "A", Output: payload,
			Log: []domain.LogLine{{Severity: "INFO", Message: line.String()}}},
		domain.StepFinished{Claim: 1, Path: "b", Name: "B", Output: domain.Content{Blob: blob, Size: 9 << 10}}}
	if ended {
		events = append(events, domain.RunFinished{Claim: 1, Result: domain.Completed})
	}
	_, pos, err := store.Change(a.ctx, a.Log, domain.Runs, id, func(domain.Run) (domain.Changes[domain.Run], error) {
		return events, nil
	})
	a.must(err)
	a.last = pos
	return id
}

// sizes are the bytes on disk of the log, the index and the blobs, once what is in the write-ahead
// logs has gone into the files.
func (a *archive) sizes() (log, index, blobs int64) {
	a.t.Helper()
	for _, name := range []string{"log.db", "runs.db"} {
		db, err := sql.Open("sqlite", filepath.Join(a.dir, name)+"?_pragma=busy_timeout(5000)")
		a.must(err)
		_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
		a.must(errors.Join(err, db.Close()))
	}
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(a.dir, name))
		a.must(err)
		return info.Size()
	}
	a.must(filepath.WalkDir(filepath.Join(a.dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, e := d.Info()
			a.must(e)
			blobs += info.Size()
		}
		return err
	}))
	return size("log.db"), size("runs.db"), blobs
}

// What is old and over goes, from the log, the index and the blobs, and the disk gets its space back;
// what is young or goes on stays, and the log still proves to be whole.
func TestRetention(t *testing.T) {
	a := newArchive(t)
	goesOn := a.run(false)
	_, _, err := store.Change(a.ctx, a.Log, domain.Organizations, "o",
		func(domain.Organization) (domain.Changes[domain.Organization], error) {
			return domain.Changes[domain.Organization]{domain.OrganizationCreated{Name: "Weavers"}}, nil
		})
	a.must(err)
	const many = 800
	var old []string
	for range many {
		old = append(old, a.run(true))
	}
	a.must(a.Runs.Wait(a.ctx, a.last))
	cut := time.Now()
	head, err := store.Verify(a.ctx, a.Log, nil)
	a.must(err)
	log, index, blobs := a.sizes()
	young := a.run(true)
	a.must(a.Runs.Wait(a.ctx, a.last))
	n, err := a.RemoveFinishedBefore(a.ctx, cut)
	if n != many || err != nil {
		t.Fatalf("removed %d, %v", n, err)
	}
	for _, id := range []string{old[0], old[many-1]} {
		if _, _, err := store.Load(a.ctx, a.Log, domain.Runs, id); refusal.CodeOf(err) != refusal.NotFound {
			t.Errorf("an old stream is still there: %v", err)
		}
		if _, err := a.Blobs.Get(a.ctx, runBlob(id, "out")); refusal.CodeOf(err) != refusal.NotFound {
			t.Errorf("an old blob is still there: %v", err)
		}
	}
	organization := store.AuthorOf(a.ctx).Organization
	for _, id := range []string{goesOn, young} {
		if _, found, err := a.Runs.Execution(a.ctx, organization, id); !found || err != nil {
			t.Errorf("%s is gone from the index, %v", id, err)
		}
		if run, _, err := store.Load(a.ctx, a.Log, domain.Runs, id); run.ID == "" || err != nil {
			t.Errorf("%s is gone from the log, %v", id, err)
		}
		if _, err := a.Blobs.Get(a.ctx, runBlob(id, "out")); err != nil {
			t.Errorf("a blob of %s is gone: %v", id, err)
		}
	}
	if count, err := a.Runs.Count(a.ctx, projections.ExecutionQuery{Organization: organization}); count != 2 ||
		err != nil {
		t.Errorf("the index counts %d, %v", count, err)
	}
	if _, err := store.Verify(a.ctx, a.Log, &head); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
	if n, err := a.RemoveFinishedBefore(a.ctx, cut); n != 0 || err != nil {
		t.Errorf("a second time removed %d, %v", n, err)
	}
	a.smaller(log, index, blobs)
}

// What is removed is in no file any more, but for its id: neither in pages that are free nor in a write-ahead log.
func TestRetentionLeavesNothing(t *testing.T) {
	a := newArchive(t)
	var last string
	for range 300 {
		last = a.run(true)
	}
	a.must(a.Runs.Wait(a.ctx, a.last))
	words := func() (found []string) {
		a.must(filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
				return nil
			}
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			for _, of := range []string{last + last, loggedWord, strings.ToLower(loggedWord)} {
				if bytes.Contains(text, []byte(of)) {
					found = append(found, filepath.Base(path)+" has "+of)
				}
			}
			return err
		}))
		return found
	}
	if all := strings.Join(words(), ", "); !strings.Contains(all, "log.db") || !strings.Contains(all, "runs.db") {
		t.Fatalf("before the removal: %s", all)
	}
	n, err := a.RemoveFinishedBefore(a.ctx, time.Now().Add(time.Hour))
	if n != 300 || err != nil {
		t.Fatalf("removed %d, %v", n, err)
	}
	// the log does it when it is idle
	for deadline := time.Now().Add(20 * time.Second); len(words()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after the removal: %v", words())
		}
	}
}

// loggedWord is a word of each run's log.
const loggedWord = "Qzuxvagonk"

// smaller waits until the files have become small; the log gives space back when it is idle.
func (a *archive) smaller(log, index, blobs int64) {
	a.t.Helper()
	const kept = 5 << 20 // the log keeps 4 MiB of free pages for new records
	deadline := time.Now().Add(10 * time.Second)
	for {
		nowLog, nowIndex, nowBlobs := a.sizes()
		if nowLog < kept && log > 2*kept && nowIndex < index/2 && nowBlobs < blobs/100 {
			a.t.Logf("log %d KiB, before %d; index %d KiB, before %d; blobs %d KiB, before %d", nowLog>>10, log>>10,
				nowIndex>>10, index>>10, nowBlobs>>10, blobs>>10)
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("log %d, before %d; index %d, before %d; blobs %d, before %d", nowLog, log, nowIndex,
				index, nowBlobs, blobs)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A crash between the steps of a removal leaves what is found and removed later.
func TestRetentionGoesOnAfterACrash(t *testing.T) {
	a := newArchive(t)
	withoutStream, withoutBlobs := a.run(true), a.run(true)
	a.must(a.Runs.Wait(a.ctx, a.last))
	for _, id := range []string{withoutStream, withoutBlobs} {
		a.must(a.Log.Remove(a.ctx, domain.Runs.Stream(id)))
	}
	a.must(a.Blobs.DeleteAll(a.ctx, "run/"+withoutBlobs+"/"))
	n, err := a.RemoveFinishedBefore(a.ctx, time.Now().Add(time.Hour))
	if n != 2 || err != nil {
		t.Fatalf("removed %d, %v", n, err)
	}
	if _, err := a.Blobs.Get(a.ctx, runBlob(withoutStream, "out")); refusal.CodeOf(err) != refusal.NotFound {
		t.Errorf("its blob is still there: %v", err)
	}
}

// What can't be removed now stays in the index, and so is tried again.
func TestRetentionThatFails(t *testing.T) {
	a := newArchive(t)
	id := a.run(true)
	a.must(a.Runs.Wait(a.ctx, a.last))
	whole := a.Log
	a.Log = store.NewMemory()
	a.must(a.Log.Close())
	if n, err := a.RemoveFinishedBefore(a.ctx, time.Now().Add(time.Hour)); n != 0 ||
		refusal.CodeOf(err) != refusal.Unavailable {
		t.Errorf("removed %d, %v", n, err)
	}
	a.Log = whole
	if n, err := a.RemoveFinishedBefore(a.ctx, time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("removed %d of %s later, %v", n, id, err)
	}
}

// A start with a clock that is set wrong removes nothing, and neither does the next one; the reason is logged once.
func TestRetentionWithAWrongClock(t *testing.T) {
	a := newArchive(t)
	a.run(true)
	a.must(a.Runs.Wait(a.ctx, a.last))
	a.RunRetention = 30 * 24 * time.Hour
	var told bytes.Buffer
	a.Logger = slog.New(slog.NewTextHandler(&told, nil))
	for range 3 {
		clock := newCautious(a.RunRetention)
		for running := range 10 {
			running := time.Duration(running+1) * pruneEvery
			if n, err := (pruner{a.Worker, clock}).once(a.ctx, time.Now().Add(40*24*time.Hour+running),
				running); n != 0 || err != nil {
				t.Fatalf("removed %d, %v", n, err)
			}
		}
	}
	if n := strings.Count(told.String(), "the clock is far ahead"); n != 3 {
		t.Errorf("told %d times: %s", n, &told)
	}
	clock := newCautious(a.RunRetention)
	removed := 0
	for looks := 1; removed == 0 && looks < 2000; looks++ { // the clock is right: the server was stopped for so long
		running := time.Duration(looks) * pruneEvery
		n, err := (pruner{a.Worker, clock}).once(a.ctx, time.Now().Add(40*24*time.Hour+running), running)
		a.must(err)
		removed += n
	}
	if removed != 1 {
		t.Error("what is old is kept for ever")
	}
}
