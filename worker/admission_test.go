package worker

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"heddle/domain"
	"heddle/projections"
	"heddle/store"
)

func TestAdmit(t *testing.T) {
	began := func(run string) unfinished { return unfinished{run: run, began: true} }
	waits := func(run string) unfinished { return unfinished{run: run} }
	like := func(run, key string) unfinished { return unfinished{run: run, duplicate: key} }
	for name, c := range map[string]struct {
		queuePolicy
		runs              []unfinished
		admitted, dropped string
	}{
		"no limit":          {queuePolicy{}, []unfinished{waits("a"), began("b"), waits("c")}, "a b c", ""},
		"one after another": {queuePolicy{limit: 1}, []unfinished{waits("a"), waits("b")}, "a", ""},
		"one is at it":      {queuePolicy{limit: 1}, []unfinished{began("a"), waits("b")}, "a", ""},
		"one was let in out of order": {queuePolicy{limit: 1}, []unfinished{waits("a"), began("b"), waits("c")}, "a b",
			""},
		"a few at once": {queuePolicy{limit: 2}, []unfinished{began("a"), waits("b"), waits("c")}, "a b",
			""},
		"no second": {queuePolicy{limit: 1, singleton: true},
			[]unfinished{began("a"), waits("b"), waits("c")}, "a", "b c"},
		"duplicates": {queuePolicy{limit: 1}, []unfinished{began("a"), like("b", "k"), like("c", "k"),
			like("d", "l")}, "a", "c"},
		"a duplicate of what began":    {queuePolicy{}, []unfinished{{"a", true, "k"}, like("b", "k")}, "a", "b"},
		"what began is never a double": {queuePolicy{}, []unfinished{like("a", "k"), {"b", true, "k"}}, "a b", ""},
		"nothing waits":                {queuePolicy{limit: 1}, nil, "", ""},
	} {
		admitted, dropped := c.admit(c.runs)
		if got := strings.Join(admitted, " "); got != c.admitted || strings.Join(dropped, " ") != c.dropped {
			t.Errorf("%s: admitted %s, dropped %s", name, got, dropped)
		}
	}
}

// queued triggers a flow often, with bodies 0, 1, 2 …, while its first run is held until those that
// are dropped have ended, and returns the runs and how many were under way at once.
func (h *harness) queued(settings string, times int, dropped ...int) (runs []domain.Run, most int) {
	h.t.Helper()
	h.probe.block["hold"] = make(chan struct{})
	hold := step("hold", "effect", "")
	_, urls := h.deploy(integrationOf(flow("Main", settings, "", hold)))
	h.start()
	var ids []string
	for i := range times {
		ids = append(ids, h.post(urls["Main"], "application/json",
			fmt.Sprintf(`{"key": "k%d"}`, i/2)).Header().Get(ExecutionHeader))
	}
	<-h.probe.began
	for _, i := range dropped {
		h.ended(ids[i])
	}
	close(h.probe.block["hold"])
	for _, id := range ids {
		runs = append(runs, h.ended(id))
	}
	var starts, ends []domain.Run
	starts, ends = slices.Clone(runs), slices.Clone(runs)
	slices.SortFunc(starts, func(a, b domain.Run) int { return a.StartedAt.Compare(b.StartedAt) })
	slices.SortFunc(ends, func(a, b domain.Run) int { return a.FinishedAt.Compare(b.FinishedAt) })
	under, next := 0, 0
	for _, s := range starts {
		for ; next < len(ends) && ends[next].FinishedAt.Before(s.StartedAt); next++ {
			under--
		}
		under++
		most = max(most, under)
	}
	return runs, most
}

