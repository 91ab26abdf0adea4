package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"heddle/domain/refusal"
)

func TestRunDecides(t *testing.T) {
	queued := RunQueued{Instance: "i", Flow: "f", Payload: Content{Inline: json.RawMessage(`1`), Size: 1}}
	claim := func(n int) RunClaimed { return RunClaimed{Claim: n, Worker: "w"} }
	step := func(claim int, path string) StepFinished { return StepFinished{Claim: claim, Path: path, Step: "s"} }
	end := func(claim int) RunFinished { return RunFinished{Claim: claim, Result: Completed} }
	given := events[Run]
	queue := func(r Run) (Changes[Run], error) { return r.Queue(queued) }
	take := func(last int) func(Run) (Changes[Run], error) {
		return func(r Run) (Changes[Run], error) { return r.Record(claim(last+1), nil, nil) }
	}
	retry := StepRetried{Claim: 1, Path: "a", Attempt: 1, Error: "no", Due: start}
	restart := RunRestarted{Claim: 1, Attempt: 1, Error: "no", Due: start}
	cancel := func(r Run) (Changes[Run], error) { return r.Cancel() }
	canceled := func(claim int) RunFinished {
		return RunFinished{Claim: claim, Result: Canceled, Error: "the execution was canceled"}
	}
	again := func(s StepFinished) StepFinished {
		s.Attempt = 1
		return s
	}
	record := func(n int, end Event[Run], paths ...string) func(Run) (Changes[Run], error) {
		var steps []StepFinished
		for _, p := range paths {
			steps = append(steps, step(99, p)) // the claim that counts is the one it is recorded under
		}
		return func(r Run) (Changes[Run], error) { return r.Record(claim(n), steps, end) }
	}
	const ended, taken = "CONFLICT the execution has ended",
		"CONFLICT another worker has claimed the execution (claim 2)"
	decides(t, Runs, map[string]row[Run]{
		"queueing":            {when: queue, then: given(queued)},
		"a repeated delivery": {given: given(queued), when: queue},
		"the same key, another request": {given: given(queued),
			when:    func(r Run) (Changes[Run], error) { return r.Queue(RunQueued{Digest: "other"}) },
			refused: "CONFLICT another request came under the same key before"},
		"after the end":   {given: given(queued, claim(1), end(1)), when: queue},
		"the first claim": {given: given(queued), when: take(0), then: given(claim(1))},
		"the next claim": {given: given(queued, claim(1), step(1, "a")), when: take(1),
			then: given(claim(2))},
		"a late claim": {given: given(queued, claim(1), RunClaimed{Claim: 2, Worker: "other"}),
			when: take(1), refused: taken},
		"a claim ahead": {given: given(queued), when: take(1),
			refused: "CONFLICT another worker has claimed the execution (claim 0)"},
		"a claim of nothing":    {when: take(0), refused: "NOT_FOUND Record not found: execution"},
		"a claim after the end": {given: given(queued, claim(1), end(1)), when: take(1), refused: ended},
		"steps": {given: given(queued, claim(1)), when: record(1, nil, "a", "b"),
			then: given(step(1, "a"), step(1, "b"))},
		"steps and the end": {given: given(queued, claim(1)), when: record(1, end(1), "a"),
			then: given(step(1, "a"), end(1))},
		"nothing": {given: given(queued, claim(1)), when: record(1, nil)},
		"a step done": {given: given(queued, claim(1), step(1, "a"), claim(2)),
			when: record(2, nil, "b", "a"), refused: "CONFLICT step a has a result already"},
		"the same step twice": {given: given(queued, claim(1)), when: record(1, nil, "a", "a"),
			refused: "CONFLICT step a has a result already"},
		"steps of an older claim": {given: given(queued, claim(1), claim(2)), when: record(1, nil, "a"),
			refused: taken},
		"an end of an older claim": {given: given(queued, claim(1), claim(2)), when: record(1, end(1)), refused: taken},
		"steps after the end":      {given: given(queued, claim(1), end(1)), when: record(1, nil, "a"), refused: ended},
		"a second end":             {given: given(queued, claim(1), end(1)), when: record(1, end(1)), refused: ended},
		"the first record claims": {given: given(queued), when: record(1, end(1), "a"),
			then: given(claim(1), step(1, "a"), end(1))},
		"another worker's record": {given: given(queued, RunClaimed{Claim: 1, Worker: "other"}),
			when:    record(1, end(1), "a"),
			refused: "CONFLICT another worker has claimed the execution (claim 1)"},
		"a step tried again": {given: given(queued, claim(1)), when: record(1, retry), then: given(retry)},
		"the flow tried again": {given: given(queued, claim(1)), when: record(1, restart, "a"),
			then: given(step(1, "a"), restart)},
		"a step of the next attempt": {given: given(queued, claim(1), step(1, "a"), restart), when: record(2, nil, "a"),
			then: given(claim(2), again(step(2, "a")))},
		"dropping what waits": {given: given(queued), when: Run.Drop,
			then: given(RunFinished{Result: Duplicate,
				Error: "another execution of the flow was waiting or running already"})},
		"dropping what runs":   {given: given(queued, claim(1)), when: Run.Drop},
		"canceling what waits": {given: given(queued), when: cancel, then: given(canceled(0))},
		"canceling what runs": {given: given(queued, claim(1), step(1, "a")), when: cancel,
			then: given(canceled(1))},
		"canceling a retry": {given: given(queued, claim(1), restart), when: cancel, then: given(canceled(1))},
		"canceling twice":   {given: given(queued, canceled(0)), when: cancel},
		"canceling the end": {given: given(queued, claim(1), end(1)), when: cancel,
			refused: "CONFLICT the execution has ended already"},
		"canceling nothing": {when: cancel, refused: "NOT_FOUND Record not found: execution"},
		"a record after canceling": {given: given(queued, claim(1), canceled(1)), when: record(1, nil, "a"),
			refused: ended},
		"another iteration's result": {given: given(queued, claim(1), step(1, "loop[1]/a")),
			when: record(1, nil, "loop[2]/a"), then: given(step(1, "loop[2]/a"))},
	})
	r := folded(t, Runs, given(queued, claim(1), step(1, "a"), claim(2), step(2, "b"), end(2)))
	var paths []string
	for _, s := range r.Steps() {
		paths = append(paths, fmt.Sprint(s.Claim, s.Path))
	}
	if got := strings.Join(paths, " "); got != "1a 2b" || r.Last().Path != "b" || r.Claims != 2 ||
		r.StartedAt != start.Add(time.Second) ||
		r.ClaimedAt != start.Add(3*time.Second) || r.FinishedAt != start.Add(5*time.Second) ||
		r.Finished.Result != Completed {
		t.Errorf("folded to %+v with steps %s", r, got)
	}
	if (Run{}).Last() != nil || len((Run{}).Steps()) != 0 {
		t.Error("a run without steps has some")
	}
}

