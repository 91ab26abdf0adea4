package domain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"heddle/domain/definition"
)

// said is an event by somebody.
type said struct {
	by string
	e  Event[Draft]
}

// reviewed folds the events of several people, one second apart.
func reviewed(t *testing.T, list ...said) Draft {
	t.Helper()
	var d Draft
	for n, s := range list {
		m := metaOf(n)
		m.Actor = s.by
		d = again(t, Drafts, s.e).Evolve(d, m)
	}
	return d
}

// reviewOf is a draft that ann has edited and asked bob and eve to look at.
type reviewOf struct {
	*testing.T
	def     *definition.Part
	history []said
}

func newReview(t *testing.T) *reviewOf {
	r := &reviewOf{T: t, def: example(t, "", nil, "p")}
	r.history = []said{{"zoe", DraftOpened{Integration: "i", Base: "v1", Name: "n", Definition: r.def}}}
	r.edit("ann", "first")
	r.does("ann", func(d Draft) (Changes[Draft], error) {
		return d.RequestReview(ReviewRequested{Review: "r", Reviewers: []string{"bob", "eve"}}, DefaultDraftLimits)
	})
	return r
}

func (r *reviewOf) draft() Draft { return reviewed(r.T, r.history...) }

// tries makes a decision without recording its events.
func (r *reviewOf) tries(decide func(Draft) (Changes[Draft], error)) (Changes[Draft], error) {
	r.Helper()
	return decide(r.draft())
}

func (r *reviewOf) does(who string, decide func(Draft) (Changes[Draft], error)) {
	r.Helper()
	changes, err := r.tries(decide)
	if err != nil {
		r.Fatal(err)
	}
	for _, c := range changes {
		r.history = append(r.history, said{who, c})
	}
}

func describing(text string) []definition.Change {
	return []definition.Change{{Op: definition.SetOp, Path: []string{"description"}, Value: text}}
}

func (r *reviewOf) edit(who, text string) {
	r.Helper()
	r.does(who, func(d Draft) (Changes[Draft], error) {
		return d.Edit(DraftOpened{}, describing(text), DefaultDraftLimits)
	})
}

func (r *reviewOf) verdict(who string, approves bool) {
	r.Helper()
	r.does(who, func(d Draft) (Changes[Draft], error) {
		return d.GiveVerdict(VerdictGiven{Verdict: who + "'s", Approves: approves, Comment: "c"}, who, "",
			DefaultReviewPolicy, DefaultDraftLimits)
	})
}

func (r *reviewOf) state(want ReviewState, p ReviewPolicy) {
	r.Helper()
	if got := r.draft().ReviewState(p); got != want {
		r.Errorf("the review is %s, want %s", got, want)
	}
}

func TestReviewStates(t *testing.T) {
	two := ReviewPolicy{Approvals: 2, Bypass: []Role{Admin}}
	r := newReview(t)
	r.state(PendingReview, DefaultReviewPolicy)
	r.verdict("bob", true)
	r.state(ReviewApproved, DefaultReviewPolicy)
	r.state(PendingReview, two)
	r.verdict("eve", false)
	r.state(ReviewRejected, DefaultReviewPolicy)
	r.verdict("eve", true)
	r.state(ReviewApproved, two)

	r.edit("ann", "second") // any effect voids them
	r.state(PendingReview, DefaultReviewPolicy)
	r.edit("ann", "first") // and returning to the reviewed state does not revive them
	r.state(ReviewApproved, two)

	r.does("bob", func(d Draft) (Changes[Draft], error) { return d.WithdrawVerdict("bob") })
	r.state(PendingReview, two)
	r.does("root", func(d Draft) (Changes[Draft], error) {
		return d.DismissVerdict(VerdictDismissed{Reviewer: "eve", Reason: "left"}, Admin, two)
	})
	r.state(PendingReview, DefaultReviewPolicy)
	r.does("ann", func(d Draft) (Changes[Draft], error) { return d.WithdrawReview("later") })
	r.state(WithdrawnReview, DefaultReviewPolicy)
	if d := (Draft{}); d.ReviewState(two) != InDraft {
		t.Error("a draft that nobody was asked about is under review")
	}
}

