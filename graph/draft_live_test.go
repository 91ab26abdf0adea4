package graph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"heddle/domain"
)

const (
	feedDocument     = `subscription ($id: ID!, $after: String) { draftFeed(id: $id, after: $after) { cursor type by { name } revision data } }`
	presenceDocument = `subscription ($id: ID!, $session: ID!, $part: ID) { draftPresence(id: $id, session: $session, part: $part) { presences { session user { name } part cursor } } }`
	quickDocument    = `mutation ($id: ID!, $at: String!, $changes: [DraftChangeInput!]!) { editDraft(input: {id: $id, expectedRevision: $at, changes: $changes}) { revision ` + errorFields + ` } }`
	moveDocument     = `mutation ($id: ID!, $session: ID!, $part: ID, $cursor: String) { movePresence(input: {draft: $id, session: $session, part: $part, cursor: $cursor}) { ` + errorFields + ` } }`
)

// beside is another process on the same log and Live.
func (h *harness) beside() *harness {
	h.t.Helper()
	other, resolver := *h, *h.Resolver
	other.Resolver, other.address = &resolver, ""
	o := DefaultOptions()
	door, err := NewHandler(&resolver, o)
	h.must(err)
	other.handler = door
	return &other
}

// What one does the other sees, in order, nothing twice and nothing missing, wherever the connection broke.
func TestDraftFeed(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	draft := h.drafted(id, "Next")
	author, reviewer := h.connect(h.tokens[domain.Collaborator]), h.beside().connect(h.tokens[domain.Reviewer])
	reviewer.subscribe("feed", feedDocument, vars{"id": draft})
	author.subscribe("edit", editDocument, vars{"id": draft, "at": "0.0", "changes": []any{named("First")}})
	author.next("edit")
	h.do(requestReview, vars{"id": draft})
	h.ask(h.tokens[domain.Collaborator], `mutation ($id: ID!) { openThread(input: {id: $id, text: "Why?", suggestion: [{op: SET, path: ["name"], value: "\"Better\""}]}) { thread { id } } }`, vars{"id": draft})
	thread := h.do(`query ($id: ID!) { draft(id: $id) { threads { id } } }`,
		vars{"id": draft}).text("draft.threads.0.id")
	h.do(`mutation ($id: ID!, $t: ID!) { applySuggestion(input: {id: $id, thread: $t}) { `+errorFields+` } }`,
		vars{"id": draft, "t": thread})
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": draft, "yes": true})
	h.do(releaseDocument, vars{"id": draft, "why": ""})
	want := strings.Fields("OPENED EDITED REVIEW_REQUESTED THREAD_OPENED EDITED SUGGESTION_APPLIED VERDICT_GIVEN PUBLISHING")
	var cursors []string
	for n, kind := range want {
		a := reviewer.next("feed")
		if a.text("draftFeed.type") != kind || a.text("draftFeed.revision") != fmt.Sprintf("0.%d", n) {
			t.Fatalf("instead of %s came %s", kind, a.body)
		}
		cursors = append(cursors, a.text("draftFeed.cursor"))
	}
	reviewer.expect(`{"id":"feed","type":"complete"}`)
	for n, cursor := range cursors {
		c := h.connect(h.tokens[domain.Viewer])
		c.subscribe("again", feedDocument, vars{"id": draft, "after": cursor})
		for _, kind := range want[n+1:] {
			if a := c.next("again"); a.text("draftFeed.type") != kind {
				t.Fatalf("after %d instead of %s came %s", n, kind, a.body)
			}
		}
		c.expect(`{"id":"again","type":"complete"}`)
	}
	others := h.organization("Others").tokens[domain.Admin]
	foreign := h.connect(others)
	foreign.subscribe("feed", feedDocument, vars{"id": draft})
	if text, _ := foreign.read(); !strings.Contains(text, `"NOT_FOUND"`) {
		t.Errorf("another organization is told %s", text)
	}
	const ended = `query ($id: ID!) { draft(id: $id) { name definition threads { id } version { versionNumber } } }`
	if a := h.ask(h.tokens[domain.Viewer], ended, vars{"id": draft}); a.text("draft.name") != "Next" ||
		a.at("draft.version.versionNumber") != 2.0 ||
		a.text("draft.threads.0.id") != thread || !strings.Contains(a.text("draft.definition"), "name: Better") {
		t.Errorf("now that it has ended it is %s", a.body)
	}
	if a := h.ask(others, ended, vars{"id": draft}); a.code() != "NOT_FOUND" {
		t.Errorf("another organization is told %s", a.body)
	}
}