// A long run that is shortened now and then decides as a full one, and holds few steps.
func TestBriefRunDecidesTheSame(t *testing.T) {
	by := RunClaimed{Claim: 1, Worker: "w"}
	var whole, brief Run
	add := func(e Event[Run]) {
		whole, brief = e.Evolve(whole, Meta{Aggregate: "r"}), e.Evolve(brief, Meta{Aggregate: "r"}).Brief()
	}
	add(RunQueued{})
	add(by)
	for i := range 10 * recentSteps {
		add(StepRetried{Path: "p", Name: "p"})
		add(StepFinished{Path: fmt.Sprint(i)})
		if brief.Held() > 2*recentSteps || len(brief.Steps()) != brief.Held() || len(brief.Failures()) > 0 {
			t.Fatalf("after %d steps it holds %d and %d failures", i, len(brief.Steps()), len(brief.Failures()))
		}
		for _, path := range []int{i, i + 1, i - recentSteps + 1} {
			_, long := whole.Record(by, []StepFinished{{Path: fmt.Sprint(path)}}, nil)
			if _, short := brief.Record(by, []StepFinished{{Path: fmt.Sprint(path)}},
				nil); refusal.CodeOf(long) != refusal.CodeOf(short) {
				t.Fatalf("after %d steps, recording %d gives %v, and whole %v", i, path, short, long)
			}
		}
	}
	if whole.Held() != 10*recentSteps || whole.Last().Path != brief.Last().Path {
		t.Errorf("the whole one holds %d, the last is %s and %s", whole.Held(), whole.Last().Path, brief.Last().Path)
	}
}

