package graph

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// What can't be executed is answered without a data key; the older media type says 200 once the body
// could be read, the newer one 400.
func TestRequestsThatAreNotExecuted(t *testing.T) {
	h := newHarness(t)
	long := strings.Repeat("x", int(DefaultOptions().MaxBody))
	for name, c := range map[string]struct {
		contentType, body string
		plain, newer      int
		message           string
	}{
		"form": {"application/x-www-form-urlencoded", `{"query":"{__typename}"}`, 415, 415,
			"Content-Type must be application/json"},
		"no content type": {"", `{"query":"{__typename}"}`, 415, 415, "Content-Type must be application/json"},
		"multipart": {"multipart/form-data; boundary=b", "--b--", 415, 415,
			"Content-Type must be application/json"},
		"no JSON": {"application/json", `{"query": s3cret`, 400, 400,
			"the body is not a JSON object with query, variables, operationName and extensions of the right types"},
		"no body": {"application/json", ``, 400, 400,
			"the body is not a JSON object with query, variables, operationName and extensions of the right types"},
		"a batch": {"application/json", `[{"query":"{__typename}"}]`, 400, 400,
			"the body is not a JSON object with query, variables, operationName and extensions of the right types"},
		"more than one": {"application/json", `{"query":"{__typename}"} {"query":"s3cret"}`, 400, 400,
			"the body is not a JSON object with query, variables, operationName and extensions of the right types"},
		"query of another type": {"application/json", `{"query": ["s3cret"]}`, 400, 400,
			"the body is not a JSON object with query, variables, operationName and extensions of the right types"},
		"variables of that": {"application/json", `{"query": "{__typename}", "variables": "s3cret"}`, 400, 400,
			"the body is not a JSON object with query, variables, operationName and extensions of the right types"},
		"null": {"application/json", `null`, 400, 400,
			"query is missing: send a GraphQL document in it"},
		"no query": {"application/json", `{"variables": {"a": "s3cret"}}`, 400, 400,
			"query is missing: send a GraphQL document in it"},
		"an empty query": {"application/json", `{"query": " \n"}`, 400, 400,
			"query is missing: send a GraphQL document in it"},
		"a large body": {"application/json", `{"query":"` + long + `"}`, 413, 413,
			"the body is larger than 2097152 bytes (HEDDLE_MAX_REQUEST)"},
		"only a comment": {"application/json", `{"query":"# s"}`, 200, 400, "no operation provided"},
		"syntax": {"application/json", `{"query":"{ users { "}`, 200, 400,
			"Expected Name, found <EOF>"},
		"unknown field": {"application/json", `{"query":"{ user { id } }"}`, 200, 400,
			`Cannot query field "user" on type "Query".`},
		"unknown type": {"application/json", `{"query":"{ users { ... on Usr { id } } }"}`, 200, 400,
			`Unknown type "Usr".`},
		"unknown argument": {"application/json", `{"query":"{ users(firs: 1) { totalCount } }"}`, 200, 400,
			`Unknown argument "firs" on field "Query.users".`},
		"unknown input field": {"application/json",
			`{"query":"mutation { deployInstance(input: {id: \"x\", forc: true}) { instance { id } } }"}`, 200, 400,
			`Field "forc" is not defined by type "DeployInstanceInput".`},
		"a variable's type": {"application/json",
			`{"query":"query ($first: Int) { users(first: $first) { totalCount } }", "variables": {"first": "many"}}`,
			200, 400, "cannot use string as Int"},
		"a variable left out": {"application/json", `{"query":"query ($id: ID!) { customer(id: $id) { id } }"}`, 200,
			400, "must be defined"},
		"a null variable": {"application/json",
			`{"query":"query ($id: ID!) { customer(id: $id) { id } }", "variables": {"id": null}}`, 200, 400,
			"cannot be null"},
		"two operations, no one": {"application/json", `{"query":"query A { __typename } query B { __typename }"}`, 200,
			400, "operation  not found"},
		"no such operation": {"application/json", `{"query":"query A { __typename }", "operationName": "B"}`, 200,
			400, "operation B not found"},
		"a subscription": {"application/json", `{"query":"subscription { x }"}`, 200, 400, ""},
	} {
		for accept, status := range map[string]int{"": c.plain, "*/*": c.plain, "application/json": c.plain,
			"text/html, application/json;q=0.9":                         c.plain,
			"application/graphql-response+json":                         c.newer,
			"application/graphql-response+json, application/json;q=0.9": c.newer} {
			r := request(c.body, "Accept", accept, "Authorization", "Bearer "+h.tokens[domain.Admin])
			r.Header.Set("Content-Type", c.contentType)
			a := h.send(r)
			if a.status != status || a.Data != nil || a.code() != "INVALID" && a.code() != "GRAPHQL_PARSE_FAILED" &&
				a.code() != "GRAPHQL_VALIDATION_FAILED" {
				t.Errorf("%s, accepting %q: answered %d %.300s", name, accept, a.status, a.body)
				continue
			}
			if !strings.Contains(a.Errors[0].Message, c.message) {
				t.Errorf("%s: says %q, want %q", name, a.Errors[0].Message, c.message)
			}
			for _, leak := range []string{"s3cret", "id you mean"} {
				if strings.Contains(a.body, leak) {
					t.Errorf("%s: the answer holds %q: %s", name, leak, a.body)
				}
			}
			want := "application/json; charset=utf-8"
			if strings.HasPrefix(accept, "application/graphql") {
				want = "application/graphql-response+json; charset=utf-8"
			}
			if got := a.header.Get("Content-Type"); got != want {
				t.Errorf("%s, accepting %q: is %q", name, accept, got)
			}
		}
	}
}

