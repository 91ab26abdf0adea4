package domain

import (
	"slices"
	"strings"
	"testing"

	"heddle/domain/definition"
)

// Everyone whose work is in a draft is an author, whoever brought it in: their approval does not count.
func TestAuthors(t *testing.T) {
	start := example(t, "", nil, "p")
	suggest := func(thread string, edit []definition.Change) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			return d.OpenThread(DraftOpened{}, ThreadOpened{Thread: thread, Text: "So.", Suggestion: edit},
				DefaultDraftLimits)
		}
	}
	apply := func(thread string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.ApplySuggestion(thread, DefaultDraftLimits) }
	}
	reply := func(thread string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			return d.Reply(CommentAdded{Thread: thread, Comment: "c", Text: "x"}, DefaultDraftLimits)
		}
	}
	edit := func(text string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			return d.Edit(DraftOpened{}, describing(text), DefaultDraftLimits)
		}
	}
	type act struct {
		by     string
		decide func(Draft) (Changes[Draft], error)
	}
	based := DraftOpened{Integration: "i", Base: "v1", Definition: start}
	with := func(acts ...act) []act {
		return append([]act{{"ann", suggest("t", describing("a"))}}, acts...)
	}
	rename := []definition.Change{{Op: definition.SetOp, Path: []string{"name"}, Value: "N"}}
	for name, c := range map[string]struct {
		opened DraftOpened
		acts   []act
		want   string
	}{
		"nobody yet":             {based, nil, ""},
		"the first definition's": {DraftOpened{Definition: start}, nil, "zoe"},
		"a copy of others' draft": {DraftOpened{Definition: start, Authors: []string{"ann", "zoe", "bob"}}, nil,
			"ann bob zoe"},
		"an edit":              {based, []act{{"ann", edit("a")}}, "ann"},
		"only suggested":       {based, with(), ""},
		"another's suggestion": {based, with(act{"bob", apply("t")}), "ann bob"},
		"one's own suggestion": {based, with(act{"ann", apply("t")}), "ann"},
		"replies are no work":  {based, with(act{"eve", reply("t")}, act{"bob", apply("t")}), "ann bob"},
		"several suggestions": {based, with(act{"eve", suggest("u", rename)}, act{"bob", apply("t")},
			act{"bob", apply("u")}),
			"ann bob eve"},
		"a suggestion that was undone": {based,
			with(act{"bob", apply("t")}, act{"bob", func(d Draft) (Changes[Draft], error) {
				return d.Undo(1, definition.Diff(d.Definition, start), DefaultDraftLimits)
			}}), "ann bob"},
		"a suggestion that was discarded": {based,
			with(act{"bob", apply("t")}, act{"eve", func(d Draft) (Changes[Draft], error) {
				return d.Discard(based)
			}}), "ann bob eve"},
		"a suggestion that was rebased": {based,
			with(act{"bob", apply("t")}, act{"eve", func(d Draft) (Changes[Draft], error) {
				changes, _, err := d.Rebase(DraftOpened{Base: "v2", Definition: definition.Apply(start, rename)}, nil)
				return changes, err
			}}), "ann bob"},
	} {
		history := []said{{"zoe", c.opened}}
		for _, a := range c.acts {
			changes, err := a.decide(reviewed(t, history...))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, e := range changes {
				history = append(history, said{a.by, e})
			}
		}
		full, kept := reviewed(t, history...), Draft{}
		for n, s := range history { // as the View folds it
			m := metaOf(n)
			m.Actor = s.by
			kept = s.e.Evolve(kept, m).Summarized(kept)
		}
		for _, d := range []Draft{full, kept} {
			if got := slices.Sorted(slices.Values(d.Authors)); strings.Join(got, " ") != c.want {
				t.Errorf("%s: written by %v, want %s", name, got, c.want)
			}
			for _, author := range d.Authors {
				if d.Holds(Verdict{By: author, Approves: true, Digest: d.Digest}, DefaultReviewPolicy) {
					t.Errorf("%s: the approval of %s counts", name, author)
				}
			}
		}
	}
}