func TestStateDecides(t *testing.T) {
	save := func(key, value, path string) ValueSaved {
		return ValueSaved{Scope: "flow", Key: key, Value: json.RawMessage(value), Run: "r", Path: path}
	}
	saving := func(e ValueSaved) func(State) (Changes[State], error) {
		return func(s State) (Changes[State], error) { return s.Save(e) }
	}
	removed := ValueRemoved{Scope: "flow", Key: "k", Run: "r", Path: "q"}
	remove := func(s State) (Changes[State], error) { return s.Remove(removed) }
	var full []Event[State]
	for i := range SnapshotEvery {
		full = append(full, save("k", fmt.Sprint(i), "p"))
	}
	snapshot := StateSnapshot{Scopes: map[string]map[string]StateValue{"flow": {"k": {Value: json.RawMessage(
		fmt.Sprint(SnapshotEvery - 1)), Run: "r", Path: "p"}}}}
	snapshot.Writes = []StateWrite{{Scope: "flow", Key: "k", Value: json.RawMessage(fmt.Sprint(SnapshotEvery - 1)),
		Run: "r", Path: "p"}}
	given := events[State]
	elsewhere := save("k", "1", "p")
	elsewhere.Scope = "crossFlow"
	of := func(run string, e ValueSaved) ValueSaved { e.Run = run; return e }
	saved, other := save("k", "1", "p"), of("b", save("k", "2", "p"))
	mine, others := removed, removed
	mine.Path, others.Run = "p", "b"
	snap := func(s State) (Changes[State], error) { changes, _ := s.Snapshot(nil); return changes, nil }
	decides(t, States, map[string]row[State]{
		"again after another run": {given: given(saved, other), when: saving(saved)},
		"the next step after another": {given: given(saved, other), when: saving(save("k", "3", "q")),
			then: given(save("k", "3", "q"))},
		"another key after another run": {given: given(saved, other), when: saving(save("j", "1", "p")),
			then: given(save("j", "1", "p"))},
		"again after another's removal": {given: given(saved, others), when: saving(saved)},
		"removing again after another": {given: given(saved, mine, other),
			when: func(s State) (Changes[State], error) { return s.Remove(mine) }},
		"saving after removing": {given: given(other, mine), when: saving(saved), then: given(saved)},
		"again after a snapshot": {given: given(
			StateSnapshot{Writes: []StateWrite{{Scope: "flow", Key: "k", Run: "r", Path: "p"}}}, other),
			when: saving(saved)},
		"a new value":         {when: saving(save("k", "1", "p")), then: given(save("k", "1", "p"))},
		"the same step again": {given: given(save("k", "1", "p")), when: saving(save("k", "1", "p"))},
		"the same value, other step": {given: given(save("k", "1", "p")), when: saving(save("k", "1", "q")),
			then: given(save("k", "1", "q"))},
		// the first write stands
		"the same step, other value": {given: given(save("k", "1", "p")), when: saving(save("k", "2", "p"))},
		"another scope": {given: given(save("k", "1", "p")), when: saving(elsewhere),
			then: given(elsewhere)},
		"a value after removing": {given: given(save("k", "1", "p"), removed), when: saving(save("k", "1", "p")),
			then: given(save("k", "1", "p"))},
		"no key":                      {when: saving(save("", "1", "p")), refused: "INVALID key: must not be empty"},
		"removing":                    {given: given(save("k", "1", "p")), when: remove, then: given(removed)},
		"removing what is not there":  {when: remove},
		"removing again":              {given: given(save("k", "1", "p"), removed), when: remove},
		"removing from another scope": {given: given(elsewhere), when: remove},
		"a snapshot too early":        {given: full[1:], when: snap},
		"a snapshot":                  {given: full, when: snap, then: given(snapshot)},
		"a snapshot again":            {given: given(snapshot), when: snap},
	})
	s := folded(t, States, append(full, snapshot, save("j", "2", "p"), removed))
	if len(s.Writers()) != 1 {
		t.Errorf("writers are %v", s.Writers())
	}
	s.writes = nil
	want := State{Since: 2,
		Scopes: map[string]map[string]StateValue{"flow": {"j": {Value: json.RawMessage("2"), Run: "r", Path: "p"}}}}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(State{}, parts{})); diff != "" {
		t.Error(diff)
	}
}

