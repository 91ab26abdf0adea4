package domain

import (
	"strings"
	"testing"

	"heddle/domain/definition"
)

func TestThreads(t *testing.T) {
	r := newReview(t)
	flow := r.def.Flows()[0]
	fetch := flow.Steps()[1]
	open := func(e ThreadOpened) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.OpenThread(DraftOpened{}, e, DefaultDraftLimits) }
	}
	edits := func(changes ...definition.Change) {
		t.Helper()
		r.does("ann", func(d Draft) (Changes[Draft], error) {
			return d.Edit(DraftOpened{}, changes, DefaultDraftLimits)
		})
	}
	r.does("bob", open(ThreadOpened{Thread: "t", Part: fetch.ID, Text: "Why?"}))
	r.does("bob", open(ThreadOpened{Thread: "all", Text: "Nice."}))
	r.does("bob", open(ThreadOpened{Thread: "name", Part: fetch.ID, Path: []string{"name"}, Text: "Better.",
		Suggestion: []definition.Change{{Op: definition.SetOp, Node: fetch.ID, Path: []string{"name"},
			Value: "Load"}}}))
	r.does("ann", func(d Draft) (Changes[Draft], error) {
		return d.Reply(CommentAdded{Thread: "t", Comment: "c", Text: "Because."}, DefaultDraftLimits)
	})
	r.does("ann", func(d Draft) (Changes[Draft], error) {
		return d.EditComment(CommentEdited{Thread: "t", Comment: "c", Text: "So."}, "ann", DefaultDraftLimits)
	})
	edits(definition.Change{Op: definition.MoveOp, Node: fetch.ID, Parent: flow.ID, List: "steps",
		After: flow.Steps()[2].ID},
		definition.Change{Op: definition.SetOp, Node: fetch.ID, Path: []string{"description"}, Value: "moved"})

	d := r.draft()
	if got := d.Threads[0]; got.Orphaned(d.Definition) || got.Place != `step "Fetch" of flow "Import"` ||
		len(got.Comments) != 2 || got.Comments[1].Text != "So." || got.Comments[1].EditedAt.IsZero() ||
		got.Comments[0].By != "bob" {
		t.Errorf("after a move the thread is %+v", got)
	}
	if d.Approvals(DefaultReviewPolicy) != 0 || d.Threads[1].Orphaned(d.Definition) {
		t.Error("a thread on the draft as a whole is orphaned")
	}
	r.does("ann", func(d Draft) (Changes[Draft], error) { return d.ApplySuggestion("name", DefaultDraftLimits) })
	d = r.draft()
	if applied := d.Threads[2]; d.Definition.Find(fetch.ID).Name() != "Load" || applied.AppliedBy != "ann" ||
		applied.ResolvedBy != "ann" {
		t.Errorf("applied as %+v", applied)
	}
	if changes, err := r.tries(func(d Draft) (Changes[Draft], error) {
		return d.ApplySuggestion("name", DefaultDraftLimits)
	}); len(changes) > 0 || err != nil {
		t.Errorf("applying it again gives %v, %v", changes, err)
	}
	for _, resolved := range []bool{true, true, false} {
		r.does("bob", func(d Draft) (Changes[Draft], error) { return d.Resolve("t", resolved) })
		if got := r.draft().Threads[0].ResolvedBy; (got == "bob") != resolved {
			t.Errorf("resolved %v is by %q", resolved, got)
		}
	}
	edits(definition.Change{Op: definition.RemoveOp, Node: fetch.ID})
	if d = r.draft(); !d.Threads[0].Orphaned(d.Definition) || !d.Threads[2].Orphaned(d.Definition) ||
		d.Threads[1].Orphaned(d.Definition) {
		t.Error("what a thread is about is gone, and it does not say so")
	}
}

func TestThreadRefusals(t *testing.T) {
	r := newReview(t)
	fetch := r.def.Flows()[0].Steps()[1]
	limits := DefaultDraftLimits
	limits.Comments = 3
	open := func(e ThreadOpened) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.OpenThread(DraftOpened{}, e, limits) }
	}
	rename := func(to string) []definition.Change {
		return []definition.Change{{Op: definition.SetOp, Node: fetch.ID, Path: []string{"name"}, Value: to}}
	}
	r.does("bob", open(ThreadOpened{Thread: "t", Part: fetch.ID, Text: "Why?", Suggestion: rename("Load")}))
	r.does("bob", open(ThreadOpened{Thread: "u", Text: "And?"}))
	r.does("ann", func(d Draft) (Changes[Draft], error) { return d.Edit(DraftOpened{}, rename("Get"), limits) })
	reply := func(thread, text string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			return d.Reply(CommentAdded{Thread: thread, Comment: "c", Text: text}, limits)
		}
	}
	edit := func(by, comment string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			return d.EditComment(CommentEdited{Thread: "t", Comment: comment, Text: "x"}, by, limits)
		}
	}
	for want, decide := range map[string]func(Draft) (Changes[Draft], error){
		`NOT_FOUND part: there is no part "gone" in the draft`:                                                       open(ThreadOpened{Part: "gone", Text: "x"}),
		`INVALID path: "a.b" is no place in a step: give the key of a field, or inputs and the name of an input`:     open(ThreadOpened{Part: fetch.ID, Path: []string{"a", "b"}, Text: "x"}),
		"INVALID text: must not be empty":                                                                            open(ThreadOpened{Text: " "}),
		"INVALID suggestion: it changes nothing":                                                                     open(ThreadOpened{Text: "x", Suggestion: rename("Get")}),
		"NOT_FOUND thread: Record not found: thread":                                                                 reply("gone", "x"),
		"INVALID text: has 16385 bytes; the limit is 16384":                                                          reply("t", strings.Repeat("x", limits.Comment+1)),
		"NOT_FOUND comment: Record not found: comment":                                                               edit("bob", "gone"),
		"INVALID comment: it is somebody else's; reply instead":                                                      edit("ann", "t"),
		"INVALID thread: it suggests no edit":                                                                        func(d Draft) (Changes[Draft], error) { return d.ApplySuggestion("u", limits) },
		`CONFLICT thread: name of step "Get" of flow "Import" was changed since this was suggested; edit it by hand`: func(d Draft) (Changes[Draft], error) { return d.ApplySuggestion("t", limits) },
	} {
		if changes, err := r.tries(decide); told(err) != want || len(changes) > 0 {
			t.Errorf("refused with %q, want %q", told(err), want)
		}
	}
	r.does("ann", reply("t", "x"))
	if _, err := r.tries(reply("t", "y")); told(err) != "INVALID the draft has 3 comments, as many as it may have" {
		t.Errorf("one too many: %q", told(err))
	}
	r.does("ann", Draft.Remove)
	if _, err := r.tries(reply("t", "y")); told(err) != "NOT_FOUND id: Record not found: draft" {
		t.Errorf("of a draft that has ended: %q", told(err))
	}
}
