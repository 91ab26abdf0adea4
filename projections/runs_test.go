package projections

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/blobs"
)

// index runs an index over a log until stop is called or the test ends.
func index(t *testing.T, log store.Log, path string) (x *RunIndex, stop func()) {
	t.Helper()
	x, err := OpenRunIndex(t.Context(), path, log, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return x, running(t, x)
}

// running runs an index until stop is called or the test ends.
func running(t *testing.T, x *RunIndex) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the index ended with %v", err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	<-x.CaughtUp()
	return stop
}

func queued(instance, version string) domain.RunQueued {
	return domain.RunQueued{Instance: instance, Integration: "i", Version: version, Flow: "f", FlowName: "Flow",
		Invoke: domain.InvokedByWebhook}
}

// runs writes a waiting run, one that runs, one that failed, a test and one of another organization.
func runs(t *testing.T, log store.Log) store.Position {
	t.Helper()
	write(t, as("o"), log, domain.Runs, "waits", queued("n1", "v"))
	write(t, as("o"), log, domain.Runs, "runs", queued("n1", "v"), domain.RunClaimed{Claim: 1},
		domain.StepFinished{Path: "a"}, domain.RunClaimed{Claim: 2})
	write(t, as("o"), log, domain.Runs, "failed", queued("n2", "v"), domain.RunClaimed{Claim: 1},
		domain.RunFinished{Claim: 1, Result: domain.Failed, Error: "no luck"})
	write(t, as("o"), log, domain.Runs, "test", queued("n2", ""), domain.RunClaimed{Claim: 1},
		domain.RunFinished{Claim: 1, Result: domain.Completed})
	return write(t, as("other"), log, domain.Runs, "theirs", queued("n3", "v"))
}

func ids(list []Execution) (all []string) {
	for _, e := range list {
		all = append(all, e.ID)
	}
	return all
}

func TestExecutions(t *testing.T) {
	log := store.NewMemory()
	x, _ := index(t, log, filepath.Join(t.TempDir(), "runs.db"))
	if err := x.Wait(t.Context(), runs(t, log)); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	now := time.Now()
	for name, c := range map[string]struct {
		q     ExecutionQuery
		want  []string
		total int
	}{
		"all":            {ExecutionQuery{Limit: 10}, []string{"test", "failed", "runs", "waits"}, 4},
		"a page":         {ExecutionQuery{Limit: 2}, []string{"test", "failed"}, 4},
		"by instance":    {ExecutionQuery{Instance: "n1", Limit: 10}, []string{"runs", "waits"}, 2},
		"by integration": {ExecutionQuery{Integration: "j", Limit: 10}, nil, 0},
		"by flow":        {ExecutionQuery{Flow: "f", Limit: 1}, []string{"test"}, 4},
		"tests":          {ExecutionQuery{Test: &yes, Limit: 10}, []string{"test"}, 1},
		"no tests":       {ExecutionQuery{Test: &no, Limit: 10}, []string{"failed", "runs", "waits"}, 3},
		"started since": {ExecutionQuery{StartedFrom: now.Add(-time.Hour), Limit: 10},
			[]string{"test", "failed", "runs"}, 3},
		"started until": {ExecutionQuery{StartedTo: now.Add(time.Hour), Limit: 10},
			[]string{"test", "failed", "runs"}, 3},
		"in the future": {ExecutionQuery{StartedFrom: now.Add(time.Hour), Limit: 10}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.Organization = "o"
			list, err := x.Executions(t.Context(), c.q)
			total, countErr := x.Count(t.Context(), c.q)
			if diff := cmp.Diff(c.want, ids(list)); err != nil || countErr != nil || total != c.total || diff != "" {
				t.Errorf("got %v of %d, %v, %v\n%s", ids(list), total, err, countErr, diff)
			}
		})
	}
	for ascending, want := range map[bool][]string{false: {"test failed", "runs waits"},
		true: {"waits runs", "failed test"}} {
		q := ExecutionQuery{Organization: "o", Limit: 2, Ascending: ascending}
		for n, want := range want {
			page, err := x.Executions(t.Context(), q)
			if got := strings.Join(ids(page), " "); err != nil || got != want {
				t.Fatalf("page %d, ascending %v, is %s, %v", n, ascending, got, err)
			}
			q.After = page[1].Place()
		}
		if total, err := x.Count(t.Context(), q); err != nil || total != 4 {
			t.Errorf("there are %d, %v", total, err)
		}
	}
}

func TestExecution(t *testing.T) {
	log := store.NewMemory()
	x, _ := index(t, log, filepath.Join(t.TempDir(), "runs.db"))
	if err := x.Wait(t.Context(), runs(t, log)); err != nil {
		t.Fatal(err)
	}
	e, ok, err := x.Execution(t.Context(), "o", "failed")
	if err != nil || !ok || e.Result != domain.Failed || e.Error != "no luck" || e.Claims != 1 ||
		e.StartedAt.Before(e.QueuedAt) || e.EndedAt.Before(e.StartedAt) {
		t.Errorf("got %+v %v %v", e, ok, err)
	}
	if e, _, _ := x.Execution(t.Context(), "o", "runs"); e.Claims != 2 || !e.EndedAt.IsZero() {
		t.Errorf("got %+v", e)
	}
	for _, id := range []string{"theirs", "nobodys"} {
		if _, ok, err := x.Execution(t.Context(), "o", id); ok || err != nil {
			t.Errorf("%s is found: %v", id, err)
		}
	}
}

