package graph

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/domain"
)

func newFacts(t *testing.T) *facts {
	h := newHarness(t)
	f := &facts{h: h, customer: h.customer(h.org, "Acme"), integration: h.imported(h.org, shop)}
	f.version = h.published(h.org, f.integration)
	f.instance = h.instance(h.org, "Acme's", f.version, f.customer)
	f.execution = h.executed(h.org, f.instance, 1)
	f.token = h.do(`mutation { createApiToken(input: {name: "spare"}) { apiToken { id } } }`,
		nil).text("createApiToken.apiToken.id")
	return f
}

// A root field without a row, or a row without a root field, fails this before anything else.
func TestEveryRootFieldHasItsRights(t *testing.T) {
	schema := NewExecutableSchema(Config{Resolvers: &Resolver{}}).Schema()
	var fields []string
	for _, f := range schema.Query.Fields {
		fields = append(fields, "Query."+f.Name)
	}
	for _, f := range schema.Mutation.Fields {
		fields = append(fields, "Mutation."+f.Name)
	}
	for _, f := range schema.Subscription.Fields {
		fields = append(fields, "Subscription."+f.Name)
	}
	for _, f := range fields {
		if _, there := rights[f]; !there {
			t.Errorf("%s has no row", f)
		}
	}
	for f := range rights {
		if !slices.Contains(fields, f) {
			t.Errorf("the row %s has no field in the schema", f)
		}
	}
}

func TestRights(t *testing.T) {
	f := newFacts(t)
	revoked := f.h.do(`mutation { createApiToken(input: {name: "gone"}) { secret apiToken { id } } }`, nil)
	f.h.do(`mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { revokedAt } } }`,
		vars{"id": revoked.text("createApiToken.apiToken.id")})
	nobody := map[string]string{"no token": "", "a garbage token": "heddle_" + uuid.NewString(),
		"a revoked token": revoked.text("createApiToken.secret")}
	for _, field := range slices.Sorted(maps.Keys(rights)) {
		row := rights[field]
		_, name, _ := strings.Cut(field, ".")
		for role, token := range f.h.tokens {
			f.caller = role
			document := row.document(f)
			before := len(f.h.events())
			a := f.ask(token, document)
			if slices.Contains(row.may, role) {
				f.served(field+" as "+string(role), a, name)
				continue
			}
			f.refused(field+" as "+string(role), a, "FORBIDDEN", name, before)
		}
		for who, token := range nobody {
			document := row.document(f)
			before := len(f.h.events())
			f.refused(field+" with "+who, f.ask(token, document), "UNAUTHENTICATED", name, before)
		}
	}
}

// ask sends a document; of a subscription it takes the first answer.
func (f *facts) ask(token, document string) reply {
	f.h.t.Helper()
	if !strings.HasPrefix(document, "subscription") {
		return f.h.ask(token, document, nil)
	}
	events := f.h.listen().follow(token, document, nil)
	defer events.close()
	a := events.next()
	if a.Data == nil { // it never began, so there is not even null
		a.Data = json.RawMessage("null")
	}
	return a
}

func (f *facts) served(who string, a reply, field string) {
	f.h.t.Helper()
	refusals, _ := a.at(field + ".errors").([]any)
	if a.status != 200 || len(a.Errors) > 0 || a.at(field) == nil || len(refusals) > 0 {
		f.h.t.Errorf("%s: answered %d %s", who, a.status, a.body)
	}
}

func (f *facts) refused(who string, a reply, code, field string, before int) {
	f.h.t.Helper()
	if a.status != 200 || string(a.Data) != "null" || a.code() != code {
		f.h.t.Errorf("%s: answered %d %s, want null and %s", who, a.status, a.body, code)
	}
	if len(a.Errors) == 1 && (len(a.Errors[0].Path) != 1 || a.Errors[0].Path[0] != field) {
		f.h.t.Errorf("%s: the error is at %v, want %s", who, a.Errors[0].Path, field)
	}
	if wrote := f.h.since(before); wrote != "" {
		f.h.t.Errorf("%s: was refused and yet wrote %s", who, wrote)
	}
}

// Every right that the package gives is one that the table above tests, and none is for nobody.
func TestRightsNameNoOtherField(t *testing.T) {
	for field := range verbs {
		if len(rights[field].may) == 0 {
			t.Errorf("verbs has %s, which is no root field", field)
		}
	}
}

// A document that touches no data is for everybody: clients send it to see whether anyone is there.
func TestTypenameNeedsNoToken(t *testing.T) {
	h := newHarness(t)
	for _, token := range []string{"", "garbage", h.tokens[domain.Viewer]} {
		if a := h.ask(token, `{ __typename }`, nil); a.status != 200 || a.text("__typename") != "Query" ||
			len(a.Errors) > 0 {
			t.Errorf("%q: answered %d %s", token, a.status, a.body)
		}
	}
	if a := h.ask("", `mutation { __typename }`, nil); a.status != 200 || a.text("__typename") != "Mutation" {
		t.Errorf("mutation: answered %d %s", a.status, a.body)
	}
}

// A refusal is per field, but as root fields are non-null the rest of the answer is lost with it;
// mutations before the refused one in the document have happened.
func TestOneRefusedFieldAmongOthers(t *testing.T) {
	h := newHarness(t)
	a := h.ask(h.tokens[domain.Collaborator], `mutation { createCustomer(input: {name: "A"}) { customer { id } }
		createApiToken(input: {name: "B"}) { secret } }`, nil)
	if string(a.Data) != "null" || a.code() != "FORBIDDEN" || a.Errors[0].Path[0] != "createApiToken" {
		t.Errorf("answered %s", a.body)
	}
	if strings.Contains(h.since(0), "TokenIssued TokenIssued") {
		t.Error("a token was made")
	}
}

// Fragments, aliases and directives are no way around the table.
func TestRightsAreOfTheFieldNotItsName(t *testing.T) {
	h := newHarness(t)
	for _, document := range []string{
		`{ users: apiTokens { nodes { id } } }`,
		`{ ...F } fragment F on Query { apiTokens { nodes { id } } }`,
		`{ ... on Query { ... { apiTokens @include(if: true) { nodes { id } } } } }`,
	} {
		if a := h.ask(h.tokens[domain.Viewer], document, nil); string(a.Data) != "null" || a.code() != "FORBIDDEN" {
			t.Errorf("%s: answered %s", document, a.body)
		}
		if a := h.ask("", document, nil); string(a.Data) != "null" || a.code() != "UNAUTHENTICATED" {
			t.Errorf("%s without a token: answered %s", document, a.body)
		}
	}
}

func TestBearerSpelling(t *testing.T) {
	h := newHarness(t)
	token := h.tokens[domain.Viewer]
	for header, want := range map[string]bool{"Bearer " + token: true, "bearer " + token: true, "Bearer  " +
		token: true,
		token: false, "Basic " + token: false, "Bearer": false, "Bearer ": false, "Bearer undefined": false,
		"Bearer " + access.TokenHash(token): false, "Bearer " + strings.ToUpper(token): false} {
		a := h.send(request(`{"query":"{ authenticatedUser { id } }"}`, "Authorization", header))
		if got := a.text("authenticatedUser.id") != ""; got != want {
			t.Errorf("%.20q: let in is %v", header, got)
		}
	}
}
