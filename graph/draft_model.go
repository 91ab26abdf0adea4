package graph

import (
	"context"
	"encoding/json"
	"time"

	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/store"
)

// Draft is a draft as the View has it; what is not in memory is read on use.
type Draft struct {
	domain.Draft
	r           *Resolver
	integration domain.Integration
	past        *pastDraft // nil for now
}

// draftModel shows a draft with its integration.
func (r *Resolver) draftModel(d domain.Draft) (Draft, bool) {
	i, ok := r.View.Integrations.Get(d.Organization, d.Integration)
	return Draft{Draft: d, r: r, integration: i}, ok && i.RemovedAt.IsZero() && d.RemovedAt.IsZero()
}

// findDraft finds a draft of an organization, nil if it is not there.
func (r *Resolver) findDraft(ctx context.Context, organization, id string) (*Draft, error) {
	return charge(ctx, func() (*Draft, int, error) {
		d, ok, err := r.View.Draft(ctx, organization, id)
		if err != nil || !ok {
			return nil, 0, err
		}
		read := 0
		if d.Origin != nil { // from the log
			read = readFields + partFields*parts(d.Definition)
		}
		if model, ok := r.draftModel(d); ok {
			return &model, read, nil
		}
		return nil, read, nil
	})
}

// full is the draft with all that the View leaves out.
func (d Draft) full(ctx context.Context) (domain.Draft, error) {
	if d.past != nil {
		return d.past.Draft, nil
	}
	return charge(ctx, func() (domain.Draft, int, error) {
		whole, _, err := store.Load(ctx, d.r.Log, domain.Drafts, d.ID)
		return whole, readFields + partFields*parts(whole.Definition), err
	})
}

func (d Draft) ref() authoring.DraftRef {
	if main := authoring.MainDraft(d.integration); main.ID == d.ID {
		return main
	}
	return authoring.DraftRef{Integration: d.integration, ID: d.ID, Named: !d.Main}
}

// users returns those that are known of a list of ids.
func (d Draft) users(ids []string) []domain.User {
	list := []domain.User{}
	for _, id := range ids {
		if u := d.r.user(d.Organization, id); u != nil {
			list = append(list, *u)
		}
	}
	return list
}

// user returns the user with an id, nil for the system and for none.
func (r *Resolver) user(organization, id string) *domain.User {
	u, ok := r.View.Users.Get(organization, id)
	if !ok {
		return nil
	}
	return &u
}

// Name is a named draft's.
func (d Draft) Name() *string { return optional(d.Draft.Name) }

// IsMain reports whether it is its integration's main draft.
func (d Draft) IsMain() bool { return d.Main }

// Integration returns the draft's integration.
func (d Draft) Integration() *Integration { return &Integration{integration: d.integration} }

// Base is the version that it was made from.
func (d Draft) Base() *Integration {
	if _, ok := d.integration.Version(d.Draft.Base); !ok {
		return nil
	}
	i := at(d.integration, d.Draft.Base)
	return &i
}

// IsBehind reports whether a newer version was published since, other than from this draft.
func (d Draft) IsBehind() bool {
	newest, ok := d.integration.Newest()
	return ok && newest.ID != d.Draft.Base && d.Closed == nil
}

// CreatedAt is when it was opened.
func (d Draft) CreatedAt() time.Time { return d.OpenedAt }

// CreatedBy is who opened it.
func (d Draft) CreatedBy() *domain.User { return d.r.user(d.Organization, d.OpenedBy) }

// UpdatedBy is who edited it last.
func (d Draft) UpdatedBy() *domain.User { return d.r.user(d.Organization, d.Draft.UpdatedBy) }

// Authors are those who have edited it.
func (d Draft) Authors() []domain.User { return d.users(d.Draft.Authors) }

// Revision returns the revision that edits name.
func (d Draft) Revision(ctx context.Context) (string, error) {
	if d.past != nil {
		return placeOf(d.ref(), d.past.last).String(), nil
	}
	s, err := d.r.revisionOf(ctx, d.ref())
	return deref(s), err
}

// Definition writes it as YAML.
func (d Draft) Definition(ctx context.Context, version *int, useLatestComponentVersions *bool) (string, error) {
	whole, err := d.full(ctx)
	if err != nil {
		return "", err
	}
	text, err := exportAs(ctx, whole.Definition, version, useLatestComponentVersions)
	return deref(text), err
}

// Changes returns what differs from the base.
func (d Draft) Changes(ctx context.Context) ([]PartDifference, error) {
	whole, err := d.full(ctx)
	if err != nil {
		return nil, err
	}
	return partDifferences(ctx, domain.DeriveID("changes", d.ID), whole.Origin, whole.Definition)
}

// ChangeHash returns the digest that verdicts are bound to.
func (d Draft) ChangeHash(ctx context.Context) (string, error) {
	whole, err := d.full(ctx)
	if err != nil {
		return "", err
	}
	return whole.ChangeDigest(), nil
}

func (d Draft) policy() domain.ReviewPolicy { return d.r.Authoring.Policy(d.integration) }

// ReviewState is how far its review has come.
func (d Draft) ReviewState() ReviewState { return ReviewState(d.Draft.ReviewState(d.policy())) }

// Approvals counts those that hold.
func (d Draft) Approvals() int { return d.Draft.Approvals(d.policy()) }

// ApprovalsNeeded is how many the policy asks for.
func (d Draft) ApprovalsNeeded() int { return d.policy().Approvals }

// Review returns the request to its reviewers and their verdicts.
func (d Draft) Review() *ReviewRequest {
	if d.Draft.Review == nil {
		return nil
	}
	return &ReviewRequest{of: d, Review: *d.Draft.Review}
}

