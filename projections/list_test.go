package projections

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/store"
)

// The newest main draft is listed, in whatever order events come, and it is never changed in place.
func TestListed(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	shown := func(at store.Position) string {
		t.Helper()
		if err := v.Wait(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, l := range v.EachListed("o", false) {
			if l.Shown {
				all = append(all, l.ID+" "+l.Name+" "+l.Summary.Name())
			}
		}
		return strings.Join(all, ", ")
	}
	first, second := domain.MainDraftID("i", 0), domain.MainDraftID("i", 1)
	rename := func(name string) domain.DraftEdited {
		return domain.DraftEdited{Changes: []definition.Change{{Op: definition.SetOp, Path: []string{"name"},
			Value: name}}}
	}
	at := write(t, as("o"), log, domain.Drafts, first, domain.DraftOpened{Integration: "i", Main: true,
		Definition: node("ÄA")})
	if got := shown(at); got != "" {
		t.Errorf("a draft of nothing: %s", got)
	}
	if got := shown(write(t, as("o"), log, domain.Integrations, "i", domain.IntegrationCreated{})); got != "i äa ÄA" {
		t.Errorf("created: %s", got)
	}
	var old *Listed
	for _, l := range v.EachListed("o", false) {
		old = l
	}
	write(t, as("o"), log, domain.Drafts, first, rename("B"), domain.DraftClosed{Version: "v1", Definition: "h"})
	at = write(t, as("o"), log, domain.Drafts, second, domain.DraftOpened{Integration: "i", Main: true, Base: "v1",
		Definition: node("B")}, rename("C"),
		domain.DraftClosed{Version: "v2", Definition: "h"})
	if got := shown(at); got != "i c C" || old.Name != "äa" || old.Summary.Name() != "ÄA" {
		t.Errorf("edited: %s, before it was %s", got, old.Name)
	}
	for _, version := range []domain.IntegrationPublished{{Version: "v1", Number: 1, Draft: first},
		{Version: "v2", Number: 2, Draft: second}} {
		if got := shown(write(t, as("o"), log, domain.Integrations, "i", version)); got != "i c C" {
			t.Errorf("published late: %s", got)
		}
	}
	if draft, _ := v.MainDraft("i"); draft.ID != second {
		t.Errorf("the main draft is %s", draft.ID)
	}
	if got := shown(write(t, as("o"), log, domain.Integrations, "i", domain.IntegrationRemoved{})); got != "" {
		t.Errorf("removed: %s", got)
	}
}

func TestEachListedBothWays(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	var at store.Position
	for n := range 2*chunk + 3 {
		at = write(t, as("o"), log, domain.Integrations, strconv.Itoa(n), domain.IntegrationCreated{})
	}
	if err := v.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	listed := func(newestFirst bool) (ids []string) {
		for since, l := range v.EachListed("o", newestFirst) {
			if ids = append(ids, l.ID); since != v.Integrations.rows[l.ID].Since {
				t.Errorf("%s is at %d", l.ID, since)
			}
		}
		return ids
	}
	up, down := listed(false), listed(true)
	if slices.Reverse(down); len(up) != 2*chunk+3 || up[0] != "0" || !slices.Equal(up, down) {
		t.Errorf("%v\n%v", up, down)
	}
}
