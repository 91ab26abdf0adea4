package graph

import (
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// Whatever was is found as it was: an integration, a version, a draft, an instance, by time and by position.
func TestThePast(t *testing.T) {
	h := newHarness(t)
	start := time.Now().UTC()
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	draft := h.drafted(id, "Next")
	h.edit(domain.Admin, draft, h.revision(draft), named("First"))
	customer := h.customer(h.org, "Acme")
	instance := h.instance(h.org, "Before", version, customer)
	time.Sleep(2 * time.Millisecond) // times of events are whole microseconds
	then := time.Now().UTC()
	events := h.events()
	position := uint64(events[len(events)-1].Position)
	h.edit(domain.Admin, draft, h.revision(draft), named("Second"))
	h.edit(domain.Admin, id, h.draftAt(id), named("Main"))
	h.do(`mutation ($id: ID!) { updateInstance(input: {id: $id, name: "After"}) { instance { id } } }`,
		vars{"id": instance})
	h.do(endDocument, vars{"id": id})

	const past = `query ($id: ID!, $draft: ID!, $instance: ID!, $at: DateTime, $position: String) {
		integration(id: $id, asOf: $at, asOfPosition: $position) { name versionNumber definition draftRevision }
		draft(id: $draft, asOf: $at, asOfPosition: $position) { revision definition changes { fields { after } } version { id } authors { name } }
		instance(id: $instance, asOf: $at, asOfPosition: $position) { name } }`
	for name, v := range map[string]vars{"by time": {"at": then.Format(time.RFC3339Nano)},
		"by position": {"position": itoa(position)}} {
		v["id"], v["draft"], v["instance"] = id, draft, instance
		a := h.do(past, v)
		if a.text("integration.name") != "Shop" || a.at("integration.versionNumber") != 1.0 ||
			!strings.Contains(a.text("integration.definition"), "name: Shop\n") ||
			a.at("integration.draftRevision") != nil {
			t.Errorf("%s the integration was %s", name, a.body)
		}
		if a.text("draft.revision") != "0.1" || !strings.Contains(a.text("draft.definition"), "name: First\n") ||
			a.text("draft.changes.0.fields.0.after") != `"First"` {
			t.Errorf("%s the draft was %s", name, a.body)
		}
		if a.text("instance.name") != "Before" {
			t.Errorf("%s the instance was %s", name, a.body)
		}
	}
	for name, at := range map[string]time.Time{"before it was there": start, "after it has gone": time.Now()} {
		for _, document := range []string{`query ($id: ID!, $at: DateTime) { integration(id: $id, asOf: $at) { id } }`} {
			if a := h.ask(h.tokens[domain.Admin], document,
				vars{"id": id, "at": at.UTC().Format(time.RFC3339Nano)}); a.code() != "NOT_FOUND" {
				t.Errorf("%s: %s", name, a.body)
			}
		}
	}
	for want, v := range map[string]vars{"give either asOf or asOfPosition": {"at": then.Format(time.RFC3339),
		"position": "1"}, `"x" is no position`: {"position": "x"}} {
		v["id"], v["draft"], v["instance"] = id, draft, instance
		if a := h.ask(h.tokens[domain.Admin], past, v); !strings.Contains(a.body, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("answered %s", a.body)
		}
	}
	foreign := h.organization("Others").tokens[domain.Admin]
	if a := h.ask(foreign, `query ($id: ID!, $at: DateTime) { integration(id: $id, asOf: $at) { id } }`,
		vars{"id": id, "at": then.Format(time.RFC3339Nano)}); a.code() != "NOT_FOUND" {
		t.Errorf("another organization sees %s", a.body)
	}
}

// Any two of drafts, versions and moments can be compared.
func TestDifferenceOfDraftsAndMoments(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	draft := h.drafted(id, "Next")
	h.edit(domain.Admin, draft, h.revision(draft), named("First"))
	time.Sleep(2 * time.Millisecond)
	then := time.Now().UTC().Format(time.RFC3339Nano)
	h.edit(domain.Admin, draft, h.revision(draft), named("Second"))
	for name, c := range map[string]struct {
		v      vars
		before string
		after  string
	}{
		"a version and a draft":    {vars{"from": version, "to": draft}, `"Shop"`, `"Second"`},
		"a draft and its past":     {vars{"from": draft, "to": draft, "was": then}, `"First"`, `"Second"`},
		"a draft and the main one": {vars{"from": draft, "to": id}, `"Second"`, `"Shop"`},
	} {
		a := h.do(`query ($from: ID!, $to: ID!, $was: DateTime) { integrationDifference(from: $from, to: $to, fromAsOf: $was) { yaml parts { fields { before after } } } }`, c.v)
		at := "integrationDifference.parts.0.fields.0."
		if a.text(at+"before") != c.before || a.text(at+"after") != c.after ||
			!strings.Contains(a.text("integrationDifference.yaml"), "+name: "+strings.Trim(c.after, `"`)) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}