// What is executed is 200 with either media type, whatever became of it.
func TestRequestsThatAreExecuted(t *testing.T) {
	h := newHarness(t)
	for _, accept := range []string{"", "application/json", "application/graphql-response+json"} {
		for body, want := range map[string]string{
			`{"query":"{ organization { name } }"}`: `{"data":{"organization":{"name":"Weavers"}}}`,
			`{"query":"query A { __typename } query B { b: __typename }", "operationName": "B", "extensions": {}}`: `{"data":{"b":"Query"}}`,
			`{"query":"{ __typename }", "variables": null, "operationName": null, "other": 1}`:                     `{"data":{"__typename":"Query"}}`,
		} {
			a := h.send(request(body, "Accept", accept, "Authorization", "Bearer "+h.tokens[domain.Viewer],
				"Content-Type", "application/json; charset=utf-8"))
			if a.status != 200 || strings.TrimSpace(a.body) != want || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s, accepting %q: answered %d %s", body, accept, a.status, a.body)
			}
		}
		a := h.send(request(`{"query":"{ customer(id: \"none\") { id } }"}`, "Accept", accept, "Authorization",
			"Bearer "+h.tokens[domain.Viewer]))
		if a.status != 200 || string(a.Data) != "null" || a.code() != "NOT_FOUND" {
			t.Errorf("a miss, accepting %q: answered %d %s", accept, a.status, a.body)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.MaxBody, o.MaxAnonymousBody = 500, 100 })
	body := func(n int) string {
		const start, end = `{"query":"{ __typename #`, `\n}"}`
		return start + strings.Repeat("x", n-len(start+end)) + end
	}
	for _, c := range []struct {
		token  string
		size   int
		status int
		limit  string
	}{{"", 100, 200, ""}, {"", 101, 413, "larger than 100 bytes"}, {"garbage", 101, 413, "larger than 100 bytes"},
		{h.tokens[domain.Viewer], 500, 200, ""}, {h.tokens[domain.Viewer], 501, 413, "larger than 500 bytes"}} {
		a := h.send(request(body(c.size), "Authorization", "Bearer "+c.token))
		if a.status != c.status || !strings.Contains(a.body, c.limit) || c.limit != "" && !strings.Contains(a.body,
			"HEDDLE_MAX_") {
			t.Errorf("%d bytes with %q: answered %d %s", c.size, c.token, a.status, a.body)
		}
	}
	a := h.send(request(body(101)))
	if !strings.Contains(a.body, "HEDDLE_MAX_ANONYMOUS_REQUEST") {
		t.Errorf("without a token it is another setting that counts: %s", a.body)
	}
}

