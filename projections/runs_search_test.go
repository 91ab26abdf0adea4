package projections

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
	"heddle/store/blobs"
)

func logged(messages ...string) (lines []domain.LogLine) {
	for _, m := range messages {
		lines = append(lines, domain.LogLine{Severity: "INFO", Message: m})
	}
	return lines
}

// searchable writes runs that differ in their searchable fields.
func searchable(t *testing.T, log store.Log) store.Position {
	t.Helper()
	end := domain.RunFinished{Claim: 1, Result: domain.Completed}
	say := func(id string, q domain.RunQueued, more ...domain.Event[domain.Run]) store.Position {
		return write(t, as("o"), log, domain.Runs, id, append([]domain.Event[domain.Run]{q}, more...)...)
	}
	a, b := queued("n1", "v"), queued("n2", "v")
	a.Customer, b.Customer, b.Flow, b.Invoke = "acme", "zeta", "g", "SCHEDULED"
	say("plain", a, domain.RunClaimed{Claim: 1}, domain.StepFinished{Path: "a", Name: "Fetch Orders"}, end)
	say("logs", b, domain.RunClaimed{Claim: 1}, domain.StepFinished{Path: "a", Name: "Fetch Orders",
		Log: logged("Ärger mit order-4711", "retry_after=5")}, end)
	say("fails", a, domain.RunClaimed{Claim: 1},
		domain.StepFinished{Path: "b", Name: "Send", Error: "HTTP 503 from warehouse.example"},
		domain.RunFinished{Claim: 1, Result: domain.Failed, Error: "Send: HTTP 503 from warehouse.example"})
	say("waits", b)
	say("works", a, domain.RunClaimed{Claim: 1}, domain.StepFinished{Path: "a", Name: "Fetch Orders",
		Log: logged("not over yet")})
	return write(t, as("other"), log, domain.Runs, "theirs", queued("n3", "v"), domain.RunClaimed{Claim: 1},
		domain.StepFinished{Path: "a", Name: "Fetch Orders", Log: logged("Ärger")}, end)
}

func TestExecutionsByWhatTheyDid(t *testing.T) {
	log := store.NewMemory()
	x, _ := index(t, log, filepath.Join(t.TempDir(), "runs.db"))
	if err := x.Wait(t.Context(), searchable(t, log)); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	for name, c := range map[string]struct {
		q    ExecutionQuery
		want string
	}{
		"by customer":           {ExecutionQuery{Customer: "acme"}, "works fails plain"},
		"of nobody":             {ExecutionQuery{Customer: "nobody"}, ""},
		"by flow":               {ExecutionQuery{Flow: "g"}, "waits logs"},
		"by trigger":            {ExecutionQuery{Invoke: "SCHEDULED"}, "waits logs"},
		"by version":            {ExecutionQuery{Version: "v", Instance: "n1"}, "works fails plain"},
		"failed":                {ExecutionQuery{Failed: &yes}, "fails"},
		"failed, of a customer": {ExecutionQuery{Failed: &yes, Customer: "zeta"}, ""},
		"with an error":         {ExecutionQuery{HasError: &yes}, "fails"},
		"without":               {ExecutionQuery{HasError: &no}, "works waits logs plain"},
		"succeeded":             {ExecutionQuery{Ended: &yes, Failed: &no}, "logs plain"},
		"by result":             {ExecutionQuery{Result: domain.Completed}, "logs plain"},
		"queued":                {ExecutionQuery{Started: &no}, "waits"},
		"at work":               {ExecutionQuery{Started: &yes, Ended: &no}, "works"},
		"at work, of a flow":    {ExecutionQuery{Ended: &no, Flow: "g"}, "waits"},
		"a step's name":         {ExecutionQuery{Text: "fetch"}, "logs plain"},
		"its beginning":         {ExecutionQuery{Text: "ord fet"}, "logs plain"},
		"not its middle":        {ExecutionQuery{Text: "etch"}, ""},
		"a log line":            {ExecutionQuery{Text: "arger ORDER-47"}, "logs"},
		"step and log line":     {ExecutionQuery{Text: "Fetch ärger"}, "logs"},
		"step and other's line": {ExecutionQuery{Text: "Send ärger"}, ""},
		"an error":              {ExecutionQuery{Text: "503 warehouse.example"}, "fails"},
		"an underscore":         {ExecutionQuery{Text: "retry_after=5"}, "logs"},
		"quotes and operators":  {ExecutionQuery{Text: `"fetch" NEAR( OR * ^`}, ""},
		"no word":               {ExecutionQuery{Text: ` "*() `}, ""},
		"text and flow":         {ExecutionQuery{Text: "orders", Flow: "f"}, "plain"},
		"text and failed":       {ExecutionQuery{Text: "send", Failed: &yes}, "fails"},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.Organization, c.q.Limit = "o", 10
			list, err := x.Executions(t.Context(), c.q)
			total, countErr := x.Count(t.Context(), c.q)
			if got := strings.Join(ids(list), " "); err != nil || countErr != nil || got != c.want ||
				total != len(list) {
				t.Errorf("got %q, counted %d, want %q; %v, %v", got, total, c.want, err, countErr)
			}
		})
	}
	if list, err := x.Executions(t.Context(), ExecutionQuery{Organization: "nobody", Limit: 10}); len(list) > 0 ||
		err != nil {
		t.Errorf("an unknown organization has %v, %v", ids(list), err)
	}
}

