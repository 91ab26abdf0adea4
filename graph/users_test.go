package graph

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/domain"
	"heddle/store"
)

func TestCreateCustomer(t *testing.T) {
	h := newHarness(t)
	before := len(h.events())
	a := h.do(customerDocument, vars{"name": "Acme", "externalId": "acme-1", "labels": []any{" B ", nil, "a", "b", ""}})
	if a.text("createCustomer.customer.name") != "Acme" || a.text("createCustomer.customer.externalId") != "acme-1" ||
		a.at("createCustomer.customer.labels.0") != "a" || a.at("createCustomer.customer.labels.1") != "b" ||
		a.at("createCustomer.customer.labels.2") != nil {
		t.Errorf("answered %s", a.body)
	}
	if got := h.since(before); got != "NameClaimed CustomerCreated" {
		t.Errorf("wrote %s", got)
	}
	c, _ := h.View.Customers.Get(h.id, a.text("createCustomer.customer.id"))
	if err := h.Vault.Check(c.Key, domain.CustomerKeyContext(c.ID)); err != nil {
		t.Errorf("its data key is no good: %v", err)
	}
	for name, v := range map[string]vars{
		`externalId: "acme-1" is already in use`: {"name": "Other", "externalId": "acme-1"},
		"name: must not be empty":                {"name": " ", "externalId": "acme-2"},
	} {
		before := len(h.events())
		if a := h.do(customerDocument, v); a.refused("createCustomer") != name ||
			a.at("createCustomer.customer") != nil || h.since(before) != "" {
			t.Errorf("want %q: answered %s, wrote %q", name, a.body, h.since(before))
		}
	}
	// what was refused claimed nothing
	h.made(h.do(customerDocument, vars{"name": "Third", "externalId": "acme-2"}), "createCustomer", "customer")
	for _, none := range []any{nil, "", nil, ""} {
		before := len(h.events())
		a := h.do(customerDocument, vars{"name": "Acme", "externalId": none})
		if a.text("createCustomer.customer.externalId") != "" || h.since(before) != "CustomerCreated" {
			t.Errorf("external id %v: answered %s, wrote %s", none, a.body, h.since(before))
		}
	}
}

func TestSameExternalIDAtOnce(t *testing.T) {
	h := newHarness(t)
	made := 0
	for _, a := range h.together(8, customerDocument,
		func(int) vars { return vars{"name": "Acme", "externalId": "same"} }) {
		if a.text("createCustomer.customer.id") != "" {
			made++
		} else if got := a.refused("createCustomer"); got != `externalId: "same" is already in use` {
			t.Errorf("refused with %q: %s", got, a.body)
		}
	}
	if n := h.do(`{ customers { totalCount } }`, nil).at("customers.totalCount"); made != 1 || n != 1.0 {
		t.Errorf("%d made it, there are %v", made, n)
	}
}

// claimed puts a claim into the log as it was made some time ago.
func (h *harness) claimed(kind, value, owner string, ago time.Duration) {
	h.t.Helper()
	event, err := domain.Claims.Encode(domain.NameClaimed{Owner: owner})
	h.must(err)
	id := uuid.Must(uuid.NewV7())
	meta, err := json.Marshal(domain.Meta{ID: id, Organization: h.id, Time: time.Now().Add(-ago).UTC()})
	h.must(err)
	_, err = h.Log.Append(h.t.Context(), domain.Claims.Stream(domain.ClaimID(h.id, kind, value)), store.NoStream,
		store.Event{ID: id, Kind: event.Kind, Meta: meta, Data: event.Data})
	h.must(err)
}

// A claim whose maker died before making its owner frees the name after a while; one with an owner never does.
func TestClaimTakeover(t *testing.T) {
	h := newHarness(t)
	there := h.customer(h.org, "There")
	for value, c := range map[string]struct {
		owner string
		ago   time.Duration
		taken bool
	}{
		"young orphan": {uuid.NewString(), domain.ClaimGrace / 2, false},
		"old orphan":   {uuid.NewString(), domain.ClaimGrace + time.Second, true},
		"old, owned":   {there, time.Hour, false},
	} {
		h.claimed("customer.externalId", value, c.owner, c.ago)
		a := h.do(customerDocument, vars{"name": "Acme", "externalId": value})
		if taken := a.text("createCustomer.customer.id") != ""; taken != c.taken {
			t.Errorf("%s: answered %s", value, a.body)
		}
	}
	if a := h.do(customerDocument, vars{"name": "Acme",
		"externalId": "old orphan"}); a.refused("createCustomer") == "" {
		t.Errorf("the name taken over was taken over again: %s", a.body)
	}
}

const userDocument = `mutation ($email: String!, $role: ID!, $name: String) { createOrganizationUser(input: {email: $email, role: $role, name: $name}) {
	user { id name email tenantId role { id name level } org { id name } customer { id } createdAt updatedAt } errors { field messages } } }`

