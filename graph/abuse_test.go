package graph

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heddle/domain"
)

// abuse is a request that is made to cost as much as it can, and how it is refused.
type abuse struct {
	name   string
	ask    func() reply
	status int
	code   string // of the error; none for what has to be served
	why    string
}

// long is a definition of so many steps; 900 are nearly as large as one may be.
func long(name string, steps int) string {
	b := strings.Builder{}
	fmt.Fprintf(&b, "definitionVersion: 7\nname: %s\nflows:\n  - name: F\n    steps:\n      - name: Hook\n        isTrigger: true\n", name)
	b.WriteString("        action: {component: {key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}\n        inputs: {}\n")
	for n := range steps {
		fmt.Fprintf(&b, "      - name: Step %d\n        action: {component: {key: log, isPublic: true, version: LATEST}, key: writeLog}\n        inputs: {message: {type: value, value: 'x%d'}}\n", n, n)
	}
	return b.String()
}

// abuses are what one caller can send at once, most of it with a token that may only read, where
// definitions have so many steps.
func (h *harness) abuses(steps int) []abuse {
	const mib = 1 << 20
	one, other := h.imported(h.org, long("One", steps)), h.imported(h.org, long("Other", steps))
	for n := range 3 {
		h.imported(h.org, long(fmt.Sprint("Number ", n), steps))
	}
	document := func(token domain.Role, text string, v vars) func() reply {
		return func() reply { return h.ask(h.tokens[token], text, v) }
	}
	body := func(role domain.Role, text string, headers ...string) func() reply {
		return func() reply {
			return h.send(request(text, append(headers, "Authorization", "Bearer "+h.tokens[role])...))
		}
	}
	texts := strings.Split(strings.Repeat("label ", 51_000), " ")
	unknown := strings.Builder{}
	for n := range 1_900 {
		fmt.Fprintf(&unknown, " x%d", n)
	}
	repeated := ""
	for _, name := range []string{"a", "b", "c"} {
		repeated += strings.Repeat(" "+name, 500)
	}
	const nobody, viewer, admin = domain.Role(""), domain.Viewer, domain.Admin
	const customer = `mutation ($l: [String]) { createCustomer(input: {name: \"Forged\", labels: $l}) { customer { id } } }`
	forged := `{"query":"` + customer + `"}`
	deep := "{ organization" + strings.Repeat(" { users { nodes { org", 100) + " { id }" + strings.Repeat(" } } }",
		100) + " }"
	return []abuse{
		{"10,000 fields, no token", document(nobody, "{"+strings.Repeat("a ", 8_000)+"}", nil), 200,
			"GRAPHQL_PARSE_FAILED", "token limit"},
		{"10,000 fields", document(viewer, "{"+strings.Repeat(" __typename", 10_000)+"}", nil), 200,
			"GRAPHQL_PARSE_FAILED", "token limit"},
		{"1,990 fields", document(viewer, "{"+strings.Repeat(" __typename", 1_990)+"}", nil), 200, "INVALID",
			"HEDDLE_MAX_REPEATS"},
		{"as many as may be", document(viewer, "{"+repeated+"}", nil), 200, "GRAPHQL_VALIDATION_FAILED", ""},
		{"as many with fields", document(viewer, "{"+strings.Repeat("organization{id}", 490)+"}", nil), 200, "", ""},
		{"1,900 unknown fields", document(viewer, "{"+unknown.String()+"}", nil), 200, "GRAPHQL_VALIDATION_FAILED", ""},
		{"aliases at the root", document(viewer, aliased(300, "users{totalCount}"), nil), 200, "INVALID",
			"HEDDLE_MAX_ROOT_FIELDS"},
		{"aliases of definitions", document(viewer, "{ integrations { nodes "+aliased(100, "definition")+" } }", nil),
			200, "INVALID", "the answer has more than"},
		{"aliases of flows", document(viewer, "{ integrations { nodes "+aliased(100, "flows{totalCount}")+" } }", nil),
			200, "INVALID", "the answer has more than"},
		{"aliases of differences", document(viewer,
			aliased(30, fmt.Sprintf("integrationDifference(from: %q, to: %q) { yaml }", one, other)),
			nil), 200, "INVALID", "the answer has more than"},
		{"aliases of the schema", document(viewer,
			aliased(30, "__schema { types { fields { args { name } type { name } } } }"),
			nil), 200, "INVALID", "HEDDLE_MAX_COMPLEXITY"},
		{"fragments that double", document(viewer, doubling(40, "users { totalCount }"), nil), 200, "INVALID",
			"HEDDLE_MAX_COMPLEXITY"},
		{"300 levels", document(viewer, deep, nil), 200, "INVALID", "HEDDLE_MAX_DEPTH"},
		{"50,000 values", document(admin, strings.ReplaceAll(customer, `\"`, `"`), vars{"l": texts}), 200, "INVALID",
			"HEDDLE_MAX_VARIABLES"},
		{"nested values", body(viewer, `{"query":"{__typename}","variables":{"a":`+strings.Repeat("[",
			9_000)+strings.Repeat("]", 9_000)+`}}`), 200, "", ""},
		{"2 MiB of values", body(viewer, `{"query":"{__typename}","variables":{"a":[`+strings.Repeat("{},",
			690_000)+`1]}}`), 200, "INVALID", "HEDDLE_MAX_VARIABLES"},
		{"8 MiB, no token", body(nobody, `{"query":"`+strings.Repeat(" ", 8*mib)+`"}`), 413, "INVALID",
			"HEDDLE_MAX_ANONYMOUS_REQUEST"},
		{"8 MiB", body(viewer, `{"query":"`+strings.Repeat(" ", 8*mib)+`"}`), 413, "INVALID", "HEDDLE_MAX_REQUEST"},
		{"another site", body(admin, forged, "Sec-Fetch-Site", "cross-site"), 403, "", ""},
		{"another site's form", body(admin, "query="+forged, "Content-Type", "application/x-www-form-urlencoded",
			"Sec-Fetch-Site", "cross-site"), 403, "", ""},
		{"a form", body(admin, forged, "Content-Type", "text/plain"), 415, "INVALID", "Content-Type"},
		{"another site's link", func() reply {
			r := httptest.NewRequest(http.MethodGet, "/api?query={__typename}", nil)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return h.send(r)
		}, 403, "", ""},
	}
}