// However many steps a run has, and however many transactions of the index it spans, it is found by the first
// and the last of them.
func TestLongExecutionIsFound(t *testing.T) {
	log := store.NewMemory()
	x, _ := index(t, log, filepath.Join(t.TempDir(), "runs.db"))
	said := strings.Repeat("y", maxWords/(stepsKept/2)) // the searched text ends halfway
	events := []domain.Event[domain.Run]{queued("n", "v"), domain.RunClaimed{Claim: 1},
		domain.StepFinished{Path: "a", Name: "First", Log: logged("needle")}}
	step := func(n int) domain.StepFinished {
		return domain.StepFinished{Path: strconv.Itoa(n), Name: "Body", Log: logged(said)}
	}
	for range 3 {
		for n := range stepsKept / 2 {
			events = append(events, step(len(events)+n))
		}
		if err := x.Wait(t.Context(), write(t, as("o"), log, domain.Runs, "long", events...)); err != nil {
			t.Fatal(err)
		}
		events = nil
	}
	events = append(events, domain.StepFinished{Path: "b", Name: "Ultimate", Log: logged("straw"), Error: "broken"},
		domain.RunFinished{Claim: 1, Result: domain.Completed})
	if err := x.Wait(t.Context(), write(t, as("o"), log, domain.Runs, "long", events...)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"needle": 1, "first body ultimate": 1, "yyyy": 1, "straw": 0, "broken": 0} {
		if list, err := x.Executions(t.Context(), ExecutionQuery{Organization: "o", Text: text,
			Limit: 10}); err != nil || len(list) != want {
			t.Errorf("%q finds %d, %v", text, len(list), err)
		}
	}
}