// Whoever writes in between, and wherever snapshots are made: each write of a step is made once, a repeated
// step gets its own earlier value, and a snapshot holds no more than that needs.
func TestWritesAreMadeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s State
		values := map[string]string{}                // by key, as expected
		at := map[string]int{"a": 0, "b": 0, "c": 0} // the current step of each run
		done := map[string]map[string]string{}       // by run: writes of its step, by key
		step := func(run string) string { return fmt.Sprintf("loop[%d]/save", at[run]) }
		runs, keys := rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"x", "y"})
		for n := range rapid.IntRange(0, 60).Draw(t, "actions") {
			run, key := runs.Draw(t, "run"), keys.Draw(t, "key")
			if done[run] == nil {
				done[run] = map[string]string{}
			}
			var changes Changes[State]
			var err error
			switch rapid.IntRange(0, 5).Draw(t, "action") {
			case 0:
				at[run]++
				done[run] = nil
			case 1:
				s.Since = SnapshotEvery
				ended := map[string]bool{run: at[run] > 3}
				changes, _ = s.Snapshot(ended)
				if ended[run] { // it never comes again
					at[run], done[run] = at[run]+1000, nil
				}
			case 2:
				if old, did := done[run]["-"+key]; !did && values[key] != "" {
					done[run]["-"+key], values[key] = old, ""
				}
				changes, err = s.Remove(ValueRemoved{Key: key, Run: run, Path: step(run)})
			default:
				e := ValueSaved{Key: key, Value: json.RawMessage(fmt.Sprint(n + 1)), Run: run, Path: step(run)}
				old, did := done[run][key]
				if value, again := s.Saved(e); again != did || string(value) != old {
					t.Fatalf("%s of %s knows of %q, %v, and should of %q, %v", e.Path, run, value, again, old, did)
				}
				if !did {
					done[run][key], values[key] = string(e.Value), string(e.Value)
				}
				changes, err = s.Save(e)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				s = c.Evolve(s, Meta{})
			}
			for _, key := range []string{"x", "y"} {
				if got := string(s.Scopes[""][key].Value); got != values[key] {
					t.Fatalf("%s is %q, not %q", key, got, values[key])
				}
			}
		}
		s.Since = SnapshotEvery
		changes, large := s.Snapshot(nil)
		if large || len(changes) != 1 || len(changes[0].(StateSnapshot).Writes) > 3*4 {
			t.Fatalf("a snapshot is %+v, %t", changes, large)
		}
	})
}

