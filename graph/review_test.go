package graph

import (
	"strings"
	"testing"

	"heddle/domain"
)

const (
	reviewFields   = ` draft { id reviewState approvals review { note link requestedBy { name } reviewers { name } verdicts { id by { name } approves comment holds dismissedBy { name } dismissedReason changesSince { name fields { path before after } } } } } ` + errorFields
	requestReview  = `mutation ($id: ID!, $to: [ID!], $note: String, $link: String) { requestReview(input: {id: $id, reviewers: $to, note: $note, link: $link}) { ` + reviewFields + ` } }`
	verdictReview  = `mutation ($id: ID!, $yes: Boolean!, $comment: String, $hash: String) { giveVerdict(input: {id: $id, approves: $yes, comment: $comment, changeHash: $hash}) { ` + reviewFields + ` } }`
	withdrawReview = `mutation ($id: ID!) { withdrawReview(input: {id: $id}) { ` + reviewFields + ` } }`
	dismissReview  = `mutation ($id: ID!, $who: ID!) { dismissVerdict(input: {id: $id, reviewer: $who, reason: "They left."}) { ` + reviewFields + ` } }`
	policyReview   = `mutation ($id: ID, $n: Int, $inherit: Boolean) { setReviewPolicy(input: {integration: $id, approvals: $n, inherit: $inherit}) { reviewPolicy { approvals selfApproval bypass isOwn } ` + errorFields + ` } }`
	planReview     = `mutation ($id: ID!, $at: DateTime!) { schedulePublish(input: {id: $id, at: $at, comment: "Then."}) { draft { scheduledPublish { at comment by { name } } } ` + errorFields + ` } }`
	threadFields   = ` thread { id part path place isOrphaned isResolved resolvedBy { name } appliedBy { name } suggestion comments { id by { name } text editedAt } } draft { id } ` + errorFields
)

// The whole way of a change: asked for, rejected, changed, approved by two, published.
func TestReview(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	if a := h.do(policyReview, vars{"n": 1}); a.at("setReviewPolicy.reviewPolicy.approvals") != 1.0 ||
		a.at("setReviewPolicy.reviewPolicy.isOwn") != false {
		t.Fatalf("set %s", a.body)
	}
	builder, reviewer := h.tokens[domain.Collaborator], h.tokens[domain.Reviewer]
	as := func(token, document string, v vars) reply { t.Helper(); return h.ask(token, document, v) }
	draft := h.drafted(id, "Better")
	h.edit(domain.Collaborator, draft, h.revision(draft), named("Better"))
	if got := as(builder, releaseDocument, vars{"id": draft,
		"why": ""}).refused("publishIntegration"); got != "id: the draft needs 1 approval to be published; ask for a review" {
		t.Errorf("unreviewed: %q", got)
	}
	a := as(builder, requestReview, vars{"id": draft, "to": []any{h.users[domain.Reviewer], h.users[domain.Reviewer]},
		"note": "Look.", "link": "https://shop.example/r"})
	if a.text("requestReview.draft.reviewState") != "PENDING" || a.texts("requestReview.draft.review.reviewers",
		"name") != "REVIEWER" || a.text("requestReview.draft.review.note") != "Look." {
		t.Fatalf("asked %s", a.body)
	}
	mine := func(token, v string, want float64) {
		t.Helper()
		if a := h.ask(token, `{ drafts(`+v+`) { totalCount } }`, nil); a.at("drafts.totalCount") != want {
			t.Errorf("%s: %s", v, a.body)
		}
	}
	mine(reviewer, "toReview: true", 1)
	mine(builder, "toReview: true", 0)
	mine(builder, "mine: true", 1)
	hash := h.do(draftDocument, vars{"id": draft}).text("draft.changeHash")
	if a := as(builder, verdictReview, vars{"id": draft, "yes": true}); a.code() != "FORBIDDEN" {
		t.Errorf("the author's own: %s", a.body)
	}
	if a := as(reviewer, verdictReview, vars{"id": draft, "yes": false, "comment": "Not so.",
		"hash": hash}); a.text("giveVerdict.draft.reviewState") != "REJECTED" {
		t.Errorf("rejected %s", a.body)
	}
	mine(reviewer, "toReview: true", 0)
	mine(builder, "reviewState: REJECTED", 1)
	h.edit(domain.Collaborator, draft, h.revision(draft), named("Best"))
	mine(reviewer, "toReview: true", 1) // what changed has to be looked at again
	a = h.do(`query ($id: ID!) { draft(id: $id) { review { verdicts { holds changesSince { fields { before after } } } } } }`, vars{"id": draft})
	if a.at("draft.review.verdicts.0.holds") != false ||
		a.text("draft.review.verdicts.0.changesSince.0.fields.0.before") != `"Better"` ||
		a.text("draft.review.verdicts.0.changesSince.0.fields.0.after") != `"Best"` {
		t.Errorf("since the verdict: %s", a.body)
	}
	if got := as(reviewer, verdictReview, vars{"id": draft, "yes": true,
		"hash": hash}).refused("giveVerdict"); got != "changeHash: the draft has changed since; look at it again" {
		t.Errorf("of what it was: %q", got)
	}
	if a := as(reviewer, verdictReview, vars{"id": draft,
		"yes": true}); a.text("giveVerdict.draft.reviewState") != "APPROVED" || a.at("giveVerdict.draft.approvals") != 1.0 {
		t.Errorf("approved %s", a.body)
	}
	before := len(h.events())
	if a := as(builder, releaseDocument, vars{"id": draft,
		"why": ""}); a.text("publishIntegration.integration.name") != "Best" || h.since(before) != "DraftClosed IntegrationPublished" {
		t.Errorf("published %s, wrote %s", a.body, h.since(before))
	}
}

