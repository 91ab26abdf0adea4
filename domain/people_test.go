package domain

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOrganizationDecides(t *testing.T) {
	created := OrganizationCreated{Name: "Weavers", Key: []byte("key")}
	create := func(name string) func(Organization) (Changes[Organization], error) {
		return func(o Organization) (Changes[Organization], error) { return o.Create(name, []byte("key")) }
	}
	decides(t, Organizations, map[string]row[Organization]{
		"a new one":      {when: create("Weavers"), then: events[Organization](created)},
		"one there":      {given: events[Organization](created), when: create("Other")},
		"without a name": {when: create(" \t"), refused: "INVALID name: must not be empty"},
	})
	want := Organization{ID: "id", Name: "Weavers", Key: []byte("key"), CreatedAt: start}
	if diff := cmp.Diff(want, folded(t, Organizations, events[Organization](created))); diff != "" {
		t.Error(diff)
	}
}

func TestUserDecides(t *testing.T) {
	created := UserCreated{Email: "a@b.example", Name: "A", Role: Viewer}
	one, two := TokenIssued{Token: "1", Name: "CI", Hash: "h1"}, TokenIssued{Token: "2", Name: "CI", Hash: "h2"}
	create := func(email string, role Role) func(User) (Changes[User], error) {
		return func(u User) (Changes[User], error) { return u.Create(email, "A", role) }
	}
	issue := func(e TokenIssued) func(User) (Changes[User], error) {
		return func(u User) (Changes[User], error) { return u.IssueToken(e.Token, e.Name, e.Hash) }
	}
	revoke := func(id string) func(User) (Changes[User], error) {
		return func(u User) (Changes[User], error) { return u.RevokeToken(id) }
	}
	decides(t, Users, map[string]row[User]{
		"a new one": {when: create("a@b.example", Viewer), then: events[User](created)},
		"one there": {given: events[User](created), when: create("c@d.example", Admin)},
		"no @": {when: create("a.example", Viewer),
			refused: `INVALID email: "a.example" is not an e-mail address`},
		"nothing before @": {when: create("@b", Viewer), refused: `INVALID email: "@b" is not an e-mail address`},
		"nothing after @":  {when: create("a@", Viewer), refused: `INVALID email: "a@" is not an e-mail address`},
		"a line break": {when: create("a@b\n", Viewer),
			refused: `INVALID email: "a@b\n" is not an e-mail address`},
		"no role": {when: create("a@b.example", ""),
			refused: `INVALID role: "" is not a role; see organizationRoles`},
		"a role in other case": {when: create("a@b.example", "Admin"),
			refused: `INVALID role: "Admin" is not a role; see organizationRoles`},
		"a token":        {given: events[User](created), when: issue(one), then: events[User](one)},
		"another":        {given: events[User](created, one), when: issue(two), then: events[User](two)},
		"the same again": {given: events[User](created, one), when: issue(one)},
		"a token without name": {given: events[User](created), when: issue(TokenIssued{Token: "1", Name: " "}),
			refused: "INVALID name: must not be empty: it tells one token from another"},
		"a token for nobody": {when: issue(one), refused: "NOT_FOUND Record not found: user"},
		"revoking": {given: events[User](created, one, two), when: revoke("1"),
			then: events[User](TokenRevoked{Token: "1"})},
		"revoking again": {given: events[User](created, one, TokenRevoked{Token: "1"}), when: revoke("1")},
		"revoking what is not": {given: events[User](created, one), when: revoke("2"),
			refused: "NOT_FOUND id: Record not found: API token"},
		"revoking nobody's":     {when: revoke("1"), refused: "NOT_FOUND id: Record not found: API token"},
		"issuing what is ended": {given: events[User](created, one, TokenRevoked{Token: "1"}), when: issue(one)},
	})
	want := User{ID: "id", Organization: "org", Email: "a@b.example", Name: "A", Role: Viewer, CreatedAt: start,
		UpdatedAt: start.Add(3 * time.Second),
		Tokens: []Token{{ID: "1", Name: "CI", Hash: "h1", CreatedAt: start.Add(time.Second)},
			{ID: "2", Name: "CI", Hash: "h2", CreatedAt: start.Add(2 * time.Second),
				RevokedAt: start.Add(3 * time.Second)}}}
	if diff := cmp.Diff(want, folded(t, Users, events[User](created, one, two, TokenRevoked{Token: "2"}))); diff != "" {
		t.Error(diff)
	}
}

