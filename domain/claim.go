package domain

import (
	"time"

	"heddle/domain/refusal"
)

// ClaimGrace is how long a claim holds before its owner exists.
const ClaimGrace = time.Minute

// Claim makes a name unique in an organization: its stream's id is derived from the name, so the
// log itself lets only the first one take it.
type Claim struct {
	Owner string
	Since time.Time
}

// Claims is the category of [Claim].
var Claims = NewCategory("claim",
	Kind[NameClaimed]("NameClaimed"),
).With(Traits{})

// NameClaimed says that a name now belongs to an owner.
type NameClaimed struct {
	Owner string `json:"owner"`
}

// Evolve implements [Event].
func (e NameClaimed) Evolve(_ Claim, m Meta) Claim { return Claim{Owner: e.Owner, Since: m.Time} }

// ClaimID derives the id of the claim on a name, such as ("customer.externalId", "acme").
func ClaimID(organization, kind, value string) string {
	return DeriveID("claim", organization, kind, value)
}

// Take claims the name for an owner. After [ClaimGrace] a claim without an owner may be taken over: its maker
// crashed between claim and creation.
func (c Claim) Take(owner string, now time.Time, ownerMissing bool) (Changes[Claim], error) {
	switch {
	case c.Owner == owner:
		return nil, nil
	case c.Owner == "", ownerMissing && now.Sub(c.Since) >= ClaimGrace:
		return Changes[Claim]{NameClaimed{Owner: owner}}, nil
	}
	return nil, refusal.New(refusal.Conflict, "is already in use")
}