func TestReviewIsBypassedForAReason(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	h.do(policyReview, vars{"id": id, "n": 2})
	draft := h.drafted(id, "Fix")
	h.edit(domain.Collaborator, draft, h.revision(draft), named("Fixed"))
	if a := h.ask(h.tokens[domain.Collaborator], releaseDocument,
		vars{"id": draft, "why": "An outage."}); a.code() != "FORBIDDEN" {
		t.Errorf("by who may not: %s", a.body)
	}
	before := len(h.events())
	if a := h.do(releaseDocument, vars{"id": draft, "why": "An outage."}); a.refused("publishIntegration") != "" ||
		h.since(before) != "ReviewBypassed DraftClosed IntegrationPublished" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	first := must(h, id).Versions[0].ID
	before = len(h.events())
	if got := h.do(rollBackDocument, vars{"id": first}).refused("rollBackIntegration"); got != "id: the draft needs 2 approvals to be published; ask for a review" || h.since(before) != "" {
		t.Errorf("going back past the policy: %q, wrote %s", got, h.since(before))
	}
	back := h.do(beginDocument, vars{"id": id, "name": "Back", "from": first}).text("createDraft.draft.id")
	if a := h.do(draftDocument, vars{"id": back}); a.text("draft.changes.0.fields.0.after") != `"Shop"` ||
		a.text("draft.authors.0.name") != "ADMIN" {
		t.Errorf("a draft to go back by: %s", a.body)
	}
	h.do(policyReview, vars{"id": id, "inherit": true})
	if a := h.do(releaseDocument, vars{"id": back}); a.text("publishIntegration.integration.name") != "Shop" {
		t.Errorf("under the organization's policy: %s", a.body)
	}
}

func TestReviewRefusals(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	many := make([]any, maxReviewers+1)
	for i := range many {
		many[i] = h.users[domain.Reviewer]
	}
	for want, v := range map[string]vars{
		"reviewers: are 51; a review is asked of at most 50": {"id": id, "to": many},
		"reviewers: Record not found: user": {"id": id,
			"to": []any{h.organization("Others").users[domain.Admin]}},
		"link: must be an http or https address": {"id": id, "link": "javascript:alert(1)"},
		"id: Record not found: integration":      {"id": "gone"},
	} {
		if got := h.do(requestReview, v).refused("requestReview"); got != want {
			t.Errorf("refused with %q, want %q", got, want)
		}
	}
	if got := h.do(requestReview, vars{"id": id,
		"to": []any{h.users[domain.Viewer]}}).refused("requestReview"); !strings.HasSuffix(got, "has the role VIEWER, which gives no verdicts") {
		t.Errorf("of a viewer: %q", got)
	}
	h.do(requestReview, vars{"id": id})
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": id, "yes": false, "comment": "No."})
	if a := h.do(dismissReview, vars{"id": id,
		"who": h.users[domain.Reviewer]}); a.text("dismissVerdict.draft.reviewState") != "PENDING" || a.text("dismissVerdict.draft.review.verdicts.0.dismissedReason") != "They left." {
		t.Errorf("dismissed %s", a.body)
	}
	if a := h.do(withdrawReview, vars{"id": id}); a.text("withdrawReview.draft.reviewState") != "WITHDRAWN" {
		t.Errorf("withdrawn %s", a.body)
	}
	if got := h.do(verdictReview, vars{"id": id, "yes": false,
		"comment": "No."}).refused("giveVerdict"); got != "id: the draft is not under review; ask for one first" {
		t.Errorf("of what was withdrawn: %q", got)
	}
	if got := h.do(policyReview, vars{"inherit": true}).refused("setReviewPolicy"); got != "inherit: give the integration that is to have the organization's policy" {
		t.Errorf("the organization's own: %q", got)
	}
}

