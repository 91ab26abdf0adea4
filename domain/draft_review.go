package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Review is a request for review and its verdicts.
type Review struct {
	ID          string
	By          string
	At          time.Time
	Reviewers   []string // users that were asked; others may give verdicts, too
	Note        string
	Link        string
	Verdicts    []Verdict // one per reviewer, in order
	WithdrawnAt time.Time // zero while it is open
	WithdrawnBy string
}

// Verdict is a reviewer's judgement of a draft. It holds as long as the draft's changes are the same.
type Verdict struct {
	ID        string
	By        string
	At        time.Time
	Approves  bool
	Comment   string
	Digest    string           // see [Draft.ChangeDigest]
	Saw       *definition.Part // the definition as reviewed; nil in the View
	Dismissed *Dismissal       // set once somebody has dismissed it
}

// Dismissal voids a verdict.
type Dismissal struct {
	By     string
	At     time.Time
	Reason string
}

// ReviewState is the progress of a draft's review.
type ReviewState string

// The states of a review.
const (
	InDraft         ReviewState = "DRAFT" // no review was requested
	PendingReview   ReviewState = "PENDING"
	ReviewApproved  ReviewState = "APPROVED"
	ReviewRejected  ReviewState = "REJECTED"
	WithdrawnReview ReviewState = "WITHDRAWN"
)

// ReviewRequested requests a review or, while one is open, adds reviewers and a note.
type ReviewRequested struct {
	Review    string   `json:"review"` // id
	Reviewers []string `json:"reviewers,omitempty"`
	Note      string   `json:"note,omitempty"`
	Link      string   `json:"link,omitempty"`
	Digest    string   `json:"digest"` // digest of all changes of the draft
}