// A large snapshot in parts, with writes and snapshots of others between them: a reader of everything and a
// reader from its first part on end with the same state; no write is lost or repeated.
func TestLargeSnapshotsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all, plain State // plain is without snapshots
		var log []Event[State]
		places, firsts := map[string]SnapshotPlace{}, map[string]int{}
		append1 := func(changes Changes[State]) {
			for _, e := range changes {
				all = e.Evolve(all, Meta{})
				log = append(log, e)
				switch e.(type) {
				case ValueSaved, ValueRemoved:
					plain = e.Evolve(plain, Meta{})
				}
			}
		}
		big := json.RawMessage(`"` + strings.Repeat("v", snapshotPart/2) + `"`)
		for n := range rapid.IntRange(50, 150).Draw(t, "actions") {
			key, run := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t,
				"key"), rapid.SampledFrom([]string{"r", "s"}).Draw(t, "run")
			path := fmt.Sprint("step", n/10)
			switch by := rapid.SampledFrom([]string{"", "", "-", "one", "one", "two"}).Draw(t, "action"); by {
			case "":
				value := json.RawMessage(fmt.Sprint(n))
				if n%2 == 0 {
					value = big
				}
				changes, err := all.Save(ValueSaved{Scope: "x", Key: key, Value: value, Run: run, Path: path})
				if err != nil {
					t.Fatal(err)
				}
				append1(changes)
			case "-":
				changes, _ := all.Remove(ValueRemoved{Scope: "x", Key: key, Run: run, Path: path})
				append1(changes)
			default:
				at, going := places[by]
				if !going {
					at, all.Since = SnapshotPlace{ID: fmt.Sprint(by, n)}, SnapshotEvery
					firsts[by] = len(log)
				}
				changes, next := all.SnapshotPart(at, nil)
				append1(changes)
				if places[by] = next; len(changes) == 0 || next.Closed {
					delete(places, by)
				}
				if !next.Closed {
					continue
				}
				log = log[firsts[by]:] // truncated
				for other := range firsts {
					firsts[other] -= firsts[by]
				}
				var short State
				for _, e := range log {
					short = e.Evolve(short, Meta{})
				}
				short.Since = all.Since
				if len(plain.Scopes["x"])+len(short.Scopes["x"]) > 0 && !reflect.DeepEqual(plain.Scopes["x"],
					short.Scopes["x"]) || !reflect.DeepEqual(plain.repeatable(nil), short.repeatable(nil)) {
					t.Fatalf("%d events tell something else than all", len(log))
				}
				all = short
			}
		}
	})
}

