package graph

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/domain"
)

// Whatever is sent in, no secret comes out: not in the server's log, not in an error, and of those
// that are sealed or hashed, not in any event.
func TestSecretsStaySecret(t *testing.T) {
	h := newHarness(t)
	secret := func(what string) string { return "canary-" + what + "-" + uuid.NewString() }
	token, value, key, garbage := secret("token"), secret("value"), secret("key"), secret("garbage")
	happen(h, h.system(t.Context()), domain.Users, h.users[domain.Admin], domain.TokenIssued{Token: uuid.NewString(),
		Name: "canary", Hash: access.TokenHash(token)})
	customer, id := h.customer(h.org, "Acme"), h.imported(h.org, shop)
	version := h.published(h.org, id)
	connection := func(values string) vars {
		return vars{"name": "I", "integration": version, "customer": customer,
			"config": []any{vars{"key": "Shop Login", "value": value, "values": values}}}
	}
	fields := `[{"name":"password","type":"value","value":"` + value + `"}]`
	broken := *h.Resolver
	broken.Log, broken.Vault = brokenLog{h.Log}, nil
	failing, err := NewHandler(&broken, DefaultOptions())
	h.must(err)
	for _, handler := range []struct {
		name string
		use  func()
	}{{"as usual", func() {}}, {"with a broken log and no vault", func() { h.handler = failing }}} {
		handler.use()
		for _, with := range []string{token, garbage, ""} {
			for _, c := range []struct {
				document string
				v        vars
			}{
				{instanceDocument, connection(fields)},
				{instanceDocument, connection(`{"broken": "` + value)},
				{instanceDocument, connection(`"` + value + `"`)},
				{instanceDocument, vars{"name": "I", "integration": "none", "customer": "none",
					"config": []any{vars{"key": "Nothing", "values": fields}}}},
				{instanceDocument, vars{"name": "I", "integration": version, "customer": customer,
					"config": []any{vars{"key": "Nothing", "value": value, "values": fields}}}},
				{instanceDocument, vars{"name": " ", "integration": version, "customer": customer,
					"config": []any{vars{"key": "Shop Login", "values": fields}}}},
				{instanceDocument, vars{"name": "I", "integration": version, "customer": customer,
					"config": []any{vars{"key": "Shop Login", "values": []any{value}}}}},
				{customerDocument, vars{"name": "Acme", "externalId": uuid.NewString()}},
				{importDocument, vars{"definition": shop}},
				{importDocument, vars{"definition": "name: ["}},
				{publishDocument, vars{"id": id}},
				{deployDocument, vars{"id": "none"}},
				{userDocument, vars{"email": "none", "role": "none"}},
				{`mutation { revokeApiToken(input: {id: "none"}) { errors { field } } }`, nil},
				{`{ users { nodes { id } } apiTokens { nodes { name } } executionResult(id: "none") { id } }`, nil},
				{`{ nothing }`, nil},
				{`{ "`, nil},
			} {
				body, err := json.Marshal(map[string]any{"query": c.document, "variables": c.v})
				h.must(err)
				h.quiet(handler.name, string(body), with, key, token, value, key, garbage)
			}
			h.quiet(handler.name, `{"query":"{ __typename }", "variables": {"a": "`+value+`" garbage`, with, key, token,
				value, key, garbage)
			h.quiet(handler.name, `{"query":"{ __typename }", "variables": "`+value+`"}`, with, key, token, value, key,
				garbage)
		}
	}
	for _, c := range []string{token, value, key, garbage} {
		if strings.Contains(h.logged.String(), c) {
			t.Errorf("the server's log holds %s", c)
		}
		for _, r := range h.events() {
			if strings.Contains(string(r.Data)+string(r.Meta), c) {
				t.Errorf("%s of %s holds %s", r.Kind, r.Stream, c)
			}
		}
	}
	if !strings.Contains(h.logged.String(), "a request failed") {
		t.Error("the log holds nothing of what went wrong, so that it holds no secret proves nothing")
	}
	if !strings.Contains(h.since(0), "InstanceConfigured") {
		t.Error("no connection was stored, so that no event holds it proves nothing")
	}
}

// quiet sends a request that carries secrets and looks for them in the answer.
func (h *harness) quiet(how, body, token, key string, secrets ...string) {
	h.t.Helper()
	a := h.send(request(body, "Authorization", "Bearer "+token, "Api-Key", key, "Cookie", "session="+key,
		"Prismatic-Client", key))
	for _, s := range secrets {
		if strings.Contains(a.body, s) {
			h.t.Errorf("%s: %.100s: the answer holds %s: %s", how, body, s, a.body)
		}
		for name, values := range a.header {
			if strings.Contains(strings.Join(values, " "), s) {
				h.t.Errorf("%s: the header %s holds %s", how, name, s)
			}
		}
	}
}
