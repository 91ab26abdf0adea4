package graph

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"heddle/domain"
)

const pageDocument = `query ($after: String, $first: Int) { customers(after: $after, first: $first) { totalCount pageInfo { hasNextPage endCursor } nodes { name } edges { cursor node { name } } } }`

func (h *harness) customers(from, to int) {
	h.t.Helper()
	for i := from; i < to; i++ {
		happen(h, h.as(h.org), domain.Customers, domain.DeriveID("page test", h.id, strconv.Itoa(i)),
			domain.CustomerCreated{Name: "c" + strconv.Itoa(i)})
	}
}

func TestPages(t *testing.T) {
	h := newHarness(t)
	h.customers(0, 105)
	for name, c := range map[string]struct {
		v    vars
		n    int
		more bool
	}{
		"none given":    {vars{}, 100, true},
		"null":          {vars{"after": nil, "first": nil}, 100, true},
		"an empty one":  {vars{"after": "", "first": 3}, 3, true},
		"nothing asked": {vars{"first": 0}, 0, true},
		"the most":      {vars{"first": 100}, 100, true},
	} {
		a := h.do(pageDocument, c.v)
		nodes, edges := a.at("customers.nodes").([]any), a.at("customers.edges").([]any)
		if len(nodes) != c.n || len(edges) != c.n || a.at("customers.pageInfo.hasNextPage") != c.more ||
			a.at("customers.totalCount") != 105.0 {
			t.Errorf("%s: %d nodes, %d edges of %s", name, len(nodes), len(edges), a.body)
		}
		if c.n > 0 && a.text("customers.pageInfo.endCursor") != a.text("customers.edges."+strconv.Itoa(c.n-1)+".cursor") {
			t.Errorf("%s: the end is not the last edge's: %s", name, a.body)
		}
	}
	for field, list := range map[string][]vars{
		"first: must be between 0 and 100": {{"first": 101}, {"first": -1}, {"first": 1 << 30}},
		"is not a cursor": {{"after": "5"}, {"after": "bm9uc2Vuc2U"}, {"after": "Y-1"},
			{"after": "Yzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"}, {"after": "💥"}},
	} {
		for _, v := range list {
			if a := h.ask(h.tokens[domain.Viewer], pageDocument, v); string(a.Data) != "null" ||
				a.code() != "INVALID" || !strings.Contains(a.Errors[0].Message, field) {
				t.Errorf("%v: answered %s", v, a.body)
			}
		}
	}
}

// Every kind of list can be gone through from its end, too.
func TestListsBackwards(t *testing.T) {
	h := newHarness(t)
	h.customers(0, 5)
	for i := range 5 {
		happen(h, h.org.system(t.Context()), domain.Runs, domain.DeriveID("page test", h.id, "run", strconv.Itoa(i)),
			domain.RunQueued{Instance: "i", FlowName: "f", Invoke: domain.InvokedByWebhook})
	}
	h.reviewed()
	for list, as := range map[string]domain.Role{"customers": domain.Admin, "executionResults": domain.Admin,
		"auditEvents":   domain.Admin,
		"notifications": domain.Collaborator, "components": domain.Admin} {
		document := "query ($after: String, $first: Int, $before: String, $last: Int) { list: " + list +
			"(after: $after, first: $first, before: $before, last: $last) { pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { id } } } }"
		ids := func(a reply) []string { return strings.Fields(a.texts("list.edges", "node.id")) }
		var forwards, backwards []string
		for v := (vars{"first": 2}); ; {
			a := h.ask(h.tokens[as], document, v)
			forwards = append(forwards, ids(a)...)
			if a.at("list.pageInfo.hasPreviousPage") != (v["after"] != nil) {
				t.Errorf("%s: %s", list, a.body)
			}
			if v = (vars{"first": 2, "after": a.text("list.pageInfo.endCursor")}); a.at("list.pageInfo.hasNextPage") == false {
				break
			}
		}
		for v := (vars{"last": 2}); ; {
			a := h.ask(h.tokens[as], document, v)
			backwards = append(ids(a), backwards...)
			if a.at("list.pageInfo.hasNextPage") != (v["before"] != nil) {
				t.Errorf("%s: %s", list, a.body)
			}
			if v = (vars{"last": 2, "before": a.text("list.pageInfo.startCursor")}); a.at("list.pageInfo.hasPreviousPage") == false {
				break
			}
		}
		if len(forwards) < 4 || !slices.Equal(forwards, backwards) {
			t.Errorf("%s: forwards %v, backwards %v", list, forwards, backwards)
		}
		for want, v := range map[string]vars{"last: must be between 0 and 100": {"last": 101},
			"is not a cursor": {"before": "x"}, "go with neither first nor after": {"last": 1, "first": 1}} {
			if a := h.ask(h.tokens[as], document, v); a.code() != "INVALID" || !strings.Contains(a.Errors[0].Message,
				want) {
				t.Errorf("%s %v: %s", list, v, a.body)
			}
		}
	}
}

// Pages fit together, each row once, also while rows are added behind them.
func TestPagesWhileRowsAreAdded(t *testing.T) {
	h := newHarness(t)
	h.customers(0, 7)
	var names []string
	after, added := "", 7
	for page := 0; ; page++ {
		a := h.do(pageDocument, vars{"after": after, "first": 3})
		if page < 3 {
			h.customers(added, added+2)
			added += 2
		}
		if len(a.at("customers.nodes").([]any)) > 0 {
			names = append(names, a.texts("customers.nodes", "name"))
		}
		if after = a.text("customers.pageInfo.endCursor"); a.at("customers.pageInfo.hasNextPage") == false {
			break
		}
	}
	var want []string
	for i := range added {
		want = append(want, "c"+strconv.Itoa(i))
	}
	if got := strings.Join(names, " "); got != strings.Join(want, " ") {
		t.Errorf("paging gave %s", got)
	}
}