func TestCreateOrganizationUser(t *testing.T) {
	h := newHarness(t)
	before := len(h.events())
	a := h.do(userDocument, vars{"email": " Ada@Weavers.example ", "role": "REVIEWER", "name": "Ada"})
	if a.text("createOrganizationUser.user.email") != "ada@weavers.example" ||
		a.text("createOrganizationUser.user.role.id") != "REVIEWER" ||
		a.text("createOrganizationUser.user.org.id") != h.id ||
		a.text("createOrganizationUser.user.tenantId") != h.id ||
		a.at("createOrganizationUser.user.customer") != nil {
		t.Errorf("answered %s", a.body)
	}
	if got := h.since(before); got != "NameClaimed UserCreated" {
		t.Errorf("wrote %s", got)
	}
	for _, c := range []struct{ email, role, want string }{
		{"ada@weavers.example", "VIEWER", `email: "ada@weavers.example" is already in use`},
		{"ADA@WEAVERS.EXAMPLE", "VIEWER", `email: "ada@weavers.example" is already in use`},
		{"ada", "VIEWER", `email: "ada" is not an e-mail address`},
		{"@weavers.example", "VIEWER", `email: "@weavers.example" is not an e-mail address`},
		{"", "VIEWER", `email: "" is not an e-mail address`},
		{"a b@weavers.example", "VIEWER", `email: "a b@weavers.example" is not an e-mail address`},
		{"bob@weavers.example", "viewer", `role: "viewer" is not a role; see organizationRoles`},
		{"bob@weavers.example", "", `role: "" is not a role; see organizationRoles`},
	} {
		before := len(h.events())
		a := h.do(userDocument, vars{"email": c.email, "role": c.role})
		if a.refused("createOrganizationUser") != c.want || a.at("createOrganizationUser.user") != nil ||
			h.since(before) != "" {
			t.Errorf("%q %q: answered %s, wrote %q", c.email, c.role, a.body, h.since(before))
		}
	}
	h.made(h.do(userDocument, vars{"email": "bob@weavers.example", "role": "VIEWER"}), "createOrganizationUser", "user")
}

func TestRoles(t *testing.T) {
	h := newHarness(t)
	a := h.do(`{ organizationRoles { id name level description } authenticatedUser { role { id level } } organization { name users { totalCount } } users(first: 1) { totalCount pageInfo { hasNextPage } } }`, nil)
	if a.texts("organizationRoles", "id") != "ADMIN COLLABORATOR REVIEWER VIEWER" ||
		a.at("organizationRoles.0.level") != 4.0 || a.at("organizationRoles.3.level") != 1.0 ||
		a.text("organizationRoles.3.description") == "" || a.text("authenticatedUser.role.id") != "ADMIN" ||
		a.at("organization.users.totalCount") != 4.0 ||
		a.at("users.totalCount") != 4.0 || a.at("users.pageInfo.hasNextPage") != true {
		t.Errorf("answered %s", a.body)
	}
}

func TestTokens(t *testing.T) {
	h := newHarness(t)
	const create = `mutation ($name: String!, $user: ID) { createApiToken(input: {name: $name, user: $user}) { secret apiToken { id name revokedAt user { id } } errors { field messages } } }`
	const revoke = `mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { id revokedAt } errors { field messages } } }`
	viewer := h.users[domain.Viewer]
	for _, c := range []struct {
		user any
		acts string
	}{{nil, h.users[domain.Admin]}, {"", h.users[domain.Admin]}, {viewer, viewer}} {
		a := h.do(create, vars{"name": "CI", "user": c.user})
		secret, id := a.text("createApiToken.secret"), a.text("createApiToken.apiToken.id")
		if !strings.HasPrefix(secret, "heddle_") || len(secret) < 40 ||
			a.text("createApiToken.apiToken.user.id") != c.acts || a.at("createApiToken.apiToken.revokedAt") != nil {
			t.Errorf("answered %s", a.body)
		}
		if got := h.ask(secret, `{ authenticatedUser { id } }`, nil).text("authenticatedUser.id"); got != c.acts {
			t.Errorf("the token acts as %s, want %s", got, c.acts)
		}
		for _, r := range h.events() {
			if strings.Contains(string(r.Data)+string(r.Meta), secret) {
				t.Errorf("%s holds the token", r.Kind)
			}
		}
		if got := h.do(`{ apiTokens { nodes { id name } } }`, nil); !strings.Contains(got.body, id) ||
			strings.Contains(got.body, access.TokenHash(secret)) {
			t.Errorf("the list is %s", got.body)
		}
		var first string
		for range 2 { // ending it twice changes nothing
			a = h.do(revoke, vars{"id": id})
			if first == "" {
				first = a.text("revokeApiToken.apiToken.revokedAt")
			}
			if got := a.text("revokeApiToken.apiToken.revokedAt"); got == "" || got != first {
				t.Errorf("revoked at %q, first at %q", got, first)
			}
		}
		if a := h.ask(secret, `{ authenticatedUser { id } }`, nil); a.code() != "UNAUTHENTICATED" ||
			string(a.Data) != "null" {
			t.Errorf("a revoked token is let in: %s", a.body)
		}
	}
	for want, a := range map[string]reply{
		"user: Record not found: user": h.do(create,
			vars{"name": "CI", "user": uuid.NewString()}),
		"name: must not be empty: it tells one token from another": h.do(create, vars{"name": " "}),
	} {
		if a.refused("createApiToken") != want || a.at("createApiToken.secret") != nil ||
			a.at("createApiToken.apiToken") != nil {
			t.Errorf("want %s: answered %s", want, a.body)
		}
	}
	if a := h.do(revoke, vars{"id": uuid.NewString()}); a.refused("revokeApiToken") != "id: Record not found: API token" {
		t.Errorf("answered %s", a.body)
	}
}

// The token that makes the request can be revoked by it, and is not valid for the next.
func TestRevokingOneself(t *testing.T) {
	h := newHarness(t)
	a := h.do(`mutation { createApiToken(input: {name: "self"}) { secret apiToken { id } } }`, nil)
	self := a.text("createApiToken.secret")
	document := `mutation { revokeApiToken(input: {id: "` + a.text("createApiToken.apiToken.id") +
		`"}) { apiToken { id } } }`
	if a := h.ask(self, document, nil); a.text("revokeApiToken.apiToken.id") == "" {
		t.Errorf("answered %s", a.body)
	}
	if a := h.ask(self, document, nil); a.code() != "UNAUTHENTICATED" {
		t.Errorf("answered %s", a.body)
	}
}