// Every one of them is refused for what it is, and none changes anything. BenchmarkAbuse tells what they
// cost.
func TestAbuse(t *testing.T) {
	h := newHarness(t)
	all := h.abuses(200)
	before := len(h.events())
	for _, c := range all {
		a := c.ask()
		code := ""
		if len(a.Errors) > 0 {
			code, _ = a.Errors[0].Extensions["code"].(string)
		}
		served := a.Data != nil && string(a.Data) != "null"
		if a.status != c.status || code != c.code || !strings.Contains(a.body, c.why) || served != (c.status == 200 &&
			c.code == "") {
			t.Errorf("%s: answered %d %.300s", c.name, a.status, a.body)
		}
		if len(a.Errors) > maxErrors {
			t.Errorf("%s: %d errors", c.name, len(a.Errors))
		}
	}
	if wrote := h.since(before); wrote != "" {
		t.Errorf("wrote %s", wrote)
	}
}

// BenchmarkAbuse measures how much processor time, of all cores, each abuse takes: none more than 600 ms.
func BenchmarkAbuse(b *testing.B) {
	h := newHarness(b)
	for _, c := range h.abuses(900) {
		b.Run(c.name, func(b *testing.B) {
			before := processorTime()
			for b.Loop() {
				c.ask()
			}
			b.ReportMetric(float64((processorTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
	b.Run("2,000 subscriptions", func(b *testing.B) {
		instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
		before := processorTime()
		for b.Loop() {
			c := h.connect(h.tokens[domain.Viewer])
			for n := range 2_000 {
				c.subscribe(fmt.Sprint(n), `subscription ($id: ID!) { instanceChanged(id: $id) { id } }`,
					vars{"id": instance})
				c.read()
			}
			_ = c.conn.Close(websocket.StatusNormalClosure, "")
		}
		b.ReportMetric(float64((processorTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
	})
}

// processorTime is what this process has used, the clients of the benchmark included.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it fails for no argument given here
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