func TestARebaseWithoutEffectKeepsVerdicts(t *testing.T) {
	elsewhere := func(def *definition.Part) *definition.Part {
		return definition.Apply(def,
			[]definition.Change{{Op: definition.SetOp, Node: def.Flows()[1].ID, Path: []string{"description"},
				Value: "upstream"}})
	}
	for name, c := range map[string]struct {
		onto func(def *definition.Part) *definition.Part
		want ReviewState
	}{
		"what it does not touch": {elsewhere, ReviewApproved},
		"the very same": {func(def *definition.Part) *definition.Part {
			return definition.Apply(def, describing("first"))
		}, PendingReview},
	} {
		r := newReview(t)
		r.verdict("bob", true)
		r.does("ann", func(d Draft) (Changes[Draft], error) {
			changes, _, err := d.Rebase(DraftOpened{Base: "v2", Definition: c.onto(r.def)}, nil)
			return changes, err
		})
		if d := r.draft(); d.ReviewState(DefaultReviewPolicy) != c.want || d.Base != "v2" ||
			d.Digest != d.ChangeDigest() {
			t.Errorf("%s: the review is %s", name, d.ReviewState(DefaultReviewPolicy))
		}
		if slices.Contains(r.draft().Authors, "bob") || !slices.Equal(r.draft().Authors, []string{"ann"}) {
			t.Errorf("%s: written by %v", name, r.draft().Authors)
		}
	}
}

func TestVerdictRefusals(t *testing.T) {
	give := func(by, seen string, approves bool, comment string, p ReviewPolicy) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			return d.GiveVerdict(VerdictGiven{Verdict: "v", Approves: approves, Comment: comment}, by, seen, p,
				DefaultDraftLimits)
		}
	}
	r := newReview(t)
	for name, c := range map[string]struct {
		decide func(Draft) (Changes[Draft], error)
		want   string
	}{
		"an author's": {give("ann", "", true, "", DefaultReviewPolicy),
			"FORBIDDEN id: you have edited this draft or asked for its review yourself; somebody else must approve it"},
		"of something else": {give("bob", "hash", true, "", DefaultReviewPolicy),
			"CONFLICT changeHash: the draft has changed since; look at it again"},
		"without feedback": {give("bob", "", false, " ", DefaultReviewPolicy),
			"INVALID comment: say what has to change, so that the authors can act on it"},
		"that says too much": {give("bob", "", false, strings.Repeat("x", DefaultDraftLimits.Comment+1),
			DefaultReviewPolicy), "INVALID comment: has 16385 bytes; the limit is 16384"},
		"dismissed by any": {func(d Draft) (Changes[Draft], error) {
			return d.DismissVerdict(VerdictDismissed{Reviewer: "bob", Reason: "r"}, Collaborator, DefaultReviewPolicy)
		}, "FORBIDDEN the review policy does not let your role dismiss verdicts"},
		"dismissed for no one": {func(d Draft) (Changes[Draft], error) {
			return d.DismissVerdict(VerdictDismissed{Reviewer: "bob", Reason: "r"}, Admin, DefaultReviewPolicy)
		}, "NOT_FOUND reviewer: Record not found: verdict"},
	} {
		if changes, err := r.tries(c.decide); told(err) != c.want || len(changes) > 0 {
			t.Errorf("%s: refused with %q, want %q", name, told(err), c.want)
		}
	}
	if _, err := r.tries(give("ann", "", true, "", ReviewPolicy{SelfApproval: true})); err != nil {
		t.Errorf("though the policy lets authors approve: %v", err)
	}
	if _, err := r.tries(give("bob", r.draft().ChangeDigest(), true, "", DefaultReviewPolicy)); err != nil {
		t.Errorf("of what the draft is: %v", err)
	}
	r.verdict("bob", true)
	if changes, err := r.tries(give("bob", "", true, "c", DefaultReviewPolicy)); err != nil || len(changes) > 0 {
		t.Errorf("said again: %v, %v", changes, err)
	}
	if _, err := r.tries(func(d Draft) (Changes[Draft], error) {
		return d.DismissVerdict(VerdictDismissed{Reviewer: "bob"}, Admin, DefaultReviewPolicy)
	}); told(err) != "INVALID reason: say why; the reviewer is told" {
		t.Errorf("dismissed without a reason: %q", told(err))
	}
	r.edit("bob", "his own") // who approves and then edits does not approve that
	r.edit("ann", "first")
	if n := r.draft().Approvals(DefaultReviewPolicy); n != 0 {
		t.Errorf("%d approvals by an author hold", n)
	}
	none := Draft{ID: "d", Origin: &definition.Part{}, Definition: r.def}
	if _, err := give("bob", "", true, "",
		DefaultReviewPolicy)(none); told(err) != "CONFLICT id: the draft is not under review; ask for one first" {
		t.Errorf("without a review: %q", told(err))
	}
	if _, err := (Draft{ID: "d", Origin: r.def, Definition: r.def}).RequestReview(ReviewRequested{},
		DefaultDraftLimits); told(err) !=
		"CONFLICT id: the draft changes nothing; edit it before you ask for a review" {
		t.Errorf("of nothing: %q", told(err))
	}
}