// The list of what waits for a reviewer is live.
func TestDraftsChanged(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	c := h.connect(h.tokens[domain.Reviewer])
	c.subscribe("mine", `subscription { draftsChanged(toReview: true) { totalCount nodes { reviewState } } }`, nil)
	expect := func(want float64) {
		t.Helper()
		if a := c.next("mine"); a.at("draftsChanged.totalCount") != want {
			t.Fatalf("told %s", a.body)
		}
	}
	expect(0)
	h.do(requestReview, vars{"id": id, "to": []any{h.users[domain.Reviewer]}})
	expect(1)
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": id, "yes": true})
	expect(0)
	h.edit(domain.Collaborator, id, h.draftAt(id), named("Other"))
	expect(1)
	bad := h.connect(h.tokens[domain.Reviewer])
	bad.subscribe("bad", `subscription { draftsChanged(after: "x") { totalCount } }`, nil)
	if text, _ := bad.read(); !strings.Contains(text, "is not a cursor") {
		t.Errorf("a wrong cursor: %s", text)
	}
}

// seen waits until a socket was told that just these are there, as session:part.
func (c *socketClient) seen(want string) {
	c.t.Helper()
	for {
		a := c.next("here")
		var all []string
		list, _ := a.at("draftPresence.presences").([]any)
		for i := range list {
			at := fmt.Sprintf("draftPresence.presences.%d.", i)
			all = append(all, a.text(at+"session")+":"+a.text(at+"part")+a.text(at+"cursor"))
		}
		slices.Sort(all)
		if strings.Join(all, " ") == want {
			return
		}
	}
}

func TestPresence(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	other := h.beside()
	one, two := h.connect(h.tokens[domain.Admin]), other.connect(h.tokens[domain.Reviewer])
	one.subscribe("here", presenceDocument, vars{"id": id, "session": "s1"})
	one.seen("s1:")
	two.subscribe("here", presenceDocument, vars{"id": id, "session": "s2", "part": "p"})
	two.seen("s1: s2:p")
	one.seen("s1: s2:p")
	// on the first process, of one there
	h.do(moveDocument, vars{"id": id, "session": "s1", "part": "q", "cursor": "7"})
	two.seen("s1:q7 s2:p")
	h.ask(h.tokens[domain.Reviewer], moveDocument, vars{"id": id, "session": "s2", "part": "r"}) // of one on the other
	one.seen("s1:q7 s2:r")
	h.ask(h.tokens[domain.Viewer], moveDocument, vars{"id": id, "session": "s1", "part": "x"}) // nobody moves another
	_ = two.conn.CloseNow()
	one.seen("s1:q7")

	again := h.connect(h.tokens[domain.Admin])
	again.subscribe("here", presenceDocument, vars{"id": id, "session": "s1"})
	if text, _ := again.read(); !strings.Contains(text, "is here already") {
		t.Errorf("the same session twice: %s", text)
	}
	for want, v := range map[string]vars{
		"session: must have 1 to 100 bytes; a random id is fine": {"id": id, "session": ""},
		"cursor: has 1025 bytes; the limit is 1024": {"id": id, "session": "s",
			"cursor": strings.Repeat("x", 1025)},
		"part: must be the id of a part": {"id": id, "session": "s",
			"part": strings.Repeat("x", 101)},
		"id: Record not found: draft": {"id": "gone", "session": "s"},
	} {
		if got := h.do(moveDocument, v).refused("movePresence"); got != want {
			t.Errorf("refused with %q, want %q", got, want)
		}
	}
}