// wholeSchema is what explorers and code generators ask: nothing in the limits may refuse it.
const wholeSchema = `query IntrospectionQuery { __schema { description queryType { name } mutationType { name } subscriptionType { name }
	types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
	fragment FullType on __Type { kind name description specifiedByURL fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue }
		type { ...TypeRef } isDeprecated deprecationReason } inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
		enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
	fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
	fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
		ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

func TestIntrospectionPassesTheLimits(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.MaxDepth = 5 })
	a := h.ask(h.tokens[domain.Viewer], wholeSchema, nil)
	if a.status != 200 || len(a.Errors) > 0 || a.text("__schema.queryType.name") != "Query" ||
		a.at("__schema.types.0.fields") == nil && a.at("__schema.types.0.kind") == nil {
		t.Errorf("answered %d %.300s", a.status, a.body)
	}
}

// doubling is a chain of fragments, each of which spreads the next one twice: what is executed
// doubles with every line.
func doubling(lines int, last string) string {
	b := strings.Builder{}
	b.WriteString("{ ...A }")
	name := "A"
	for range lines {
		b.WriteString(" fragment " + name + " on Query { ..." + name + "A ..." + name + "A }")
		name += "A"
	}
	return b.String() + " fragment " + name + " on Query { " + last + " }"
}

// aliased asks for the same so often under names of its own.
func aliased(n int, field string) string {
	b := strings.Builder{}
	for i := range n {
		fmt.Fprintf(&b, " a%d: %s", i, field)
	}
	return "{" + b.String() + " }"
}

// Documents that cost far more than they weigh; without its limit, this test would not end.
func TestDocumentLimits(t *testing.T) {
	h := newHarness(t)
	aliases := strings.Builder{}
	for range 450 {
		aliases.WriteString(" ...F")
	}
	const repeats, roots = "the document has one name more than 500 times (HEDDLE_MAX_REPEATS)",
		"the document asks for more than 30 fields at its root (HEDDLE_MAX_ROOT_FIELDS)"
	const tokens, deep, large = "exceeded token limit of 2000",
		"the document is deeper than 20 fields (HEDDLE_MAX_DEPTH)", "the document asks for more than 2000 fields"
	nest := func(n int) string {
		return "{ users { nodes" + strings.Repeat(" { org { users { nodes", n) + " { id }" + strings.Repeat(" } } }",
			n) + " } }"
	}
	for name, c := range map[string]struct{ token, document, want string }{
		"repeated fields": {"", "{" + strings.Repeat(" __typename", 10_000) + "}",
			"HEDDLE_MAX_ANONYMOUS_REQUEST"},
		"those that fit":    {"", "{" + strings.Repeat(" __typename", 1400) + "}", repeats},
		"those that may be": {"", "{" + strings.Repeat(" __typename", 500) + "}", ""},
		"repeated by fragments": {h.tokens[domain.Viewer], "{" + strings.Repeat(" ...{__typename}", 350) +
			"...A } fragment A on Query {" + strings.Repeat(" __typename", 151) + "}", repeats},
		"as an alias":           {h.tokens[domain.Viewer], "{" + strings.Repeat(" a:__typename", 501) + "}", repeats},
		"repeated, with token":  {h.tokens[domain.Viewer], "{" + strings.Repeat(" __typename", 10_000) + "}", tokens},
		"repeated short fields": {"", "{" + strings.Repeat(" a", 3000) + "}", tokens},
		"aliases": {h.tokens[domain.Viewer], "{" + strings.Repeat(" a:authenticatedUser{id}", 500) +
			"}", tokens},
		"aliases by fragments": {h.tokens[domain.Viewer], "{ a: authenticatedUser {" + aliases.String() +
			" } } fragment F on User { id name email tenantId a: id b: id }", large},
		"doubling fragments": {"", doubling(40, "__typename"), large},
		"doubling data":      {h.tokens[domain.Viewer], doubling(40, "authenticatedUser { id }"), large},
		"doubling under a field": {"", strings.Replace(doubling(40, "id"), "on Query", "on User", -1),
			"Fragment \"A\" cannot be spread here"},
		"doubling the schema": {"", strings.NewReplacer("{ ...A } ", `{ __type(name: "User") { ...A } } `,
			"on Query", "on __Type").Replace(doubling(40, "name")), large},
		"deep":              {h.tokens[domain.Viewer], nest(7), deep},
		"as deep as may be": {h.tokens[domain.Viewer], nest(5), ""},
		"deep in fragments": {h.tokens[domain.Viewer], "{ organization { ...A } } fragment A on Organization" +
			strings.Replace(nest(6), " users", " ... { users", 1) + "}", deep},
		"a ring of fragments": {"", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
			"Cannot spread fragment"},
		"the schema in circles": {h.tokens[domain.Viewer], "{ __schema { types {" +
			strings.Repeat(" fields { type {", 6) + " name" + strings.Repeat(" } }", 6) + " } } }",
			"Maximum introspection depth exceeded"},
		"many at the root": {h.tokens[domain.Viewer], aliased(31, "executionResults { totalCount }"), roots},
		"many, by fragments": {h.tokens[domain.Viewer], "{ ...A ... { a31: __typename } } fragment A on Query" +
			aliased(30, "__typename"), roots},
		"as many as may be":       {h.tokens[domain.Viewer], aliased(30, "executionResults { totalCount }"), ""},
		"the schema, often":       {h.tokens[domain.Viewer], aliased(10, "__schema { queryType { name } }"), large},
		"a type, often":           {h.tokens[domain.Viewer], aliased(10, `__type(name: "User") { name }`), large},
		"half as large, no issue": {h.tokens[domain.Viewer], doubling(8, "authenticatedUser { id }"), ""},
	} {
		a := h.ask(c.token, c.document, nil)
		switch {
		case c.want == "" && (a.Data == nil || string(a.Data) == "null"):
			t.Errorf("%s: refused: %d %.300s", name, a.status, a.body)
		case c.want != "" && (a.Data != nil || len(a.Errors) == 0 || !strings.Contains(a.Errors[0].Message, c.want)):
			t.Errorf("%s: answered %d %.300s, want %s", name, a.status, a.body, c.want)
		}
	}
}

// Lists inside lists multiply beyond what a limit on the document can see.
func TestAnswersAreBounded(t *testing.T) {
	h := newHarness(t)
	for i := range 60 {
		happen(h, h.as(h.org), domain.Users, domain.DeriveID(h.id, strconv.Itoa(i)),
			domain.UserCreated{Email: "x", Role: domain.Viewer})
	}
	for levels, refused := range map[int]bool{0: false, 1: false, 2: true, 5: true} {
		a := h.ask(h.tokens[domain.Viewer], "{ users { nodes"+strings.Repeat(" { org { users { nodes",
			levels)+" { id }"+strings.Repeat(" } } }", levels)+" } }", nil)
		if !refused && (len(a.Errors) > 0 || strings.Count(a.body, `"id"`) < 64) {
			t.Errorf("%d lists: answered %d %.300s", levels, a.status, a.body)
		}
		if refused && (a.status != 200 || string(a.Data) != "null" || a.code() != "INVALID" ||
			!strings.Contains(a.Errors[0].Message, "more than 100000 fields")) {
			t.Errorf("%d lists: answered %d %.300s", levels, a.status, a.body)
		}
	}
}

func TestLimitsComeFromTheOptions(t *testing.T) {
	h := newHarness(t, func(o *Options) {
		o.MaxDepth, o.MaxComplexity, o.MaxTokens, o.MaxRepeats, o.MaxRoots, o.MaxVariables = 2, 4, 20, 7, 2, 3
	})
	for document, want := range map[string]string{
		`{ organization { name } }`:                       "",
		`{ organization { users { totalCount } } }`:       "deeper than 2 fields (HEDDLE_MAX_DEPTH)",
		`{ organization { id name a: id } }`:              "",
		`{ organization { id name a: id b: id } }`:        "more than 4 fields",
		`{ organization { id` + strings.Repeat(" id", 20): "token limit of 20",
		`{` + strings.Repeat(" __typename", 7) + `}`:      "more than 4 fields",
		`{` + strings.Repeat(" __typename", 8) + `}`:      "one name more than 7 times (HEDDLE_MAX_REPEATS)",
		`{ a: __typename b: __typename }`:                 "",
		`{ a: __typename b: __typename c: __typename }`:   "more than 2 fields at its root (HEDDLE_MAX_ROOT_FIELDS)",
	} {
		a := h.ask(h.tokens[domain.Viewer], document, nil)
		if refused := len(a.Errors) > 0; refused != (want != "") || refused && !strings.Contains(a.Errors[0].Message,
			want) {
			t.Errorf("%s: answered %s, want %q", document, a.body, want)
		}
	}
	for _, c := range []struct {
		variables vars
		fits      bool
	}{{nil, true}, {vars{"a": 1, "b": 2}, true}, {vars{"a": []int{1}}, true}, {vars{"a": []int{1, 2}}, false},
		{vars{"a": vars{"b": vars{"c": 1}}}, false}, {vars{"a": 1, "b": nil, "c": 3}, false}} {
		a := h.ask(h.tokens[domain.Viewer], `{ __typename }`, c.variables)
		if fits := len(a.Errors) == 0; fits != c.fits || !fits && !strings.Contains(a.Errors[0].Message,
			"more than 3 values (HEDDLE_MAX_VARIABLES)") {
			t.Errorf("%v: answered %s", c.variables, a.body)
		}
	}
}

func TestOtherSites(t *testing.T) {
	const friend = "https://app.weavers.example"
	h := newHarness(t, func(o *Options) { o.Origins = []string{friend} })
	for name, c := range map[string]struct {
		headers []string
		status  int
		allowed string
	}{
		"no browser": {nil, 200, ""},
		"the same site": {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, 200,
			""},
		"the same site, older": {[]string{"Origin", "http://example.com"}, 200, ""},
		"another site":         {[]string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		"a sister site":        {[]string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		"another origin":       {[]string{"Origin", "https://evil.example"}, 403, ""},
		"another, with the header": {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403,
			""},
		"no origin":       {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, 403, ""},
		"a listed origin": {[]string{"Sec-Fetch-Site", "cross-site", "Origin", friend}, 200, friend},
		"a listed host, plain": {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "http://app.weavers.example"},
			403, ""},
		"a longer host": {[]string{"Sec-Fetch-Site", "cross-site", "Origin", friend + ".evil.example"}, 403,
			""},
	} {
		before := len(h.events())
		a := h.send(request(`{"query":"mutation { createCustomer(input: {name: \"A\"}) { customer { id } } }"}`,
			append(c.headers, "Authorization", "Bearer "+h.tokens[domain.Admin])...))
		if a.status != c.status || a.header.Get("Access-Control-Allow-Origin") != c.allowed ||
			a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: answered %d %v", name, a.status, a.header)
		}
		if wrote := h.since(before); (wrote != "") != (c.status == 200) {
			t.Errorf("%s: wrote %q", name, wrote)
		}
		if c.allowed != "" && a.header.Get("Vary") != "Origin" {
			t.Errorf("%s: a cache would mix up origins", name)
		}
	}
}

func TestPreflight(t *testing.T) {
	const friend = "https://app.weavers.example"
	h := newHarness(t, func(o *Options) { o.Origins = []string{friend} })
	for origin, want := range map[string]bool{friend: true, "https://evil.example": false, "": false} {
		r := httptest.NewRequest(http.MethodOptions, "/api", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		a := h.send(r)
		allowed := a.status == http.StatusNoContent && a.header.Get("Access-Control-Allow-Origin") == origin &&
			strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") &&
			strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") &&
			strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Content-Type")
		if allowed != want || !want && a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q: answered %d %v", origin, a.status, a.header)
		}
	}
	if _, err := NewHandler(h.Resolver, Options{Origins: []string{"not an origin"}}); err == nil ||
		!strings.Contains(err.Error(), "HEDDLE_ORIGINS") {
		t.Errorf("a bad origin in the configuration gives %v", err)
	}
}

// A GET only reads, and not for a browser that wants the page nor for another site: a link or an image
// on another page is a GET.
func TestMethods(t *testing.T) {
	h := newHarness(t)
	before := len(h.events())
	const query, mutation = `query=query+($a:Boolean!){organization{name@include(if:$a)}}&variables={"a":true}`,
		`query=mutation{createCustomer(input:{name:"A"}){customer{id}}}`
	for name, c := range map[string]struct {
		method, query string
		headers       []string
		status        int
		contains      string
	}{
		"a query": {"GET", query, nil, 200, `{"data":{"organization":{"name":"Weavers"}}}`},
		"one of two": {"GET", `query=query+A{__typename}query+B{b:__typename}&operationName=B`, nil, 200,
			`{"data":{"b":"Query"}}`},
		"newer":          {"GET", query, []string{"Accept", graphqlJSON}, 200, `Weavers`},
		"newer, and bad": {"GET", `query={a}`, []string{"Accept", graphqlJSON}, 400, `Cannot query field`},
		"an empty one":   {"GET", `query=`, nil, 400, `query is missing`},
		"variables, a list": {"GET", `query={__typename}&variables=[]`, nil, 400,
			`variables is not a JSON object`},
		"variables, and more": {"GET", `query={__typename}&variables={}{}`, nil, 400,
			`variables is not a JSON object`},
		"a long one": {"GET", `query={__typename}&x=` + strings.Repeat("x", int(DefaultOptions().MaxBody)),
			nil, 414, `(HEDDLE_MAX_REQUEST)`},
		"a subscription":         {"GET", `query=subscription{instanceChanged(id:"x"){id}}`, nil, 400, Subprotocol},
		"a mutation":             {"GET", mutation, nil, 405, mutationByGet},
		"a mutation, newer":      {"GET", mutation, []string{"Accept", graphqlJSON}, 405, mutationByGet},
		"a mutation in the page": {"GET", mutation, []string{"Accept", "text/html,*/*"}, 200, `<!DOCTYPE html>`},
		"a query in the page":    {"GET", query, []string{"Accept", "text/html,*/*"}, 200, `<!DOCTYPE html>`},
		"no document":            {"GET", "", nil, 200, `<!DOCTYPE html>`},
		"another site":           {"GET", query, []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		"another origin":         {"GET", query, []string{"Origin", "https://evil.example"}, 403, ""},
		"the page, from there": {"GET", "", []string{"Sec-Fetch-Site", "cross-site", "Accept", "text/html"}, 200,
			`<!DOCTYPE html>`},
		"HEAD":    {"HEAD", mutation, nil, 200, ""},
		"PUT":     {"PUT", mutation, nil, 405, ""},
		"DELETE":  {"DELETE", mutation, nil, 405, ""},
		"OPTIONS": {"OPTIONS", mutation, nil, 405, ""},
	} {
		r := httptest.NewRequest(c.method, "/api", nil)
		r.URL.RawQuery = c.query
		r.Header.Set("Authorization", "Bearer "+h.tokens[domain.Admin])
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		if a := h.send(r); a.status != c.status || !strings.Contains(a.body, c.contains) || strings.Contains(a.body,
			"Weavers") != strings.Contains(c.contains, "Weavers") {
			t.Errorf("%s: answered %d %.200s", name, a.status, a.body)
		}
	}
	if wrote := h.since(before); wrote != "" {
		t.Errorf("wrote %s", wrote)
	}
	for path, want := range map[string]int{"/api": 200, "/api/": 200, "/api/x": 405, "/": 404} {
		r := request(`{"query":"{ __typename }"}`)
		r.URL.Path = path
		if a := h.send(r); a.status != want && (want == 200 || a.Data != nil) {
			t.Errorf("POST %s: answered %d %s", path, a.status, a.body)
		}
	}
}

// The answer has the first media type of Accept that is served; one that streams only where it is wanted
// more than one that does not.
func TestAccept(t *testing.T) {
	h := newHarness(t)
	for accept, want := range map[string]string{"text/event-stream": eventStream,
		"text/event-stream, multipart/mixed": eventStream, "image/png, text/event-stream": eventStream,
		"application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed": graphqlJSON,
		"application/json, text/event-stream": plainJSON, "*/*": plainJSON, "image/png": plainJSON} {
		r := request(`{"query":"{ __typename }"}`, "Accept", accept)
		if got := h.send(r).header.Get("Content-Type"); got != want+"; charset=utf-8" {
			t.Errorf("%s: got %s, want %s", accept, got, want)
		}
	}
}

// A resolver that panics, and any failure that nobody expects, shows an id and nothing else; the log
// has the rest under the same id.
func TestPanic(t *testing.T) {
	h := newHarness(t)
	h.Runs = nil
	a := h.ask(h.tokens[domain.Viewer], `{ executionResult(id: "x") { id } }`, nil)
	if a.status != 200 || string(a.Data) != "null" || a.code() != "INTERNAL" {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	id, _ := a.Errors[0].Extensions["id"].(string)
	if want := "internal error " + id; id == "" || a.Errors[0].Message != want || len(a.Errors[0].Extensions) != 2 {
		t.Errorf("shows %+v", a.Errors[0])
	}
	if log := h.logged.String(); !strings.Contains(log, id) || !strings.Contains(log, "nil pointer") ||
		!strings.Contains(log, "execution.go") {
		t.Errorf("logged %s", log)
	}
}

func TestTimeIsUp(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Timeout = time.Nanosecond })
	before := len(h.events())
	a := h.ask(h.tokens[domain.Admin], customerDocument, vars{"name": "Acme"})
	if a.status != 200 || a.code() != "UNAVAILABLE" || a.Data != nil {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	if wrote := h.since(before); wrote != "" {
		t.Errorf("wrote %s", wrote)
	}
}

// Numbers beyond a float's precision in variables arrive as they were sent.
func TestNumbersKeepTheirDigits(t *testing.T) {
	h := newHarness(t)
	a := h.send(request(`{"query":"query ($id: ID!) { customer(id: $id) { id } }","variables":{"id":12345678901234567890}}`, "Authorization", "Bearer "+h.tokens[domain.Viewer]))
	if a.code() != "NOT_FOUND" {
		t.Errorf("answered %s", a.body)
	}
}