// ScheduledPublish is the plan to publish it.
func (d Draft) ScheduledPublish() *ScheduledPublish {
	if d.Schedule == nil || d.Closed != nil {
		return nil
	}
	return &ScheduledPublish{ID: domain.DeriveID("scheduled publish", d.ID), At: d.Schedule.At,
		Comment: optional(d.Schedule.Note), By: d.r.user(d.Organization, d.Schedule.By)}
}

// Version returns the version that the draft has become.
func (d Draft) Version() *Integration {
	if d.Closed == nil {
		return nil
	}
	if _, there := d.integration.Version(d.Closed.Version); !there {
		return nil
	}
	i := at(d.integration, d.Closed.Version)
	return &i
}

// Threads are what people say of it.
func (d Draft) Threads(ctx context.Context, isResolved *bool, part *string) ([]Thread, error) {
	whole, err := d.full(ctx)
	if err != nil {
		return nil, err
	}
	list := []Thread{}
	for _, t := range whole.Threads {
		if (isResolved == nil || *isResolved == (t.ResolvedBy != "")) && (deref(part) == "" ||
			partOf(*part) == t.Part) {
			list = append(list, Thread{Thread: t, of: d, orphaned: t.Orphaned(whole.Definition)})
		}
	}
	return list, nil
}

// ReviewRequest is a draft's review.
type ReviewRequest struct {
	domain.Review
	of Draft
}

// RequestedBy is who asked for it.
func (v ReviewRequest) RequestedBy() *domain.User { return v.of.r.user(v.of.Organization, v.By) }

// RequestedAt is when.
func (v ReviewRequest) RequestedAt() time.Time { return v.At }

// Reviewers are those who were asked.
func (v ReviewRequest) Reviewers() []domain.User { return v.of.users(v.Review.Reviewers) }

// Verdicts are what was said.
func (v ReviewRequest) Verdicts() []Verdict {
	list := make([]Verdict, len(v.Review.Verdicts))
	for i, verdict := range v.Review.Verdicts {
		list[i] = Verdict{Verdict: verdict, of: v.of}
	}
	return list
}

// Verdict is a reviewer's.
type Verdict struct {
	domain.Verdict
	of Draft
}

// By is whose it is.
func (v Verdict) By() *domain.User { return v.of.r.user(v.of.Organization, v.Verdict.By) }

// Holds reports whether it counts.
func (v Verdict) Holds() bool { return v.of.UnderReview() && v.of.Holds(v.Verdict, v.of.policy()) }

// DismissedBy is who made it void.
func (v Verdict) DismissedBy() *domain.User {
	if v.Dismissed == nil {
		return nil
	}
	return v.of.r.user(v.of.Organization, v.Dismissed.By)
}

// DismissedReason is why.
func (v Verdict) DismissedReason() *string {
	if v.Dismissed == nil {
		return nil
	}
	return optional(v.Dismissed.Reason)
}

// ChangesSince returns what differs now from what the reviewer saw.
func (v Verdict) ChangesSince(ctx context.Context) ([]PartDifference, error) {
	whole, err := v.of.full(ctx)
	if err != nil || whole.Review == nil {
		return nil, err
	}
	for _, now := range whole.Review.Verdicts {
		if now.ID == v.ID {
			return partDifferences(ctx, domain.DeriveID("changes", v.ID), now.Saw, whole.Definition)
		}
	}
	return []PartDifference{}, nil // it was taken back meanwhile
}

// Thread is one of a draft.
type Thread struct {
	domain.Thread
	of       Draft
	orphaned bool
}

// Part returns the part that it is about, nil for the draft as a whole.
func (t Thread) Part() *string { return optional(t.Thread.Part) }

// Path is of a field.
func (t Thread) Path() []string { return append([]string{}, t.Thread.Path...) }

// IsOrphaned reports whether what it is about is gone.
func (t Thread) IsOrphaned() bool { return t.orphaned }

// IsResolved reports whether it is done with.
func (t Thread) IsResolved() bool { return t.Thread.ResolvedBy != "" }

// ResolvedBy is who said so.
func (t Thread) ResolvedBy() *domain.User { return t.of.r.user(t.of.Organization, t.Thread.ResolvedBy) }

// ResolvedAt is when.
func (t Thread) ResolvedAt() *time.Time { return optionalTime(t.Thread.ResolvedAt) }

// AppliedBy is who has made the edit that it suggests.
func (t Thread) AppliedBy() *domain.User { return t.of.r.user(t.of.Organization, t.Thread.AppliedBy) }

// Suggestion is the edit, as JSON.
func (t Thread) Suggestion() (*string, error) {
	if len(t.Thread.Suggestion) == 0 {
		return nil, nil
	}
	return changesText(t.Thread.Suggestion)
}

// changesText is a list of changes as JSON.
func changesText(changes []definition.Change) (*string, error) {
	data, err := json.Marshal(changes)
	return optional(string(data)), err
}

// Comments are what was said.
func (t Thread) Comments() []Comment {
	list := make([]Comment, len(t.Thread.Comments))
	for i, c := range t.Thread.Comments {
		list[i] = Comment{ID: c.ID, By: t.of.r.user(t.of.Organization, c.By), At: c.At,
			EditedAt: optionalTime(c.EditedAt), Text: c.Text}
	}
	return list
}

// ReviewPolicy is the policy of an integration, or of all that have none of their own.
type ReviewPolicy struct {
	domain.ReviewPolicy
	of    string // the integration or the organization
	IsOwn bool
}

// ID stays, whatever the policy says.
func (p ReviewPolicy) ID() string { return domain.DeriveID("review policy", p.of) }

// Bypass lists the roles that may go past it.
func (p ReviewPolicy) Bypass() []string {
	list := []string{}
	for _, r := range p.ReviewPolicy.Bypass {
		list = append(list, string(r))
	}
	return list
}