func TestUnfinished(t *testing.T) {
	log := store.NewMemory()
	x, _ := index(t, log, filepath.Join(t.TempDir(), "runs.db"))
	if err := x.Wait(t.Context(), runs(t, log)); err != nil {
		t.Fatal(err)
	}
	var all []string
	for after := store.Position(0); ; {
		page, err := x.Unfinished(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, ids(page)...)
		after = page[len(page)-1].Position
	}
	if diff := cmp.Diff([]string{"waits", "runs", "theirs"}, all); diff != "" {
		t.Errorf("unfinished (-want +got):\n%s", diff)
	}
}

// The file is disposable: whether it is continued or deleted, the answers are the same.
func TestRunIndexRebuilds(t *testing.T) {
	log := store.NewMemory()
	path := filepath.Join(t.TempDir(), "runs.db")
	x, stop := index(t, log, path)
	runs(t, log)
	if err := x.Wait(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	stop()
	last := write(t, as("o"), log, domain.Runs, "waits", domain.RunClaimed{Claim: 1},
		domain.RunFinished{Claim: 1, Result: domain.Completed})
	var answers [2][]Execution
	for n := range answers {
		x, stop := index(t, log, path)
		if err := x.Wait(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		var err error
		if answers[n], err = x.Executions(t.Context(), ExecutionQuery{Organization: "o", Limit: 100}); err != nil {
			t.Fatal(err)
		}
		stop()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(answers[0], answers[1]); diff != "" || len(answers[0]) != 4 {
		t.Errorf("after the rebuild (-before +after):\n%s", diff)
	}
}

// An index of a log that was restored to an older state does not claim to know more.
func TestRunIndexOfAnotherLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	log := store.NewMemory()
	x, stop := index(t, log, path)
	write(t, as("o"), log, domain.Customers, "gone", domain.CustomerCreated{Name: "Gone"})
	if err := x.Wait(t.Context(), runs(t, log)); err != nil {
		t.Fatal(err)
	}
	stop()
	older := store.NewMemory()
	write(t, as("o"), older, domain.Customers, "kept", domain.CustomerCreated{Name: "Kept"})
	last := write(t, as("o"), older, domain.Runs, "other", queued("n1", "v"))
	again, _ := index(t, older, path)
	if err := again.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	list, err := again.Executions(t.Context(), ExecutionQuery{Organization: "o", Limit: 10})
	if diff := cmp.Diff([]string{"other"}, ids(list)); err != nil || diff != "" {
		t.Errorf("the index knows %v, %v", ids(list), err)
	}
	entries, err := again.AuditEntries(t.Context(), AuditQuery{Organization: "o", Limit: 10})
	if err != nil || len(entries) != 2 || entries[0].Stream != domain.Runs.Stream("other") ||
		entries[1].Stream != domain.Customers.Stream("kept") {
		t.Errorf("the audit knows %+v, %v", entries, err)
	}
}

func TestRunIndexRefusesAForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	if err := os.WriteFile(path,
		[]byte("this is no database, whatever its name says; it is long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRunIndex(t.Context(), path, store.NewMemory(), quiet); err == nil {
		t.Error("it is opened")
	} else if got := err.Error(); !filepath.IsAbs(path) || !containsAll(got, path, "may be deleted") {
		t.Errorf("refused with %s", got)
	}
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

func TestDefinitions(t *testing.T) {
	kept, err := blobs.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	d := NewDefinitions(kept, 5000)
	var hashes []string
	for n := range 20 {
		hash, err := d.Save(t.Context(), "o", node(fmt.Sprint(n)))
		if err != nil || hash != definition.Hash(node(fmt.Sprint(n))) {
			t.Fatalf("%s, %v", hash, err)
		}
		hashes = append(hashes, hash)
	}
	if d.held > 5000 || d.order.Len() != len(d.byHash) || d.order.Len() == 20 {
		t.Errorf("%d bytes of %d definitions are held", d.held, d.order.Len())
	}
	for n, hash := range hashes { // held or read again
		got, err := d.Get(t.Context(), "o", hash)
		if err != nil || !got.Equal(node(fmt.Sprint(n))) {
			t.Errorf("%d is %+v, %v", n, got, err)
		}
	}
	for _, c := range [][2]string{{"o", definition.Hash(node("x"))}, {"other", hashes[19]}} {
		if _, err := d.Get(t.Context(), c[0], c[1]); err == nil || refusal.CodeOf(err) != "" ||
			!strings.Contains(err.Error(), "is missing") {
			t.Errorf("%v gives %v", c, err)
		}
	}
}