// A duplicate of a run that has begun is dropped, not kept waiting for it.
func TestDuplicateOfWhatBegan(t *testing.T) {
	h := newHarness(t)
	h.probe.block["hold"] = make(chan struct{})
	_, urls := h.deploy(integrationOf(flow("Main",
		"    queueConfig: {usesFifoQueue: true, dedupeIdField: {type: reference, value: hook.results.body.data.key}}\n",
		"", step("hold", "effect", ""))))
	h.start()
	post := func() string {
		return h.post(urls["Main"], "application/json", `{"key": "k"}`).Header().Get(ExecutionHeader)
	}
	first := post()
	<-h.probe.began
	for started := false; !started; { // until the index knows it
		e, ok, err := h.Runs.Execution(h.ctx, h.organization, first)
		if err != nil {
			t.Fatal(err)
		}
		started = ok && e.Claims > 0
	}
	if r := h.ended(post()); r.Finished.Result != domain.Duplicate {
		t.Errorf("the second ended %+v", r.Finished)
	}
	close(h.probe.block["hold"])
	if r := h.ended(first); r.Finished.Result != domain.Completed {
		t.Errorf("the first ended %+v", r.Finished)
	}
}

func TestQueueConfig(t *testing.T) {
	t.Run("one after another", func(t *testing.T) {
		runs, most := newHarness(t).queued("    queueConfig: {usesFifoQueue: true}\n", 8)
		if most != 1 || !slices.IsSortedFunc(runs, func(a, b domain.Run) int {
			return a.StartedAt.Compare(b.StartedAt)
		}) {
			t.Errorf("%d at once, in the order %v", most, runs)
		}
	})
	t.Run("two at once", func(t *testing.T) {
		if _, most := newHarness(t).queued("    queueConfig: {usesFifoQueue: true, concurrencyLimit: 2}\n",
			8); most > 2 {
			t.Errorf("%d at once", most)
		}
	})
	t.Run("no duplicates", func(t *testing.T) {
		runs, _ := newHarness(t).queued("    queueConfig: {usesFifoQueue: true, dedupeIdField: {type: reference, value: hook.results.body.data.key}}\n", 6, 1, 3, 5)
		var results []string
		for _, r := range runs {
			results = append(results, string(r.Finished.Result))
		}
		if got := strings.Join(results, " "); got != strings.TrimSpace(strings.Repeat("COMPLETED CANCELED_AS_DUPLICATE ", 3)) {
			t.Errorf("ended %s", got)
		}
	})
	t.Run("only one", func(t *testing.T) {
		runs, _ := newHarness(t).queued("    queueConfig: {singletonExecutions: true}\n", 3, 1, 2)
		if runs[0].Finished.Result != domain.Completed || runs[1].Finished.Result != domain.Duplicate ||
			runs[2].Finished.Result != domain.Duplicate {
			t.Errorf("ended %+v, %+v and %+v", runs[0].Finished, runs[1].Finished, runs[2].Finished)
		}
	})
}

// A run that is in the log is not refused because older ones could not be looked for: that is logged.
func TestNewerRequestIsAcceptedWithoutTheIndex(t *testing.T) {
	h := newHarness(t)
	var told bytes.Buffer
	h.Logger = slog.New(slog.NewTextHandler(&told, nil))
	file := filepath.Join(t.TempDir(), "runs.db")
	runs, err := projections.OpenRunIndex(t.Context(), file, h.Log, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() { _ = runs.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		reader.Wait()
		if err := runs.Close(); err != nil {
			t.Error(err)
		}
	})
	<-runs.CaughtUp()
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`DROP INDEX requests_by_request`); err != nil {
		t.Fatal(err)
	}
	h.Worker.Runs = runs
	_, urls := h.deploy(integrationOf(flow("Main",
		"    retryConfig: {maxAttempts: 1, uniqueRequestIdField: {type: reference, value: hook.results.body.data}}\n",
		"", "")))
	run := h.queueOnly(urls["Main"]) // answered 200
	if state, _, err := store.Load(h.ctx, h.Log, domain.Runs, run); err != nil || state.Queued.Request != "x" {
		t.Errorf("accepted %+v, %v", state.Queued, err)
	}
	if !strings.Contains(told.String(), "level=WARN") || !strings.Contains(told.String(), run) ||
		!strings.Contains(told.String(), "requests_by_request") {
		t.Errorf("told %s", told.String())
	}
}
