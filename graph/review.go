package graph

import (
	"context"
	"net/url"
	"strings"

	"heddle/app/access"
	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/refusal"
)

// maxReviewers is how many people a review is asked of.
const maxReviewers = 50

// onDraft changes a draft that is there in another way than by an edit.
func (r *Resolver) onDraft(ctx context.Context, id string,
	decide func(authoring.DraftRef, domain.Draft) (domain.Changes[domain.Draft], error)) (*ReviewPayload, error) {
	ref, err := r.Authoring.Draft(ctx, "id", id)
	if err != nil {
		return reviewPayload(Draft{}, err)
	}
	return reviewPayload(r.changeReview(ctx, ref,
		func(d domain.Draft) (domain.Changes[domain.Draft], error) { return decide(ref, d) }))
}

func reviewPayload(d Draft, err error) (*ReviewPayload, error) {
	draft, errs, err := payload(d, err)
	return &ReviewPayload{Draft: draft, Errors: errs}, err
}

func (r *Resolver) requestReview(ctx context.Context, input RequestReviewInput) (*ReviewPayload, error) {
	e := domain.ReviewRequested{Review: newID(), Note: deref(input.Note), Link: deref(input.Link)}
	if at, err := url.Parse(e.Link); err != nil || e.Link != "" && at.Scheme != "https" && at.Scheme != "http" {
		return reviewPayload(Draft{}, refusal.ForField(refusal.Invalid, "link", "must be an http or https address"))
	}
	var err error
	if e.Reviewers, err = r.asked(access.Of(ctx), input.Reviewers); err != nil {
		return reviewPayload(Draft{}, err)
	}
	return r.onDraft(ctx, input.ID, func(_ authoring.DraftRef, d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.RequestReview(e, r.Limits)
	})
}

// asked checks whom a review is asked of; each counts once.
func (r *Resolver) asked(caller access.Principal, ids []string) (list []string, err error) {
	if len(ids) > maxReviewers {
		return nil, refusal.ForField(refusal.Invalid, "reviewers", "are %d; a review is asked of at most %d", len(ids),
			maxReviewers)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		u := r.user(caller.Organization, id)
		switch {
		case u == nil:
			return nil, refusal.ForField(refusal.NotFound, "reviewers", "Record not found: user")
		case !access.May(u.Role, access.Review):
			return nil, refusal.ForField(refusal.Invalid, "reviewers", "%s has the role %s, which gives no verdicts",
				u.Email, u.Role)
		case !seen[id]:
			seen[id] = true
			list = append(list, id)
		}
	}
	return list, nil
}

func (r *Resolver) giveVerdict(ctx context.Context, input GiveVerdictInput) (*ReviewPayload, error) {
	e := domain.VerdictGiven{Verdict: newID(), Approves: input.Approves, Comment: deref(input.Comment)}
	return r.onDraft(ctx, input.ID, func(ref authoring.DraftRef, d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.GiveVerdict(e, access.Of(ctx).User, deref(input.ChangeHash), r.Authoring.Policy(ref.Integration),
			r.Limits)
	})
}

// setReviewPolicy changes what drafts of an integration, or of the organization, need.
func (r *Resolver) setReviewPolicy(ctx context.Context, input SetReviewPolicyInput) (*ReviewPolicyPayload, error) {
	policy := domain.DefaultReviewPolicy
	if input.Approvals != nil {
		policy.Approvals = *input.Approvals
	}
	policy.SelfApproval = input.SelfApproval != nil && *input.SelfApproval
	if input.Bypass != nil {
		policy.Bypass = []domain.Role{}
		for _, role := range input.Bypass {
			policy.Bypass = append(policy.Bypass, domain.Role(strings.ToUpper(role)))
		}
	}
	shown, err := r.putReviewPolicy(ctx, deref(input.Integration), policy, input.Inherit != nil && *input.Inherit)
	set, errs, err := payload(shown, err)
	return &ReviewPolicyPayload{ReviewPolicy: set, Errors: errs}, err
}

func (r *Resolver) putReviewPolicy(ctx context.Context, id string, policy domain.ReviewPolicy,
	inherit bool) (ReviewPolicy, error) {
	organization := access.Of(ctx).Organization
	if id == "" {
		if inherit {
			return ReviewPolicy{}, refusal.ForField(refusal.Invalid, "inherit",
				"give the integration that is to have the organization's policy")
		}
		o, err := change(ctx, r, domain.Organizations, organization,
			func(o domain.Organization) (domain.Changes[domain.Organization], error) {
				return o.SetReviewPolicy(policy)
			})
		return organizationPolicy(o), err
	}
	i, err := r.editable(ctx, "integration", id)
	if err != nil {
		return ReviewPolicy{}, err
	}
	i.integration, err = change(ctx, r, domain.Integrations, id,
		func(i domain.Integration) (domain.Changes[domain.Integration], error) {
			if inherit {
				return i.SetReviewPolicy(nil)
			}
			return i.SetReviewPolicy(&policy)
		})
	return r.reviewPolicy(i), err
}

// reviewPolicy returns the policy of an integration's drafts.
func (r *Resolver) reviewPolicy(i Integration) ReviewPolicy {
	return ReviewPolicy{ReviewPolicy: r.Authoring.Policy(i.integration), of: i.integration.ID,
		IsOwn: i.integration.Policy != nil}
}

func organizationPolicy(o domain.Organization) ReviewPolicy {
	return ReviewPolicy{ReviewPolicy: domain.PolicyOf(o, domain.Integration{}), of: o.ID}
}