func TestThreadsOnADraft(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id) // the main draft is not there: a comment opens it
	_, steps := h.firstFlow(id)
	reviewer := h.tokens[domain.Reviewer]
	open := `mutation ($id: ID!, $part: ID, $path: [String!], $suggestion: [DraftChangeInput!]) { openThread(input: {id: $id, part: $part, path: $path, text: "Why?", suggestion: $suggestion}) { ` + threadFields + ` } }`
	a := h.ask(reviewer, open, vars{"id": id, "part": steps[1], "path": []any{"name"},
		"suggestion": []any{set(steps[1], `"Say"`, "name")}})
	thread := a.text("openThread.thread.id")
	if thread == "" || !strings.HasPrefix(a.text("openThread.thread.place"), "name of step") ||
		a.text("openThread.thread.comments.0.by.name") != "REVIEWER" {
		t.Fatalf("opened %s", a.body)
	}
	a = h.do(`mutation ($id: ID!, $thread: ID!) { replyToThread(input: {id: $id, thread: $thread, text: "So."}) { `+threadFields+` } }`, vars{"id": id, "thread": thread})
	if a.texts("replyToThread.thread.comments", "text") != "Why? So." {
		t.Errorf("answered %s", a.body)
	}
	if got := h.do(`mutation ($id: ID!, $thread: ID!) { editComment(input: {id: $id, thread: $thread, comment: $thread, text: "x"}) { `+errorFields+` } }`, vars{"id": id, "thread": thread}).refused("editComment"); got != "comment: it is somebody else's; reply instead" {
		t.Errorf("editing another's: %q", got)
	}
	a = h.do(`mutation ($id: ID!, $thread: ID!) { applySuggestion(input: {id: $id, thread: $thread}) { `+threadFields+` } }`, vars{"id": id, "thread": thread})
	if a.at("applySuggestion.thread.isResolved") != true || a.text("applySuggestion.thread.appliedBy.name") != "ADMIN" {
		t.Errorf("applied %s", a.body)
	}
	if a := h.do(draftDocument, vars{"id": id}); !strings.Contains(a.text("draft.definition"), "name: Say\n") {
		t.Errorf("the draft is now %s", a.body)
	}
	h.edit(domain.Admin, id, h.draftAt(id), vars{"op": "REMOVE", "node": steps[1]})
	a = h.do(`query ($id: ID!) { draft(id: $id) { threads(isResolved: true) { isOrphaned place comments { text } } open: threads(isResolved: false) { id } } }`, vars{"id": id})
	if a.at("draft.threads.0.isOrphaned") != true || len(a.at("draft.open").([]any)) != 0 {
		t.Errorf("after the step is gone: %s", a.body)
	}
}

// Another's comment or verdict is no reason to refuse an edit that was begun before it.
func TestCommentsAreNotInTheWayOfEdits(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	at := h.draftAt(id)
	h.do(requestReview, vars{"id": id})
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": id, "yes": true})
	h.do(`mutation ($id: ID!) { openThread(input: {id: $id, text: "Why?"}) { `+errorFields+` } }`, vars{"id": id})
	if a := h.edit(domain.Collaborator, id, at, named("Other")); a.refused("editDraft") != "" ||
		len(a.at("editDraft.missed").([]any)) != 0 {
		t.Errorf("answered %s", a.body)
	}
}

// Who has suggested an edit does not approve it as somebody else's, nor a copy of the draft that has it.
func TestSuggestionsAreTheirAuthorsWork(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	reviewer := h.tokens[domain.Reviewer]
	thread := h.ask(reviewer, `mutation ($id: ID!) { openThread(input: {id: $id, text: "So.", suggestion: [{op: SET, path: ["name"], value: "\"Other\""}]}) { thread { id } } }`, vars{"id": id}).text("openThread.thread.id")
	h.do(`mutation ($id: ID!, $thread: ID!) { applySuggestion(input: {id: $id, thread: $thread}) { thread { id } `+errorFields+` } }`, vars{"id": id, "thread": thread})
	copied := h.do(forkDocument, vars{"input": vars{"parent": id,
		"name": "Copy"}}).text("forkIntegration.integration.id")
	for _, draft := range []string{id, copied} {
		h.do(requestReview, vars{"id": draft})
		if a := h.ask(reviewer, verdictReview, vars{"id": draft, "yes": true}); a.code() != "FORBIDDEN" {
			t.Errorf("approved %s", a.body)
		}
	}
}