// The state folded after a snapshot equals the state folded without it.
func TestSnapshotsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var whole, short State
		for n := range rapid.IntRange(0, 30).Draw(t, "events") {
			key, scope := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t,
				"key"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "scope")
			var e Event[State] = ValueSaved{Scope: scope, Key: key, Value: json.RawMessage(fmt.Sprint(n))}
			if rapid.Bool().Draw(t, "remove") {
				e = ValueRemoved{Scope: scope, Key: key}
			}
			whole, short = e.Evolve(whole, Meta{}), e.Evolve(short, Meta{})
			if rapid.Bool().Draw(t, "snapshot") {
				short = StateSnapshot{Scopes: short.Scopes}.Evolve(short, Meta{})
			}
		}
		if diff := cmp.Diff(whole.Scopes, short.Scopes); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPartIDs(t *testing.T) {
	id := rapid.Custom(func(t *rapid.T) string {
		return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String()
	})
	rapid.Check(t, func(t *rapid.T) {
		instance, flow := id.Draw(t, "instance"), id.Draw(t, "flow")
		gotInstance, gotFlow, ok := ParsePartID(PartID(instance, flow))
		if !ok || gotInstance != instance || gotFlow != flow {
			t.Fatalf("%s and %s came back as %s and %s, %v", instance, flow, gotInstance, gotFlow, ok)
		}
	})
	// An id that parses has one spelling only, so that one trigger never has two addresses.
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-fA-F]{64}`),
			rapid.StringMatching(`[0-9a-f-]{64}`), rapid.StringMatching(`[{]?[0-9a-f]{30,66}[}]?`)).Draw(t, "text")
		if instance, flow, ok := ParsePartID(text); ok && PartID(instance, flow) != text {
			t.Fatalf("%q is read as %s and %s", text, instance, flow)
		}
	})
	for _, bad := range []string{"", "x", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("g", 64),
		strings.Repeat("A", 64), PartID(uuid.NewString(), "")} {
		if _, _, ok := ParsePartID(bad); ok {
			t.Errorf("%q is read", bad)
		}
	}
	if got := TriggerURL("http://x", "a-b", "c-d"); got != "http://x/trigger/abcd" {
		t.Errorf("the URL is %s", got)
	}
}

// A claim that hands the run back to wait is not cut off; a finished step needs no record of its failed
// attempts.
func TestRunClaimsCutOff(t *testing.T) {
	var r Run
	for _, e := range []Event[Run]{RunQueued{}, RunClaimed{Claim: 1}, StepRetried{Path: "a", Attempt: 1},
		RunClaimed{Claim: 2}, StepFinished{Path: "a"}, RunClaimed{Claim: 3}, RunClaimed{Claim: 4},
		RunRestarted{Attempt: 1}, RunClaimed{Claim: 5}} {
		r = e.Evolve(r, Meta{Aggregate: "r"})
	}
	if r.CutOff != 2 || len(r.retried) != 0 {
		t.Errorf("%d claims were cut off, %d failed attempts are kept", r.CutOff, len(r.retried))
	}
	before := StepRetried{Path: "b", Attempt: 2}.Evolve(r, Meta{})
	if after := (StepFinished{Path: "b"}).Evolve(before, Meta{}); after.Retried("b").Attempt != 0 ||
		before.Retried("b").Attempt != 2 {
		t.Error("finishing a step edits the state before it")
	}
}

func TestSupersede(t *testing.T) {
	queued := RunQueued{Request: "a"}.Evolve(Run{}, Meta{Aggregate: "r"})
	claimed := RunClaimed{Claim: 1, Worker: "w"}.Evolve(queued, Meta{})
	restarted := RunRestarted{Claim: 1, Attempt: 1, Error: "no"}.Evolve(claimed, Meta{})
	superseded := RunSuperseded{By: "s"}
	for name, c := range map[string]struct {
		run  Run
		want Changes[Run]
	}{
		"not there":     {Run{}, nil},
		"not begun":     {queued, Changes[Run]{superseded}},
		"under way":     {claimed, Changes[Run]{superseded}},
		"waits":         {restarted, Changes[Run]{superseded, RunFinished{Claim: 1, Result: Failed, Error: "no"}}},
		"begun again":   {RunClaimed{Claim: 2}.Evolve(restarted, Meta{}), Changes[Run]{superseded}},
		"a second time": {superseded.Evolve(restarted, Meta{}), nil},
		"ended":         {RunFinished{}.Evolve(claimed, Meta{}), nil},
	} {
		got, err := c.run.Supersede("s")
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	got, err := superseded.Evolve(claimed, Meta{}).Record(RunClaimed{Claim: 1, Worker: "w"}, nil,
		RunRestarted{Claim: 1, Attempt: 1, Error: "no"})
	if diff := cmp.Diff(Changes[Run]{RunFinished{Claim: 1, Result: Failed, Error: "no"}}, got); diff != "" ||
		err != nil {
		t.Errorf("a failure afterwards: %v %s", err, diff)
	}
}

// Claims are cut off one after another only as long as no step is finished under them.
func TestRunCutOffsWithoutProgress(t *testing.T) {
	var r Run
	for claim, finishes := range []bool{false, false, true, false, false} {
		r = RunClaimed{Claim: claim + 1}.Evolve(r, Meta{Aggregate: "r"})
		if finishes {
			r = StepFinished{Path: "a"}.Evolve(r, Meta{})
		}
	}
	if r.CutOff != 2 {
		t.Errorf("%d claims were cut off since the step finished", r.CutOff)
	}
	if r = (RunReleased{}).Evolve(r, Meta{}); (RunClaimed{Claim: 6}).Evolve(r, Meta{}).CutOff != 2 ||
		(RunClaimed{Claim: 6, Again: true}).Evolve(r, Meta{}).CutOff != 3 {
		t.Error("what is handed back counts, or what may have been begun before does not")
	}
}