// walk pages one element at a time through a list, of the root or of a parent, and gives a field of each.
func (h *harness) walk(parent, list, arguments, field string) string {
	h.t.Helper()
	start, end, path := "{ ", " }", list
	if parent != "" {
		name, _, _ := strings.Cut(parent, "(")
		start, end, path = "{ "+parent+" { ", " } }", name+"."+list
	}
	var all []string
	for after := ""; len(all) < 50; {
		a := h.do(start+list+`(first: 1, after: "`+after+`"`+arguments+`) { pageInfo { hasPreviousPage hasNextPage startCursor endCursor } nodes { `+field+` } }`+end, nil)
		all = append(all, strings.Fields(a.texts(path+".nodes", field))...)
		if a.at(path+".pageInfo.hasPreviousPage") != (after != "") ||
			a.at(path+".pageInfo.startCursor") != a.at(path+".pageInfo.endCursor") {
			h.t.Errorf("%s behind %q: %s", path, after, a.body)
		}
		if after = a.text(path + ".pageInfo.endCursor"); a.at(path+".pageInfo.hasNextPage") != true {
			break
		}
	}
	return strings.Join(all, " ")
}

// Every kind of list pages the same way.
func TestEveryListPages(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	v1 := h.published(h.org, id)
	h.do(importDocument, vars{"definition": strings.Replace(shop, "Sends orders on.", "Two.", 1), "onto": id})
	v2 := h.published(h.org, id)
	other := h.imported(h.org, strings.Replace(shop, "name: Shop\n", "name: Other\n", 1))
	acme := h.customer(h.org, "Acme")
	i1, i2 := h.instance(h.org, "one", v1, acme), h.instance(h.org, "two", v2, acme)
	e1, e2, e3 := h.executed(h.org, i1, 1), h.executed(h.org, i1, 0), h.executed(h.org, i2, 0)
	under := func(parent, id string) string { return parent + `(id: "` + id + `")` }
	for _, c := range []struct {
		list, arguments, field, parent, want string
	}{
		{"integrations", "", "id", "", id + " " + other},
		{"integrations", ", allVersions: true", "id", "", strings.Join([]string{id, v1, v2, other}, " ")},
		{"integrations", `, name_Icontains: "OTH"`, "id", "", other},
		{"instances", "", "id", "", i1 + " " + i2},
		{"customers", `, name_Icontains: "acm"`, "id", "", acme},
		{"customers", `, isSystem: true`, "id", "", ""},
		{"customers", `, isSystem: false`, "id", "", acme},
		{"executionResults", "", "id", "", e3 + " " + e2 + " " + e1},
		{"executionResults", `, instance: "` + i1 + `"`, "id", "", e2 + " " + e1},
		{"executionResults", `, isTestExecution: true`, "id", "", ""},
		{"executionResults", `, startedAt_Gte: "2020-01-01T00:00:00Z"`, "id", "", e1},
		{"executionResults", `, startedAt_Lte: "2020-01-01T00:00:00Z"`, "id", "", ""},
		{"versionSequence", "", "id", under("integration", id), v1 + " " + v2},
		{"versionSequence", ", sortBy: [{field: VERSION_NUMBER, direction: DESC}]", "id", under("integration", id), v2 +
			" " + v1},
		{"versionSequence", ", versionIsAvailable: true", "id", under("integration", v1), v1 + " " + v2},
		{"flows", "", "name", under("integration", id), "Orders Returns"},
		{"instances", "", "id", under("customer", acme), i1 + " " + i2},
		{"stepResults", "", "path", under("executionResult", e1), "hook tell"},
		{"stepResults", ", orderBy: {field: ENDED_AT, direction: DESC}", "path", under("executionResult", e1),
			"tell hook"},
		{"stepResults", `, displayStepName: "Tell"`, "path", under("executionResult", e1), "tell"},
		{"logs", "", "severity", under("executionResult", e1), "INFO WARN INFO"},
		{"executionSections", `, executionResult: "` + e1 + `"`, "label", "", "Hook"},
		{"logs", ", orderBy: {field: TIMESTAMP, direction: DESC}", "severity", under("executionResult", e1),
			"INFO WARN INFO"},
	} {
		if got := h.walk(c.parent, c.list, c.arguments, c.field); got != c.want {
			t.Errorf("%s%s: got %s, want %s", c.list, c.arguments, got, c.want)
		}
	}
	if got := strings.Fields(h.walk("", "users", "", "id")); len(got) != 4 {
		t.Errorf("users: %v", got)
	}
	if got := strings.Fields(h.walk("", "apiTokens", "", "id")); len(got) != 4 {
		t.Errorf("apiTokens: %v", got)
	}
}

// Cursors survive their own text: any place comes back, whatever is not one is refused.
func TestCursors(t *testing.T) {
	for _, place := range []uint64{0, 1, 1 << 40, 1<<64 - 1} {
		if got, err := parseCursor(cursor(place)); err != nil || got != place {
			t.Errorf("%d: read as %d, %v", place, got, err)
		}
	}
}