func TestPolicyDecidesWhoPublishes(t *testing.T) {
	close := func(d Draft, p ReviewPolicy, role Role, bypass string) (Changes[Draft], error) {
		return d.Close(DraftClosed{Version: "v2", Definition: definition.Hash(d.Definition)}, d.Definition,
			Publishing{Policy: p, Role: role, Bypass: bypass})
	}
	one := ReviewPolicy{Approvals: 1, Bypass: []Role{Admin}}
	pending := newReview(t)
	approved, rejected, withdrawn := newReview(t), newReview(t), newReview(t)
	approved.verdict("bob", true)
	rejected.verdict("bob", false)
	withdrawn.does("ann", func(d Draft) (Changes[Draft], error) { return d.WithdrawReview("") })
	const needs = "CONFLICT id: the draft needs 1 approval to be published; ask for a review"
	const rejecting = "CONFLICT id: the draft was rejected in review; change it, or have the review withdrawn"
	const waits = "CONFLICT id: the draft is under review and has 0 approvals and needs 1; withdraw the review, or wait"
	for name, c := range map[string]struct {
		draft   Draft
		policy  ReviewPolicy
		role    Role
		bypass  string
		refused string
		events  int
	}{
		"free":           {withdrawn.draft(), DefaultReviewPolicy, Collaborator, "", "", 1},
		"needs a review": {withdrawn.draft(), one, Admin, "", needs, 0},
		"approved":       {approved.draft(), one, Collaborator, "", "", 1},
		"approved, more needed": {approved.draft(), ReviewPolicy{Approvals: 2}, Admin, "",
			strings.Replace(waits, "0 approvals and needs 1", "1 approval and needs 2", 1), 0},
		"pending":  {pending.draft(), DefaultReviewPolicy, Admin, "", waits, 0},
		"rejected": {rejected.draft(), DefaultReviewPolicy, Admin, "", rejecting, 0},
		"bypassed": {rejected.draft(), one, Admin, "an outage", "", 2},
		"bypassed without right": {pending.draft(), one, Collaborator, "an outage",
			"FORBIDDEN bypassReason: the review policy does not let your role publish without it: id: " +
				waits[len("CONFLICT id: "):], 0},
		"bypassed for no reason": {pending.draft(), one, Admin, "  ", waits, 0},
		"bypassed needlessly":    {approved.draft(), one, Admin, "an outage", "", 1},
	} {
		changes, err := close(c.draft, c.policy, c.role, c.bypass)
		if told(err) != c.refused || len(changes) != c.events {
			t.Errorf("%s: %d events, refused with %q", name, len(changes), told(err))
		}
		if _, is := append(changes, nil)[0].(ReviewBypassed); is != (c.events == 2) {
			t.Errorf("%s: the bypass is no event of its own: %v", name, changes)
		}
	}
}

