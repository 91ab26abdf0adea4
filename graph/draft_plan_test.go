package graph

import (
	"context"
	"sync"
	"testing"
	"time"

	"heddle/domain"
)

// planning publishes what is planned on so many processes at once, until the test ends.
func (h *harness) planning(processes int) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for range processes {
		working.Go(func() { _ = h.Authoring.PublishScheduled(ctx) })
	}
	h.t.Cleanup(func() { cancel(); working.Wait() })
}

// plan has a draft published in a moment.
func (h *harness) plan(id string) {
	h.t.Helper()
	at := time.Now().Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	if a := h.do(planReview, vars{"id": id, "at": at}); a.refused("schedulePublish") != "" ||
		a.text("schedulePublish.draft.scheduledPublish.by.name") != "ADMIN" {
		h.t.Fatal(a.body)
	}
}

// until waits for events of a kind after the first n.
func (h *harness) until(n int, want string) {
	h.t.Helper()
	signal, stop := h.View.Watch()
	defer stop()
	for timeout := time.After(20 * time.Second); h.since(n) != want; {
		select {
		case <-signal:
		case <-timeout:
			h.t.Fatalf("there is %q, not %q", h.since(n), want)
		}
	}
}

func TestPlannedPublish(t *testing.T) {
	h := newHarness(t)
	h.planning(3)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	draft := h.drafted(id, "Later")
	h.edit(domain.Admin, draft, h.revision(draft), named("Later"))
	before := len(h.events())
	h.plan(draft)
	h.until(before, "PublishScheduled DraftClosed IntegrationPublished")
	if v, _ := must(h, id).Newest(); v.Note != "Then." || v.PublishedBy != h.users[domain.Admin] || v.Draft != draft {
		t.Errorf("published %+v", v)
	}
}

func TestPlannedPublishIsGivenUp(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	edited, overtaken, barred := h.drafted(id, "Edited"), h.drafted(id, "Overtaken"), h.drafted(id, "Barred")
	for _, d := range []string{edited, overtaken, barred} {
		h.edit(domain.Admin, d, h.revision(d), named(d))
	}
	before := len(h.events())
	h.plan(edited)
	h.edit(domain.Collaborator, edited, h.revision(edited), named("Other"))
	if got := h.since(before); got != "PublishScheduled DraftEdited PublishUnscheduled" {
		t.Errorf("an edit writes %s", got)
	}
	h.plan(overtaken)
	h.plan(barred)
	h.do(policyReview, vars{"id": id, "n": 1})
	before = len(h.events())
	h.planning(1)
	h.until(before, "PublishUnscheduled PublishUnscheduled")
	for _, d := range []string{overtaken, barred} {
		if a := h.do(draftDocument, vars{"id": d}); a.at("draft.scheduledPublish") != nil {
			t.Errorf("still planned: %s", a.body)
		}
	}
	h.do(policyReview, vars{"id": id, "n": 0})
	h.plan(overtaken)
	before = len(h.events())
	h.do(releaseDocument, vars{"id": edited})
	h.until(before, "DraftClosed IntegrationPublished PublishUnscheduled")
	main := h.imported(h.org, shop)
	if got := h.do(planReview, vars{"id": main,
		"at": "2020-01-01T00:00:00Z"}).refused("schedulePublish"); got != "at: 2020-01-01T00:00:00Z has passed; give a time to come, or publish now" {
		t.Errorf("a time that has passed: %q", got)
	}
}