// Evolve implements [Event].
func (e ReviewRequested) Evolve(d Draft, m Meta) Draft {
	r := Review{ID: e.Review, By: m.Actor, At: m.Time}
	if d.UnderReview() {
		r = *d.Review
	}
	r.Reviewers, r.Note, r.Link = e.Reviewers, e.Note, e.Link
	d.Review, d.Digest = &r, e.Digest
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (ReviewRequested) Touches() []string { return nil }

// ReviewWithdrawn ends a review without a result.
type ReviewWithdrawn struct {
	Reason string `json:"reason,omitempty"`
}

// Evolve implements [Event].
func (e ReviewWithdrawn) Evolve(d Draft, m Meta) Draft {
	r := d.review()
	r.WithdrawnAt, r.WithdrawnBy = m.Time, m.Actor
	d.Review, d.Digest = &r, ""
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (ReviewWithdrawn) Touches() []string { return nil }

// ReviewBypassed publishes the draft although its review or the policy does not allow it.
type ReviewBypassed struct {
	Reason string `json:"reason"`
}

// Evolve implements [Event].
func (ReviewBypassed) Evolve(d Draft, _ Meta) Draft { return d }

// VerdictGiven records a reviewer's verdict. It replaces the reviewer's previous one.
type VerdictGiven struct {
	Verdict  string `json:"verdict"` // id
	Approves bool   `json:"approves"`
	Comment  string `json:"comment,omitempty"`
	Digest   string `json:"digest"` // digest of the draft's changes at the time
}

// Evolve implements [Event].
func (e VerdictGiven) Evolve(d Draft, m Meta) Draft {
	d = withoutVerdict(d, m.Actor)
	d.Review.Verdicts = append(d.Review.Verdicts, Verdict{ID: e.Verdict, By: m.Actor, At: m.Time, Approves: e.Approves,
		Comment: e.Comment, Digest: e.Digest, Saw: d.Definition})
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (VerdictGiven) Touches() []string { return nil }

// VerdictWithdrawn takes back the actor's own verdict.
type VerdictWithdrawn struct{}

// Evolve implements [Event].
func (VerdictWithdrawn) Evolve(d Draft, m Meta) Draft { return withoutVerdict(d, m.Actor) }

// Touches returns nothing: no edit conflicts with it.
func (VerdictWithdrawn) Touches() []string { return nil }

// VerdictDismissed voids a reviewer's verdict.
type VerdictDismissed struct {
	Reviewer string `json:"reviewer"`
	Reason   string `json:"reason"`
}

// Evolve implements [Event].
func (e VerdictDismissed) Evolve(d Draft, m Meta) Draft {
	r := d.review()
	r.Verdicts = slices.Clone(r.Verdicts)
	for i := range r.Verdicts {
		if r.Verdicts[i].By == e.Reviewer {
			r.Verdicts[i].Dismissed = &Dismissal{By: m.Actor, At: m.Time, Reason: e.Reason}
		}
	}
	d.Review = &r
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (VerdictDismissed) Touches() []string { return nil }

// ChangeDigest is a hash of all that the draft changes of its base. It does not depend on the rest of the base,
// so a rebase without effect keeps it.
func (d Draft) ChangeDigest() string { return changeDigest(d.Origin, d.Definition) }

func changeDigest(origin, def *definition.Part) string {
	changes, err := json.Marshal(definition.Diff(origin, def))
	if err != nil {
		panic("domain: changes that can't be encoded: " + err.Error()) // they come from events
	}
	sum := sha256.Sum256(changes)
	return hex.EncodeToString(sum[:])
}

// digestOf returns the digest for an edit's event: empty unless a verdict can bind to it.
func digestOf(d Draft, origin, definition *definition.Part) string {
	if !d.UnderReview() {
		return ""
	}
	return changeDigest(origin, definition)
}

// UnderReview reports whether a review was requested and not withdrawn.
func (d Draft) UnderReview() bool { return d.Review != nil && d.Review.WithdrawnAt.IsZero() }

// review returns a copy of the draft's review.
func (d Draft) review() Review {
	if d.Review == nil {
		return Review{}
	}
	return *d.Review
}

func withoutVerdict(d Draft, by string) Draft {
	r := d.review()
	r.Verdicts = slices.DeleteFunc(slices.Clone(r.Verdicts), func(v Verdict) bool { return v.By == by })
	d.Review = &r
	return d
}

// Holds reports whether a verdict of the draft's review counts: the draft's changes are the same, nobody
// dismissed it, and an approving reviewer is no author, unless the policy allows it.
func (d Draft) Holds(v Verdict, p ReviewPolicy) bool {
	return v.Digest == d.Digest && v.Dismissed == nil && (!v.Approves || p.SelfApproval || !d.Authored(v.By))
}

// Authored reports whether a user has edited the draft or asked for its review.
func (d Draft) Authored(user string) bool {
	return slices.Contains(d.Authors, user) || d.Review != nil && d.Review.By == user
}

// Awaits reports whether a user was asked for a review and has no verdict that holds.
func (d Draft) Awaits(user string, p ReviewPolicy) bool {
	if !d.UnderReview() || !slices.Contains(d.Review.Reviewers, user) {
		return false
	}
	v, given := d.Review.verdict(user)
	return !given || !d.Holds(v, p)
}

// Approvals counts the approvals that hold.
func (d Draft) Approvals(p ReviewPolicy) (n int) {
	if d.UnderReview() {
		for _, v := range d.Review.Verdicts {
			if v.Approves && d.Holds(v, p) {
				n++
			}
		}
	}
	return n
}

// ReviewState returns the progress of the draft's review under a policy.
func (d Draft) ReviewState(p ReviewPolicy) ReviewState {
	switch {
	case d.Review == nil:
		return InDraft
	case !d.UnderReview():
		return WithdrawnReview
	case slices.ContainsFunc(d.Review.Verdicts, func(v Verdict) bool { return !v.Approves && d.Holds(v, p) }):
		return ReviewRejected
	case d.Approvals(p) >= max(1, p.Approvals):
		return ReviewApproved
	}
	return PendingReview
}

// RequestReview asks people to review the draft's changes. Asking again while a review is open changes the
// reviewers and the digest; the verdicts stay.
func (d Draft) RequestReview(e ReviewRequested, limits DraftLimits) (Changes[Draft], error) {
	if err := d.editable(); err != nil {
		return nil, err
	}
	if len(definition.Diff(d.Origin, d.Definition)) == 0 {
		return nil, refusal.ForField(refusal.Conflict, "id",
			"the draft changes nothing; edit it before you ask for a review")
	}
	if err := limits.allowComment("note", e.Note); err != nil {
		return nil, err
	}
	e.Digest = d.ChangeDigest()
	if d.UnderReview() {
		r := d.Review
		if e.Review = r.ID; slices.Equal(r.Reviewers, e.Reviewers) && r.Note == e.Note && r.Link == e.Link &&
			d.Digest == e.Digest {
			return nil, nil
		}
	}
	return Changes[Draft]{e}, nil
}

// WithdrawReview ends the review. Withdrawing twice changes nothing.
func (d Draft) WithdrawReview(reason string) (Changes[Draft], error) {
	if err := d.editable(); err != nil {
		return nil, err
	}
	if !d.UnderReview() {
		return nil, nil
	}
	changes := Changes[Draft]{ReviewWithdrawn{Reason: reason}}
	if d.Schedule != nil {
		changes = append(changes, PublishUnscheduled{Reason: "the review was withdrawn"})
	}
	return changes, nil
}

// GiveVerdict records a user's verdict. seen is the digest of the changes that they looked at: if the draft's
// changes differ by now, the verdict is refused.
func (d Draft) GiveVerdict(e VerdictGiven, by, seen string, p ReviewPolicy,
	limits DraftLimits) (Changes[Draft], error) {
	if err := d.reviewable(); err != nil {
		return nil, err
	}
	if err := limits.allowComment("comment", e.Comment); err != nil {
		return nil, err
	}
	switch e.Digest = d.ChangeDigest(); {
	case seen != "" && seen != e.Digest:
		return nil, refusal.ForField(refusal.Conflict, "changeHash", "the draft has changed since; look at it again")
	case !e.Approves && strings.TrimSpace(e.Comment) == "":
		return nil, refusal.ForField(refusal.Invalid, "comment",
			"say what has to change, so that the authors can act on it")
	case e.Approves && !p.SelfApproval && d.Authored(by):
		return nil, refusal.ForField(refusal.Forbidden, "id",
			"you have edited this draft or asked for its review yourself; somebody else must approve it")
	}
	for _, v := range d.Review.Verdicts {
		if v.By == by && v.Approves == e.Approves && v.Comment == e.Comment && v.Digest == e.Digest &&
			v.Dismissed == nil {
			return nil, nil
		}
	}
	return Changes[Draft]{e}, nil
}

// WithdrawVerdict takes back a user's own verdict.
func (d Draft) WithdrawVerdict(by string) (Changes[Draft], error) {
	if err := d.reviewable(); err != nil {
		return nil, err
	}
	if _, ok := d.Review.verdict(by); !ok {
		return nil, nil
	}
	return Changes[Draft]{VerdictWithdrawn{}}, nil
}

// DismissVerdict voids a reviewer's verdict, for a reason.
func (d Draft) DismissVerdict(e VerdictDismissed, as Role, p ReviewPolicy) (Changes[Draft], error) {
	if err := d.reviewable(); err != nil {
		return nil, err
	}
	v, ok := d.Review.verdict(e.Reviewer)
	switch {
	case !slices.Contains(p.Bypass, as):
		return nil, refusal.New(refusal.Forbidden, "the review policy does not let your role dismiss verdicts")
	case !ok:
		return nil, refusal.ForField(refusal.NotFound, "reviewer", "Record not found: verdict")
	case strings.TrimSpace(e.Reason) == "":
		return nil, refusal.ForField(refusal.Invalid, "reason", "say why; the reviewer is told")
	case v.Dismissed != nil:
		return nil, nil
	}
	return Changes[Draft]{e}, nil
}

func (r *Review) verdict(by string) (Verdict, bool) {
	i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.By == by })
	if i < 0 {
		return Verdict{}, false
	}
	return r.Verdicts[i], true
}

func (d Draft) reviewable() error {
	if err := d.editable(); err != nil {
		return err
	}
	if !d.UnderReview() {
		return refusal.ForField(refusal.Conflict, "id", "the draft is not under review; ask for one first")
	}
	return nil
}
