package graph

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"heddle/domain"
	"heddle/store"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

const auditDocument = `query ($actor: ID, $kinds: [String!], $subject: ID, $from: DateTime, $to: DateTime, $up: Boolean, $after: String, $first: Int) {
	auditEvents(actor: $actor, kinds: $kinds, subject: $subject, from: $from, to: $to, ascending: $up, after: $after, first: $first) { totalCount pageInfo { hasNextPage endCursor }
		nodes { position kind subjectType subject revision at actor user { name } token { name } remoteAddress correlation data hash previousHash } } }`

// busy is a house with a history.
func busy(t *testing.T) (h *harness, id, draft string) {
	h = newHarness(t)
	h.org2()
	id = h.imported(h.org, shop)
	h.published(h.org, id)
	draft = h.drafted(id, "Next")
	h.edit(domain.Collaborator, draft, h.revision(draft), named("First"))
	h.do(requestReview, vars{"id": draft})
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": draft, "yes": false, "comment": "No."})
	h.do(releaseDocument, vars{"id": draft, "why": "An outage."})
	return h, id, draft
}

// org2 does something in another organization, which no audit but its own shows.
func (h *harness) org2() { h.imported(h.organization("Others"), shop) }

func TestAudit(t *testing.T) {
	h, id, draft := busy(t)
	kinds := func(v vars) string {
		t.Helper()
		return h.do(auditDocument, v).texts("auditEvents.nodes", "kind")
	}
	if got := kinds(vars{"subject": draft, "up": true}); got != "DraftOpened DraftEdited ReviewRequested VerdictGiven ReviewBypassed DraftClosed" {
		t.Errorf("of the draft: %s", got)
	}
	if got := kinds(vars{"subject": id, "kinds": []any{"IntegrationCreated", "IntegrationPublished",
		"ReviewBypassed"}}); got != "IntegrationPublished ReviewBypassed IntegrationPublished IntegrationCreated" {
		t.Errorf("of the integration with its drafts, the newest first: %s", got)
	}
	if got := kinds(vars{"actor": h.users[domain.Reviewer]}); got != "VerdictGiven" {
		t.Errorf("of the reviewer: %s", got)
	}
	a := h.do(auditDocument, vars{"kinds": []any{"ReviewBypassed"}})
	at := "auditEvents.nodes.0."
	if a.text(at+"user.name") != "ADMIN" || a.text(at+"token.name") != "test" || a.text(at+"subject") != draft ||
		a.text(at+"subjectType") != "draft" || a.text(at+"remoteAddress") == "" ||
		a.text(at+"data") != `{"reason":"An outage."}` || a.text(at+"hash") == "" || a.text(at+"previousHash") == "" ||
		a.text(at+"correlation") == "" || a.at(at+"revision") != 4.0 {
		t.Errorf("a bypass is told as %s", a.body)
	}
	node := func(token string) reply {
		return h.ask(token, `query ($id: ID!) { node(id: $id) { id ... on AuditEvent { kind } } }`,
			vars{"id": auditID + a.text(at+"position")})
	}
	if b := node(h.tokens[domain.Admin]); b.text("node.kind") != "ReviewBypassed" {
		t.Errorf("by its id it is %s", b.body)
	}
	for _, token := range []string{h.tokens[domain.Viewer], h.organization("Third").tokens[domain.Admin]} {
		if b := node(token); b.at("node") != nil {
			t.Errorf("who may not read the audit finds %s", b.body)
		}
	}
	when := a.text(at + "at")
	// they may share a microsecond
	if got := kinds(vars{"subject": draft, "from": when}); got != "DraftClosed ReviewBypassed" && got != "DraftClosed" {
		t.Errorf("from then on: %s", got)
	}
	if got := kinds(vars{"subject": draft, "to": when}); !strings.HasSuffix(got,
		"VerdictGiven ReviewRequested DraftEdited DraftOpened") {
		t.Errorf("until then: %s", got)
	}
	if a := h.do(auditDocument, vars{"kinds": []any{"IntegrationCreated"}}); a.at("auditEvents.totalCount") != 1.0 {
		t.Errorf("another organization's are told: %s", a.body)
	}
	var paged []string
	for after := ""; ; {
		a := h.do(auditDocument, vars{"subject": draft, "first": 2, "after": after})
		paged = append(paged, a.texts("auditEvents.nodes", "kind"))
		if after = a.text("auditEvents.pageInfo.endCursor"); a.at("auditEvents.pageInfo.hasNextPage") != true {
			break
		}
	}
	if got := strings.Join(paged, " "); got != "DraftClosed ReviewBypassed VerdictGiven ReviewRequested DraftEdited DraftOpened" {
		t.Errorf("page by page: %s", got)
	}
}

