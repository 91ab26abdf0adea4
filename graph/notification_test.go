package graph

import (
	"fmt"
	"strings"
	"testing"

	"heddle/domain"
)

const (
	noticesDocument = `query ($after: String, $first: Int) { notifications(after: $after, first: $first) { totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor }
		nodes { cursor type by { name } draft { id } thread approves text } } }`
	noticeFeed = `subscription ($after: String) { notificationAdded(after: $after) { cursor type } }`
)

// reviewed has everything happen to a draft that people are told of, and returns its id.
func (h *harness) reviewed() string {
	h.t.Helper()
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	h.do(policyReview, vars{"id": id, "n": 2})
	draft := h.drafted(id, "Next")
	h.edit(domain.Collaborator, draft, h.revision(draft), named("Better"))
	builder, reviewer := h.tokens[domain.Collaborator], h.tokens[domain.Reviewer]
	h.ask(builder, requestReview, vars{"id": draft, "to": []any{h.users[domain.Reviewer]}, "note": "Look."})
	thread := h.ask(reviewer, `mutation ($id: ID!) { openThread(input: {id: $id, text: "Why?"}) { thread { id } } }`,
		vars{"id": draft}).text("openThread.thread.id")
	h.ask(builder, `mutation ($id: ID!, $thread: ID!) { replyToThread(input: {id: $id, thread: $thread, text: "So."}) { `+errorFields+` } }`, vars{"id": draft, "thread": thread})
	h.ask(reviewer, verdictReview, vars{"id": draft, "yes": false, "comment": strings.Repeat("No. ", 100)})
	h.do(dismissReview, vars{"id": draft, "who": h.users[domain.Reviewer]})
	h.do(releaseDocument, vars{"id": draft, "why": "An outage."})
	return draft
}

// Whom each act is told to, what of it is shown, and in what order.
func TestNotifications(t *testing.T) {
	h := newHarness(t)
	draft := h.reviewed()
	for role, want := range map[domain.Role]string{
		domain.Collaborator: "REVIEW_BYPASSED VERDICT_DISMISSED VERDICT_GIVEN THREAD_OPENED",
		domain.Reviewer:     "REVIEW_BYPASSED VERDICT_DISMISSED COMMENT_ADDED REVIEW_REQUESTED",
		domain.Admin:        "",
		domain.Viewer:       "",
	} {
		if a := h.ask(h.tokens[role], noticesDocument, nil); a.texts("notifications.nodes", "type") != want ||
			len(a.Errors) > 0 {
			t.Errorf("%s is told %s", role, a.body)
		}
	}
	a := h.ask(h.tokens[domain.Collaborator], noticesDocument, nil)
	verdict := "notifications.nodes.2."
	if text := []rune(a.text(verdict + "text")); a.at(verdict+"approves") != false ||
		a.text(verdict+"by.name") != "REVIEWER" || len(text) != 280 || text[279] != '…' {
		t.Errorf("the verdict is told as %s", a.body)
	}
	if a.text("notifications.nodes.0.draft.id") != draft || a.text("notifications.nodes.0.text") != "An outage." ||
		a.text("notifications.nodes.3.thread") == "" || a.at("notifications.nodes.0.approves") != nil {
		t.Errorf("told %s", a.body)
	}
	id := h.ask(h.tokens[domain.Collaborator], `{ notifications { nodes { id } } }`,
		nil).text("notifications.nodes.2.id")
	for role, want := range map[domain.Role]string{domain.Collaborator: "VERDICT_GIVEN", domain.Reviewer: ""} {
		if a := h.ask(h.tokens[role], `query ($id: ID!) { node(id: $id) { ... on Notification { type } } }`,
			vars{"id": id}); a.text("node.type") != want {
			t.Errorf("by its id %s finds %s", role, a.body)
		}
	}
	foreign := h.organization("Others")
	if a := h.doAs(foreign, noticesDocument, nil); a.at("notifications.totalCount") != 0.0 {
		t.Errorf("another organization is told %s", a.body)
	}
}

func TestNotificationPages(t *testing.T) {
	h := newHarness(t)
	h.reviewed()
	var got []string
	v := vars{"first": 1}
	for n := range 4 {
		a := h.ask(h.tokens[domain.Collaborator], noticesDocument, v)
		got = append(got, a.text("notifications.nodes.0.type"))
		if a.at("notifications.totalCount") != 4.0 || a.at("notifications.pageInfo.hasNextPage") != (n < 3) ||
			a.at("notifications.pageInfo.hasPreviousPage") != (n > 0) {
			t.Errorf("page %d: %s", n, a.body)
		}
		v["after"] = a.text("notifications.edges.0.cursor")
	}
	if want := "REVIEW_BYPASSED VERDICT_DISMISSED VERDICT_GIVEN THREAD_OPENED"; strings.Join(got, " ") != want {
		t.Errorf("pages show %s", got)
	}
	for want, v := range map[string]vars{"is not a cursor": {"after": "x"},
		"must be between 0 and 100": {"first": 101}} {
		if a := h.ask(h.tokens[domain.Collaborator], noticesDocument, v); !strings.Contains(a.body, want) {
			t.Errorf("answered %s", a.body)
		}
	}
}

// The feed tells all, once, from wherever it is taken up again, and what comes while it is open.
func TestNotificationFeed(t *testing.T) {
	h := newHarness(t)
	live := h.connect(h.tokens[domain.Collaborator])
	live.subscribe("feed", noticeFeed, nil)
	h.reviewed()
	want := strings.Fields("THREAD_OPENED VERDICT_GIVEN VERDICT_DISMISSED REVIEW_BYPASSED")
	var cursors []string
	for _, kind := range want {
		a := live.next("feed")
		if a.text("notificationAdded.type") != kind {
			t.Fatalf("instead of %s came %s", kind, a.body)
		}
		cursors = append(cursors, a.text("notificationAdded.cursor"))
	}
	for n, cursor := range cursors {
		c := h.connect(h.tokens[domain.Collaborator])
		c.subscribe("again", noticeFeed, vars{"after": cursor})
		for _, kind := range want[n+1:] {
			if a := c.next("again"); a.text("notificationAdded.type") != kind {
				t.Fatalf("after %d instead of %s came %s", n, kind, a.body)
			}
		}
	}
	if a := h.ask(h.tokens[domain.Collaborator], noticesDocument,
		nil); a.text("notifications.nodes.0.cursor") != cursors[3] {
		t.Errorf("the list's cursor is %s, the feed's %s", a.text("notifications.nodes.0.cursor"), cursors[3])
	}
	h.reviewed()
	last := h.connect(h.tokens[domain.Collaborator])
	last.subscribe("rest", noticeFeed, vars{"after": cursors[3]})
	for n, kind := range want {
		if a, b := live.next("feed"), last.next("rest"); a.text("notificationAdded.type") != kind ||
			fmt.Sprint(a.at("notificationAdded")) != fmt.Sprint(b.at("notificationAdded")) {
			t.Errorf("%d: came %s and %s", n, a.body, b.body)
		}
	}
}
