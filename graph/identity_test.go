package graph

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// identities learns from answers which object has which id.
type identities struct {
	t     *testing.T
	types map[string]string // by id
	seen  map[string]bool   // types
}

// learn takes every object with an id out of an answer. In the whole server an id belongs to one type, and in
// one answer to one object.
func (ids identities) learn(a reply) {
	ids.t.Helper()
	if len(a.Errors) > 0 || a.Data == nil {
		ids.t.Fatalf("answered %s", a.body)
	}
	here := map[string]any{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if id, ok := v["id"].(string); ok {
				kind, _ := v["__typename"].(string)
				if other, known := ids.types[id]; known && other != kind {
					ids.t.Errorf("%s is the id of a %s and a %s", id, other, kind)
				}
				if other, known := here[id]; known && !reflect.DeepEqual(other, any(v)) {
					ids.t.Errorf("%s is the id of %s and %s", id, other, v)
				}
				ids.types[id], ids.seen[kind], here[id] = kind, true, v
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	var data any
	if err := json.Unmarshal(a.Data, &data); err != nil {
		ids.t.Fatal(err)
	}
	walk(data)
}

const (
	partsAsked  = ` { __typename id part name fields { __typename id path before after } } `
	policyAsked = `reviewPolicy { __typename id approvals isOwn } `
)

// What can't be asked for by its id has one all the same, by which clients tell it from all else.
func TestIDsOfValues(t *testing.T) {
	h := newHarness(t)
	ids := identities{t, map[string]string{}, map[string]bool{}}
	problem := strings.Replace(shop, "webhook-triggers, version: 10", "unknown-triggers, version: 1", 2)
	ids.learn(h.do(`mutation ($d: String!) { importIntegration(input: {definition: $d}) { warnings { __typename id message flow line } } }`, vars{"d": problem}))
	id := h.imported(h.org, shop)
	first := h.published(h.org, id)
	draft := h.drafted(id, "Next")
	at := h.revision(draft)
	h.edit(domain.Collaborator, draft, at, named("Mine"))
	ids.learn(h.do(`mutation ($id: ID!, $at: String!) { editDraft(input: {id: $id, expectedRevision: $at, changes: [{op: SET, path: ["labels"], value: "[\"l\"]"}]}) { missed { __typename id revision changes } } }`, vars{"id": draft, "at": at}))
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": draft, "yes": true})
	h.do(requestReview, vars{"id": draft})
	h.ask(h.tokens[domain.Reviewer], verdictReview, vars{"id": draft, "yes": true})
	h.edit(domain.Admin, draft, h.revision(draft), describing("Later."))
	planned := h.drafted(id, "Planned")
	h.edit(domain.Admin, planned, h.revision(planned), describing("Soon."))
	h.do(planReview, vars{"id": planned, "at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	h.edit(domain.Admin, id, h.draftAt(id), named("Theirs"))
	second := h.published(h.org, id)

	run, other := newID(), h.executed(h.org, newID(), 1)
	happen(h, h.org.system(t.Context()), domain.Runs, run, domain.RunQueued{Flow: newID(), Invoke: domain.InvokedByFlow,
		InvokedBy: &domain.InvokedBy{Execution: other, Path: "call", Depth: 1}},
		domain.RunClaimed{Claim: 1}, domain.RunFinished{Claim: 1, Result: domain.Completed})
	for document, v := range map[string]vars{
		`query ($id: ID!) { draft(id: $id) { __typename id changes` + partsAsked +
			` review { __typename id verdicts { __typename id changesSince` + partsAsked + ` } } } }`: {"id": draft},
		`query ($id: ID!) { draft(id: $id) { __typename id scheduledPublish { __typename id at } } }`: {"id": planned},
		`query ($a: ID!, $b: ID!, $c: ID!) { ab: integrationDifference(from: $a, to: $b) { __typename id parts` + partsAsked + ` } ac: integrationDifference(from: $a, to: $c) { __typename id parts` + partsAsked + ` }
			ba: integrationDifference(from: $b, to: $a) { __typename id parts` + partsAsked + ` } copy: integrationDifference(from: $a, to: $b) { __typename id parts` + partsAsked + ` } }`: {"a": first, "b": second, "c": draft},
		`query ($id: ID!) { organization { __typename id ` + policyAsked + `} integration(id: $id) { __typename id ` +
			policyAsked + `} }`: {"id": id},
		`mutation ($id: ID!, $at: String!) { rebaseDraft(input: {id: $id, expectedRevision: $at}) { conflicts { __typename id key } } }`: {"id": draft, "at": h.revision(draft)},
		`query ($id: ID!) { executionResult(id: $id) { __typename id invokedBy { __typename id executionId } } }`:                        {"id": run},
		`{ integrations(allVersions: true) { nodes { flows { nodes { __typename id trigger { __typename id action { __typename id key component { __typename id key } } } } } testConfigVariables { nodes { __typename id requiredConfigVariable { __typename id key defaultValue } } } } }
			instances { nodes { configVariables { nodes { __typename id requiredConfigVariable { __typename id key defaultValue } } } } } }`: nil,
	} {
		a, again := h.do(document, v), h.do(document, v)
		if ids.learn(a); string(a.Data) != string(again.Data) {
			t.Errorf("%s\nanswered %s, and then %s", document, a.body, again.body)
		}
	}
	ids.learn(h.do(`query ($id: ID!) { uploadMedia(objectId: $id, fileName: "a.md", mediaType: ATTACHMENT) { __typename id objectUrl } }`, vars{"id": id}))
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("feed", `subscription ($id: ID!) { draftFeed(id: $id) { __typename id type } }`, vars{"id": draft})
	ids.learn(c.next("feed"))
	ids.learn(c.next("feed"))
	c = h.connect(h.tokens[domain.Viewer])
	c.subscribe("run", `subscription ($id: ID!) { executionProgress(executionId: $id) { __typename id type } }`,
		vars{"id": run})
	ids.learn(c.next("run"))
	ids.learn(c.next("run"))
	c = h.connect(h.tokens[domain.Viewer])
	c.subscribe("here", `subscription ($id: ID!) { draftPresence(id: $id, session: "s") { __typename id presences { __typename id session } } }`, vars{"id": draft})
	ids.learn(c.next("here"))
	for _, kind := range strings.Fields("DefinitionProblem Draft DraftEdit DraftEvent ExecutionEvent FieldDifference IntegrationAction IntegrationDifference InvokedBy MergeConflict PartDifference Presence PresenceList RequiredConfigVariable ReviewPolicy ScheduledPublish UploadMediaResult Verdict") {
		if !ids.seen[kind] {
			t.Errorf("no %s was seen, only %v", kind, slices.Sorted(maps.Keys(ids.seen)))
		}
	}
}

// A policy is the same thing whatever it says and wherever it is told.
func TestReviewPolicyIDs(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	const asked = `query ($id: ID!) { organization { ` + policyAsked + `} integration(id: $id) { ` + policyAsked + `} }`
	before := h.do(asked, vars{"id": id})
	const set = `mutation ($id: ID) { setReviewPolicy(input: {integration: $id, approvals: 2}) { ` + policyAsked +
		errorFields + ` } }`
	for path, v := range map[string]vars{"organization": nil, "integration": {"id": id}} {
		was, is := before.text(path+".reviewPolicy.id"), h.do(set, v)
		if is.text("setReviewPolicy.reviewPolicy.id") != was ||
			is.at("setReviewPolicy.reviewPolicy.isOwn") != (path == "integration") {
			t.Errorf("%s: answered %s, before %s", path, is.body, before.body)
		}
		if now := h.do(asked, vars{"id": id}); !reflect.DeepEqual(now.at(path+".reviewPolicy"),
			is.at("setReviewPolicy.reviewPolicy")) {
			t.Errorf("%s: answered %s, then told %s", path, is.body, now.body)
		}
	}
}

// Whatever takes the id of a part takes the one that a difference tells.
func TestPartsOfDifferences(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	first := h.published(h.org, id)
	_, steps := h.firstFlow(id)
	h.edit(domain.Admin, id, "1.-1", set(steps[1], `"Say"`, "name"))
	part := h.do(`query ($a: ID!, $b: ID!) { integrationDifference(from: $a, to: $b) { parts { id part } } }`,
		vars{"a": first, "b": id}).text("integrationDifference.parts.0.id")
	if part == steps[1] {
		t.Fatal("the part has no id of its own")
	}
	if a := h.edit(domain.Admin, id, h.draftAt(id), set(part, `"Shout"`, "name")); a.refused("editDraft") != "" ||
		!strings.Contains(a.body, "Shout") {
		t.Errorf("answered %s", a.body)
	}
}

// Attempts of a flow repeat its steps: each has a result, an address and log lines of its own, by the same
// ids in lists and in the feed.
func TestAttemptsAreApart(t *testing.T) {
	h := newHarness(t)
	run := h.started(newID())
	step := func(attempt int, output string) domain.StepFinished {
		return domain.StepFinished{Claim: 1, Path: "fetch", Name: "Fetch", Attempt: attempt,
			Output: domain.Content{Inline: json.RawMessage(output), Size: len(output)},
			Log:    []domain.LogLine{{Severity: "INFO", Message: output}, {Severity: "INFO", Message: output}}}
	}
	ctx := h.org.system(t.Context())
	happen(h, ctx, domain.Runs, run, step(0, `"one"`), domain.StepRetried{Claim: 1, Path: "send", Name: "Send",
		Attempt: 1, Error: "broke", Log: []domain.LogLine{{Severity: "WARN", Message: "again"}}},
		domain.RunRestarted{Claim: 1, Attempt: 1, Error: "broke"}, step(1, `"two"`), domain.RunFinished{Claim: 1,
			Result: domain.Completed})
	a := h.do(`query ($id: ID!) { executionResult(id: $id) { stepResults { nodes { __typename id path result resultsUrl } } logs { nodes { __typename id message } } } }`, vars{"id": run})
	ids := identities{t, map[string]string{}, map[string]bool{}}
	ids.learn(a)
	if len(ids.types) != 2+8 {
		t.Errorf("%d ids in %s", len(ids.types), a.body)
	}
	for n, want := range []string{"one", "two"} {
		result := a.at("executionResult.stepResults.nodes").([]any)[n].(map[string]any)
		if w := h.fetch(result["resultsUrl"].(string)); !strings.Contains(w.Body.String(), want) {
			t.Errorf("the address of attempt %d tells %q", n, w.Body)
		}
		if got := h.do(`query ($id: ID!) { node(id: $id) { ... on InstanceStepResult { result } } }`,
			vars{"id": result["id"]}).text("node.result"); got != `"`+want+`"` {
			t.Errorf("attempt %d is found as %s", n, got)
		}
	}
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("tail", `subscription ($id: ID!) { logTail(executionId: $id) { node { id } } }`, vars{"id": run})
	var tail []string
	for range 8 {
		tail = append(tail, c.next("tail").text("logTail.node.id"))
	}
	listed := strings.Fields(a.texts("executionResult.logs.nodes", "id"))
	slices.Sort(tail)
	slices.Sort(listed)
	if !slices.Equal(tail, listed) {
		t.Errorf("the feed tells of %v, the list of %v", tail, listed)
	}
}
