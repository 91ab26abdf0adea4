package domain

import (
	"slices"
	"strings"

	"heddle/domain/refusal"
)

// ReviewPolicy is the set of conditions for publishing a draft.
type ReviewPolicy struct {
	Approvals int `json:"approvals"` // how many, 0 for none
	// whether authors, administrators too, may approve their own edits
	SelfApproval bool   `json:"selfApproval,omitempty"`
	Bypass       []Role `json:"bypass"` // roles that may publish all the same, and dismiss verdicts
}

// DefaultReviewPolicy applies where nobody has set another.
var DefaultReviewPolicy = ReviewPolicy{Bypass: []Role{Admin}}

// maxApprovals is more than any policy needs; a greater number is a mistake.
const maxApprovals = 20

func (p ReviewPolicy) check() error {
	if p.Approvals < 0 || p.Approvals > maxApprovals {
		return refusal.ForField(refusal.Invalid, "approvals", "must be from 0 to %d", maxApprovals)
	}
	for _, r := range p.Bypass {
		if r != Admin && r != Collaborator {
			return refusal.ForField(refusal.Invalid, "bypass", "%s can't publish; those who can are %s and %s", r,
				Admin, Collaborator)
		}
	}
	return nil
}

func (p ReviewPolicy) equal(o ReviewPolicy) bool {
	return p.Approvals == o.Approvals && p.SelfApproval == o.SelfApproval && slices.Equal(p.Bypass, o.Bypass)
}

// DefaultReviewPolicySet sets the organization's policy.
type DefaultReviewPolicySet struct {
	ReviewPolicy
}

// Evolve implements [Event].
func (e DefaultReviewPolicySet) Evolve(o Organization, _ Meta) Organization {
	o.Policy = &e.ReviewPolicy
	return o
}

// ReviewPolicySet sets the integration's policy; nil restores the organization's.
type ReviewPolicySet struct {
	Policy *ReviewPolicy `json:"policy,omitempty"`
}

// Evolve implements [Event].
func (e ReviewPolicySet) Evolve(i Integration, _ Meta) Integration {
	i.Policy = e.Policy
	return i
}

// PolicyOf returns the policy that applies to an integration.
func PolicyOf(o Organization, i Integration) ReviewPolicy {
	switch {
	case i.Policy != nil:
		return *i.Policy
	case o.Policy != nil:
		return *o.Policy
	}
	return DefaultReviewPolicy
}

// SetReviewPolicy sets the policy of integrations without one of their own.
func (o Organization) SetReviewPolicy(p ReviewPolicy) (Changes[Organization], error) {
	if err := p.check(); err != nil || o.Policy != nil && o.Policy.equal(p) {
		return nil, err
	}
	return Changes[Organization]{DefaultReviewPolicySet{p}}, nil
}

// SetReviewPolicy sets the integration's policy; nil restores the organization's.
func (i Integration) SetReviewPolicy(p *ReviewPolicy) (Changes[Integration], error) {
	if err := i.there(); err != nil {
		return nil, err
	}
	if p == nil && i.Policy == nil {
		return nil, nil
	}
	if p != nil {
		if err := p.check(); err != nil || i.Policy != nil && i.Policy.equal(*p) {
			return nil, err
		}
	}
	return Changes[Integration]{ReviewPolicySet{p}}, nil
}

// Publishing is a policy, the publisher's role, and the reason to bypass the policy, if any.
type Publishing struct {
	Policy ReviewPolicy
	Role   Role
	Bypass string
}

// May refuses to publish a draft that the policy does not let pass.
func (rules Publishing) May(d Draft) error {
	_, err := d.allowed(rules)
	return err
}

// allowed refuses to publish a draft that the policy or its own review does not let pass. A bypass is an event
// of its own.
func (d Draft) allowed(rules Publishing) (Changes[Draft], error) {
	err := passed(d, rules.Policy)
	reason := strings.TrimSpace(rules.Bypass)
	switch {
	case err == nil || reason == "":
		return nil, err
	case !slices.Contains(rules.Policy.Bypass, rules.Role):
		return nil, refusal.ForField(refusal.Forbidden, "bypassReason",
			"the review policy does not let your role publish without it: %s", err)
	}
	return Changes[Draft]{ReviewBypassed{Reason: reason}}, nil
}

func passed(d Draft, p ReviewPolicy) error {
	state := d.ReviewState(p)
	switch {
	case state == ReviewApproved, p.Approvals == 0 && !d.UnderReview():
		return nil
	case state == ReviewRejected:
		return refusal.ForField(refusal.Conflict, "id",
			"the draft was rejected in review; change it, or have the review withdrawn")
	case d.UnderReview():
		return refusal.ForField(refusal.Conflict, "id",
			"the draft is under review and has %s and needs %d; withdraw the review, or wait",
			refusal.Count(d.Approvals(p), "approval"), max(1, p.Approvals))
	}
	return refusal.ForField(refusal.Conflict, "id", "the draft needs %s to be published; ask for a review",
		refusal.Count(p.Approvals, "approval"))
}