// Runs of more sources than are read one by one are listed in the same order.
func TestExecutionsOfManySources(t *testing.T) {
	log := store.NewMemory()
	x, _ := index(t, log, filepath.Join(t.TempDir(), "runs.db"))
	var last store.Position
	var want []string
	for n := range maxBranches + 10 {
		id := uuid.NewString()
		want = append([]string{id}, want...)
		last = write(t, as("o"), log, domain.Runs, id, queued("n"+strconv.Itoa(n), "v"))
	}
	if err := x.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	for _, q := range []ExecutionQuery{{Integration: "i"}, {Flow: "f"}, {}} {
		var got []string
		for q.Organization, q.Limit = "o", 7; ; {
			page, err := x.Executions(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got, q.After = append(got, ids(page)...), page[len(page)-1].Place()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", q, diff)
		}
	}
}

// A run whose events were written in several transactions is found by all of them, long logs included,
// whether they follow on each other or not.
func TestRunOverManyTransactions(t *testing.T) {
	for name, others := range map[string]int{"on end": 0, "apart": 1} {
		t.Run(name, func(t *testing.T) { testManyTransactions(t, others) })
	}
}

// testManyTransactions puts each event in a transaction of its own, with others of another run between them.
func testManyTransactions(t *testing.T, others int) {
	log := store.NewMemory()
	kept, err := blobs.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	x, err := OpenRunIndex(t.Context(), filepath.Join(t.TempDir(), "runs.db"), log, quiet)
	if err != nil {
		t.Fatal(err)
	}
	x.Blobs = kept
	running(t, x)
	lines, _ := json.Marshal(logged("far away"))
	if err := kept.Put(t.Context(), "run/r/log", lines); err != nil {
		t.Fatal(err)
	}
	gone := domain.Content{Blob: "run/r/gone", Size: 1}
	for _, e := range []domain.Event[domain.Run]{queued("n", "v"), domain.RunClaimed{Claim: 1},
		domain.StepFinished{Path: "a", Name: "First", Log: logged("near")},
		domain.StepFinished{Path: "b", Name: "Second", LogBlob: &domain.Content{Blob: "run/r/log", Size: len(lines)}},
		domain.StepFinished{Path: "c", Name: "Third", LogBlob: &gone}, domain.RunClaimed{Claim: 2},
		domain.RunFinished{Claim: 2, Result: domain.Completed}} {
		if err := x.Wait(t.Context(), write(t, as("o"), log, domain.Runs, "r", e)); err != nil {
			t.Fatal(err)
		}
		for range others {
			if err := x.Wait(t.Context(),
				write(t, as("o"), log, domain.Runs, "other", domain.RunClaimed{Claim: 1})); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, text := range []string{"first near", "second far", "near away third"} {
		list, err := x.Executions(t.Context(), ExecutionQuery{Organization: "o", Text: text, Limit: 10})
		if err != nil || len(list) != 1 || list[0].Claims != 2 || list[0].EndedAt.IsZero() {
			t.Errorf("%s: found %+v, %v", text, list, err)
		}
	}
}

// Forgotten rows leave no trace, and the record at which the index stood may go with them.
func TestForget(t *testing.T) {
	log := store.NewMemory()
	path := filepath.Join(t.TempDir(), "runs.db")
	x, stop := index(t, log, path)
	last := searchable(t, log)
	if err := x.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[time.Time]int{time.Now().Add(-time.Hour): 0, time.Now().Add(time.Hour): 4} {
		old, err := x.Expired(t.Context(), before, 10)
		if err != nil || len(old) != want {
			t.Fatalf("before %s ended %v, %v", before, ids(old), err)
		}
		for _, e := range old {
			if err := log.Remove(t.Context(), domain.Runs.Stream(e.ID)); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Forget(t.Context(), old); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []ExecutionQuery{{Text: "orders"}, {Text: "503"}, {Text: "arger"}, {Flow: "f"}, {}} {
		q.Organization, q.Limit = "o", 10
		for _, e := range must(x.Executions(t.Context(), q)) {
			if !e.EndedAt.IsZero() {
				t.Errorf("%+v finds %s", q, e.ID)
			}
		}
	}
	stop()
	var said bytes.Buffer
	again, err := OpenRunIndex(t.Context(), path, log, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	from, err := again.checkpoint(t.Context())
	if from != last || err != nil || said.Len() > 0 {
		t.Errorf("goes on from %d instead of %d, %v: %s", from, last, err, said.String())
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file of an older version is replaced.
func TestRunIndexOfAnotherVersion(t *testing.T) {
	log := store.NewMemory()
	path := filepath.Join(t.TempDir(), "runs.db")
	x, stop := index(t, log, path)
	if _, err := x.db.Exec(`CREATE TABLE leftover (x); PRAGMA user_version = 1`); err != nil {
		t.Fatal(err)
	}
	stop()
	x, _ = index(t, log, path)
	if err := x.Wait(t.Context(), searchable(t, log)); err != nil {
		t.Fatal(err)
	}
	if _, err := x.db.Exec(`SELECT * FROM leftover`); err == nil {
		t.Error("the file is still the old one")
	}
	if n := must(x.Count(t.Context(), ExecutionQuery{Organization: "o"})); n != 5 {
		t.Errorf("it knows %d", n)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