// What people do to executions is in the audit, what machines do is not.
func TestAuditOfExecutions(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	run := h.executed(h.org, domain.SystemInstanceID(id), 1)
	h.do(`mutation ($id: ID!) { replayExecution(input: {id: $id}) { executionResult { id } `+errorFields+` } }`,
		vars{"id": run})
	a := h.do(auditDocument, vars{"kinds": []any{"RunQueued"}, "actor": h.users[domain.Admin]})
	if a.at("auditEvents.totalCount") != 1.0 || !strings.Contains(a.text("auditEvents.nodes.0.data"),
		`"replayOf":"`+run+`"`) {
		t.Errorf("a replay is told as %s", a.body)
	}
	happen(h, store.As(t.Context(), store.Author{Organization: h.id, Actor: "trigger"}), domain.Runs, newID(),
		domain.RunQueued{Instance: "i"})
	if a := h.do(auditDocument, vars{"actor": "trigger"}); a.at("auditEvents.totalCount") != 0.0 {
		t.Errorf("what a trigger did is told: %s", a.body)
	}
}

// exported asks for an export with a token.
func (h *harness) exported(token string, query url.Values) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(http.MethodGet, auditPath+"?"+query.Encode(), nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

// The export can be checked by whoever has it: any change of it shows.
func TestAuditExport(t *testing.T) {
	h, _, draft := busy(t)
	w := h.exported(h.tokens[domain.Admin], nil)
	text := w.Body.String()
	head, err := store.VerifyExport(strings.NewReader(text))
	if err != nil || w.Code != http.StatusOK || head.Events != strings.Count(text, "\n") || head.Gaps != 0 ||
		head.Events != head.Linked+head.Streams {
		t.Fatalf("%d: %+v, %v", w.Code, head, err)
	}
	if strings.Contains(text, "Others") || !strings.Contains(text, "ReviewBypassed") {
		t.Error("the export holds another organization's events, or not all of its own")
	}
	lines := strings.SplitAfter(text, "\n")
	swapped := strings.Join(append([]string{lines[1], lines[0]}, lines[2:]...), "")
	for name, changed := range map[string]string{
		"another text":    strings.Replace(text, "An outage.", "No reason.", 1),
		"another actor":   strings.Replace(text, h.users[domain.Reviewer], h.users[domain.Admin], 1),
		"another hash":    strings.Replace(text, `"hash":"`, `"hash":"0`, 1),
		"cut in the line": text[:len(text)-9],
		"no export":       "x",
	} {
		if _, err := store.VerifyExport(strings.NewReader(changed)); err == nil || changed == text {
			t.Errorf("%s is not noticed", name)
		}
	}
	if _, err := store.VerifyExport(strings.NewReader(swapped)); err == nil && lines[0][:90] == lines[1][:90] {
		t.Error("another order is not noticed")
	}
	part := h.exported(h.tokens[domain.Admin],
		url.Values{"subject": {draft}, "kind": {"DraftOpened", "ReviewBypassed"}})
	if head, err := store.VerifyExport(bytes.NewReader(part.Body.Bytes())); err != nil || head.Events != 2 ||
		head.Gaps != 1 {
		t.Errorf("a part: %+v, %v", head, err)
	}
	for want, c := range map[int]struct {
		token string
		query url.Values
	}{
		http.StatusUnauthorized: {"", nil},
		http.StatusForbidden:    {h.tokens[domain.Reviewer], nil},
		http.StatusBadRequest:   {h.tokens[domain.Admin], url.Values{"from": {"yesterday"}}},
	} {
		if got := h.exported(c.token, c.query).Code; got != want {
			t.Errorf("answered %d, want %d", got, want)
		}
	}
}