func TestPolicyRefusals(t *testing.T) {
	i := folded(t, Integrations, events[Integration](IntegrationCreated{}))
	for want, p := range map[string]ReviewPolicy{"INVALID approvals: must be from 0 to 20": {Approvals: -1},
		"INVALID bypass: REVIEWER can't publish; those who can are ADMIN and COLLABORATOR": {Bypass: []Role{Reviewer}}} {
		_, err := i.SetReviewPolicy(&p)
		if _, other := (Organization{}).SetReviewPolicy(p); told(err) != want || told(other) != want {
			t.Errorf("refused with %q and %q", told(err), told(other))
		}
	}
	mine, theirs := ReviewPolicy{Approvals: 1}, ReviewPolicy{Approvals: 2}
	o := Organization{Policy: &theirs}
	if PolicyOf(Organization{}, i).Approvals != 0 || PolicyOf(o, i).Approvals != 2 {
		t.Error("the organization's policy does not hold")
	}
	i.Policy = &mine
	if PolicyOf(o, i).Approvals != 1 {
		t.Error("the integration's own policy does not hold")
	}
	if changes, err := i.SetReviewPolicy(&ReviewPolicy{Approvals: 1}); len(changes) > 0 || err != nil {
		t.Errorf("setting it again: %v %v", changes, err)
	}
	if changes, err := i.SetReviewPolicy(nil); len(changes) != 1 || err != nil {
		t.Errorf("taking it away: %v %v", changes, err)
	}
}

func TestPlans(t *testing.T) {
	r := newReview(t)
	plan := func(at time.Time, hash string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			saved := d.Definition
			if hash == "another" {
				saved = definition.Blank("Another")
			}
			return d.SchedulePublish(PublishScheduled{Version: "v2", At: at, Definition: hash}, saved, start,
				Publishing{Policy: DefaultReviewPolicy, Role: Admin, Bypass: "so"})
		}
	}
	hash := definition.Hash(r.draft().Definition)
	for want, decide := range map[string]func(Draft) (Changes[Draft], error){
		"INVALID at: 2026-01-02T03:04:05Z has passed; give a time to come, or publish now": plan(
			start, hash),
		"CONFLICT id: the draft is under review and has 0 approvals and needs 1; withdraw the review, or wait": plan(
			start.Add(time.Hour), hash),
		"CONFLICT the draft was edited meanwhile; look at it again before publishing": plan(start.Add(time.Hour),
			"another"),
	} {
		if _, err := r.tries(decide); told(err) != want {
			t.Errorf("refused with %q, want %q", told(err), want)
		}
	}
	r.verdict("bob", true)
	for name, ends := range map[string]func(){
		"an edit": func() { r.edit("ann", "other") },
		"a rebase": func() {
			r.does("ann", func(d Draft) (Changes[Draft], error) {
				c, _, err := d.Rebase(DraftOpened{Base: "v2", Definition: r.def}, nil)
				return c, err
			})
		},
		"withdrawing": func() {
			r.does("ann", func(d Draft) (Changes[Draft], error) { return d.WithdrawReview("") })
		},
		"giving it up": func() {
			r.does("ann", func(d Draft) (Changes[Draft], error) { return d.UnschedulePublish("") })
		},
		"closing, and then": func() { r.does("ann", Draft.Remove) },
	} {
		before := slices.Clone(r.history)
		r.does("ann", plan(start.Add(time.Hour), hash))
		if d := r.draft(); d.Schedule == nil || d.Schedule.By != "ann" {
			t.Errorf("planned %+v", d.Schedule)
		}
		if ends(); r.draft().Schedule != nil {
			t.Errorf("%s leaves the plan", name)
		}
		r.history = before
	}
}