func TestCustomerDecides(t *testing.T) {
	asked := CustomerCreated{Name: "Acme", Description: "d", ExternalID: "e", Labels: []string{" B", "a", "b ", ""},
		Key: []byte("k")}
	created := asked
	created.Labels = []string{"a", "b"}
	create := func(e CustomerCreated) func(Customer) (Changes[Customer], error) {
		return func(c Customer) (Changes[Customer], error) { return c.Create(e) }
	}
	decides(t, Customers, map[string]row[Customer]{
		"a new one":    {when: create(asked), then: events[Customer](created)},
		"one there":    {given: events[Customer](created), when: create(CustomerCreated{Name: "Other"})},
		"without name": {when: create(CustomerCreated{Name: "\n"}), refused: "INVALID name: must not be empty"},
	})
	if diff := cmp.Diff([]string{" B", "a", "b ", ""}, asked.Labels); diff != "" {
		t.Errorf("the decision edited the caller's labels: %s", diff)
	}
	want := Customer{ID: "id", Organization: "org", Name: "Acme", Description: "d", ExternalID: "e",
		Labels: []string{"a", "b"}, Key: []byte("k"), CreatedAt: start}
	if diff := cmp.Diff(want, folded(t, Customers, events[Customer](created))); diff != "" {
		t.Error(diff)
	}
}

func TestClaimDecides(t *testing.T) {
	mine, theirs := NameClaimed{Owner: "me"}, NameClaimed{Owner: "they"}
	take := func(after time.Duration, ownerMissing bool) func(Claim) (Changes[Claim], error) {
		return func(c Claim) (Changes[Claim], error) { return c.Take("me", start.Add(after), ownerMissing) }
	}
	const refused = "CONFLICT is already in use"
	decides(t, Claims, map[string]row[Claim]{
		"a free name":                 {when: take(0, false), then: events[Claim](mine)},
		"my own":                      {given: events[Claim](mine), when: take(time.Hour, false)},
		"my own, before I came to be": {given: events[Claim](mine), when: take(time.Hour, true)},
		"theirs":                      {given: events[Claim](theirs), when: take(time.Hour, false), refused: refused},
		"an orphan within the grace": {given: events[Claim](theirs), when: take(ClaimGrace-time.Nanosecond, true),
			refused: refused},
		"an orphan of before the clock": {given: events[Claim](theirs), when: take(-time.Hour, true), refused: refused},
		"an orphan after the grace": {given: events[Claim](theirs), when: take(ClaimGrace, true),
			then: events[Claim](mine)},
		"an orphan taken over just now": {given: events[Claim](NameClaimed{Owner: "x"}, theirs),
			when: take(ClaimGrace, true), refused: refused},
		"after the grace of the taker": {given: events[Claim](NameClaimed{Owner: "x"}, theirs),
			when: take(ClaimGrace+time.Second, true), then: events[Claim](mine)},
		"an owned name after any time": {given: events[Claim](theirs), when: take(1000*time.Hour, false),
			refused: refused},
	})
	if a, b := ClaimID("o", "k", "v"), ClaimID("o", "k", "w"); a == b || a == ClaimID("p", "k", "v") ||
		a == ClaimID("o", "l", "v") || a != ClaimID("o", "k", "v") {
		t.Error("claims of different names share an id, or those of one name do not")
	}
}