// A process that falls silent takes its people with it, sooner or later; what is told by newer versions is
// no harm.
func TestPresenceExpires(t *testing.T) {
	h := newHarness(t)
	in, signal, leave, err := h.presences.join("d", attendee{Session: "s", User: "u"})
	h.must(err)
	defer leave()
	<-signal
	in.hear([]byte(`{"from":"p","roster":[{"session":"t","user":"v"}]}`))
	in.hear([]byte(`{"from":"p","kind":7`))
	if n := len(in.everybody()); n != 2 {
		t.Fatalf("%d are there", n)
	}
	in.of.mu.Lock()
	in.others["p"] = roster{in.others["p"].list, time.Now().Add(-time.Second)}
	in.of.mu.Unlock()
	if in.expire(); len(in.everybody()) != 1 {
		t.Errorf("still there: %v", in.everybody())
	}
}

// Many edit one draft at once: no edit is lost, none is refused, and everybody sees the same.
func TestManyEditors(t *testing.T) {
	const editors, edits = 50, 4
	h := newHarness(t)
	id := h.imported(h.org, shop)
	want := 1 + editors*edits
	var working sync.WaitGroup
	feeds := make([][]string, editors)
	h.listen()
	for n := range editors {
		working.Go(func() { feeds[n] = h.editing(id, n, edits, want) })
	}
	working.Wait()
	for n, feed := range feeds {
		if len(feed) != want || !slices.Equal(feed, feeds[0]) {
			t.Errorf("editor %d saw %d events, the first saw %d, or others", n, len(feed), len(feeds[0]))
		}
	}
	content, err := h.content(h.as(h.org), Integration{integration: must(h, id)})
	h.must(err)
	for n := range editors {
		if got := content.Text(fmt.Sprintf("x-%d", n)); got != fmt.Sprint(edits-1) {
			t.Errorf("the last edit of %d is lost: %q", n, got)
		}
	}
}

// editing makes one editor's edits and gives what it saw of all, once that is as much as told.
func (h *harness) editing(id string, n, edits, want int) (feed []string) {
	c := h.connect(h.tokens[domain.Collaborator])
	c.subscribe("feed", feedDocument, vars{"id": id})
	at, left := "0.0", edits
	edit := func() {
		c.subscribe("edit", quickDocument, vars{"id": id, "at": at,
			"changes": []any{set("", fmt.Sprintf(`"%d"`, edits-left), fmt.Sprintf("x-%d", n))}})
	}
	edit()
	for left > 0 || len(feed) < want {
		text, _ := c.read()
		var m message
		var a reply
		h.must(json.Unmarshal([]byte(text), &m))
		switch {
		case m.ID == "feed" && m.Type == "next":
			h.must(json.Unmarshal(m.Payload, &a))
			feed = append(feed, a.text("draftFeed.revision"))
		case m.ID == "edit" && m.Type == "next":
			h.must(json.Unmarshal(m.Payload, &a))
			if a.refused("editDraft") != "" || len(a.Errors) > 0 {
				h.t.Errorf("editor %d was refused: %s", n, text)
				return feed
			}
			at = a.text("editDraft.revision")
			left--
		case m.ID == "edit" && m.Type == "complete":
			if left > 0 {
				edit()
			}
		default:
			h.t.Errorf("got %s", text)
			return feed
		}
	}
	return feed
}

// Every kind of event of a draft has a type of its own for clients, and every type but OTHER stands for some.
func TestDraftEventTypes(t *testing.T) {
	used := map[DraftEventType]bool{DraftEventTypeOther: true}
	for _, kind := range domain.Drafts.Kinds() {
		e, known := draftEvents[kind]
		if !known || e.Type == DraftEventTypeOther {
			t.Errorf("%s is OTHER to clients", kind)
		}
		used[e.Type] = true
	}
	for _, all := range AllDraftEventType {
		if !used[all] {
			t.Errorf("%s stands for nothing", all)
		}
	}
}
