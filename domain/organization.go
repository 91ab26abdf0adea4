package domain

import (
	"strings"
	"time"

	"heddle/domain/refusal"
)

// Organization owns everything else: each list, index, route and unique name is per organization.
type Organization struct {
	ID        string
	Name      string
	Key       []byte        // data key for secrets that belong to no customer, wrapped by the master key
	Policy    *ReviewPolicy // nil until one is set
	CreatedAt time.Time
}

// Organizations is the category of [Organization].
var Organizations = NewCategory("organization",
	Kind[OrganizationCreated]("OrganizationCreated"),
	Kind[DefaultReviewPolicySet]("DefaultReviewPolicySet"),
).With(Traits{InView: true, Audited: true})

// OrganizationCreated is the first event of an organization.
type OrganizationCreated struct {
	Name string `json:"name"`
	Key  []byte `json:"key"`
}

// Evolve implements [Event].
func (e OrganizationCreated) Evolve(_ Organization, m Meta) Organization {
	return Organization{ID: m.Aggregate, Name: e.Name, Key: e.Key, CreatedAt: m.Time}
}

// Create makes the organization, once.
func (o Organization) Create(name string, key []byte) (Changes[Organization], error) {
	if o.ID != "" {
		return nil, nil
	}
	if strings.TrimSpace(name) == "" {
		return nil, refusal.ForField(refusal.Invalid, "name", "must not be empty")
	}
	return Changes[Organization]{OrganizationCreated{Name: name, Key: key}}, nil
}
