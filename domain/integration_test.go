package domain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/definition"
)

func TestIntegrationDecides(t *testing.T) {
	closed := DraftClosed{Version: "v1", Definition: "hash", Note: "n", Attributes: "{}"}
	first := IntegrationPublished{Version: "v1", Number: 1, Note: "n", Attributes: "{}", Definition: "hash",
		Draft: "d0"}
	second := IntegrationPublished{Version: "v2", Number: 2, Definition: "hash2", Draft: "d1"}
	publish := func(draft, base string, c DraftClosed) func(Integration) (Changes[Integration], error) {
		return func(i Integration) (Changes[Integration], error) { return i.Publish(draft, base, c) }
	}
	create := func(e IntegrationCreated) func(Integration) (Changes[Integration], error) {
		return func(i Integration) (Changes[Integration], error) { return i.Create(e) }
	}
	decides(t, Integrations, map[string]row[Integration]{
		"a new one": {when: create(IntegrationCreated{}), then: events[Integration](IntegrationCreated{})},
		"a copy": {when: create(IntegrationCreated{Parent: "p"}),
			then: events[Integration](IntegrationCreated{Parent: "p"})},
		"one there": {given: events[Integration](IntegrationCreated{}),
			when: create(IntegrationCreated{Parent: "p"})},
		"the first version": {given: events[Integration](IntegrationCreated{}), when: publish("d0", "", closed),
			then: events[Integration](first)},
		"the next version": {given: events[Integration](IntegrationCreated{}, first),
			when: publish("d1", "v1", DraftClosed{Version: "v2", Definition: "hash2"}),
			then: events[Integration](second)},
		"a version there": {given: events[Integration](IntegrationCreated{}, first, second),
			when: publish("d0", "", closed)},
		"of an older one": {given: events[Integration](IntegrationCreated{}, first, second),
			when:    publish("d1", "v1", DraftClosed{Version: "v3"}),
			refused: "CONFLICT id: version 2 was published since the draft was begun; rebase the draft onto it first"},
		"of no integration": {when: publish("d0", "", closed), refused: "NOT_FOUND id: Record not found: integration"},
	})
	i := folded(t, Integrations, events[Integration](IntegrationCreated{Parent: "p"}, first, second))
	want := Integration{ID: "id", Organization: "org", Parent: "p", CreatedAt: start, CreatedBy: "actor",
		Versions: []Version{
			{ID: "v1", Number: 1, Note: "n", Attributes: "{}", Definition: "hash", Draft: "d0",
				PublishedAt: start.Add(time.Second), PublishedBy: "actor"},
			{ID: "v2", Number: 2, Definition: "hash2", Draft: "d1", PublishedAt: start.Add(2 * time.Second),
				PublishedBy: "actor"}}}
	if diff := cmp.Diff(want, i); diff != "" {
		t.Error(diff)
	}
	if newest, ok := i.Newest(); !ok || newest.ID != "v2" {
		t.Errorf("the newest is %+v", newest)
	}
	if _, ok := (Integration{}).Newest(); ok {
		t.Error("an integration without versions has a newest one")
	}
	if v, ok := i.Version("v1"); !ok || v.Number != 1 {
		t.Errorf("v1 is %+v", v)
	}
	if _, ok := i.Version(""); ok {
		t.Error("finds a version without an id")
	}
}

func TestVersionsDecide(t *testing.T) {
	first := IntegrationPublished{Version: "v1", Number: 1, Note: "n", Definition: "h"}
	second := IntegrationPublished{Version: "v2", Number: 2, Definition: "h2"}
	there := events[Integration](IntegrationCreated{}, first, second)
	after := func(e ...Event[Integration]) []Event[Integration] { return append(there[:3:3], e...) }
	off, on := VersionAvailabilitySet{Version: "v2"}, VersionAvailabilitySet{Version: "v2", Available: true}
	said := func(version, note string, labels ...string) VersionUpdated {
		return VersionUpdated{Version: version, Note: &note, Labels: &labels}
	}
	update := func(e VersionUpdated) func(Integration) (Changes[Integration], error) {
		return func(i Integration) (Changes[Integration], error) { return i.UpdateVersion(e) }
	}
	available := func(version string, available bool) func(Integration) (Changes[Integration], error) {
		return func(i Integration) (Changes[Integration], error) { return i.SetAvailability(version, available) }
	}
	const missing = "NOT_FOUND id: Record not found: integration"
	decides(t, Integrations, map[string]row[Integration]{
		"a note and labels": {given: there, when: update(said("v1", "m", "B", "a", "b")),
			then: events[Integration](said("v1", "m", "a", "b"))},
		"the same again": {given: after(said("v1", "m", "a", "b")), when: update(said("v1", "m", "B", "a"))},
		"only a note": {given: after(said("v1", "m", "a")), when: update(said("v1", "", "a")),
			then: events[Integration](VersionUpdated{Version: "v1", Note: said("", "").Note})},
		"nothing": {given: there, when: update(VersionUpdated{Version: "v1"})},
		"of no version": {given: there, when: update(said("x", "m")),
			refused: "NOT_FOUND id: Record not found: version"},
		"of no integration":   {when: update(said("v1", "m")), refused: missing},
		"unavailable":         {given: there, when: available("v2", false), then: events[Integration](off)},
		"unavailable already": {given: after(off), when: available("v2", false)},
		"available again":     {given: after(off), when: available("v2", true), then: events[Integration](on)},
		"available already":   {given: there, when: available("v2", true)},
		"availability of none": {given: there, when: available("x", true),
			refused: "NOT_FOUND id: Record not found: version"},
		"removing":       {given: there, when: Integration.Remove, then: events[Integration](IntegrationRemoved{})},
		"removing again": {given: after(IntegrationRemoved{}), when: Integration.Remove},
		"removing none":  {when: Integration.Remove, refused: missing},
		"publishing a removed": {given: after(IntegrationRemoved{}),
			when: func(i Integration) (Changes[Integration], error) {
				return i.Publish("d", "v2", DraftClosed{Version: "v3"})
			}, refused: missing},
		"a removed one's version": {given: after(IntegrationRemoved{}), when: available("v2", false), refused: missing},
	})
	for name, c := range map[string]struct {
		given   []Event[Integration]
		version string
		want    string
		refused string
	}{
		"the newest":           {there, "", "v2", ""},
		"the newest available": {after(off), "", "v1", ""},
		"one":                  {there, "v1", "v1", ""},
		"an unavailable one": {after(off), "v2", "v2",
			"INVALID integration: version 2 is not available; make it available, or choose another"},
		"none available": {after(off, VersionAvailabilitySet{Version: "v1"}), "", "",
			"INVALID integration: has no available version; make one available first"},
		"none published": {there[:1], "", "", "INVALID integration: has no published version; publish it first"},
	} {
		if v, err := folded(t, Integrations, c.given).VersionToDeploy(c.version); v.ID != c.want ||
			told(err) != c.refused {
			t.Errorf("%s: %q, %v", name, v.ID, err)
		}
	}
}

func TestDraftDecides(t *testing.T) {
	def := example(t, "", nil, "a")
	renamed := example(t, "description: other\n", def, "b")
	edits := definition.Diff(def, renamed)
	if len(edits) == 0 {
		t.Fatal("the two definitions do not differ")
	}
	opened, edited := DraftOpened{Integration: "i", Main: true, Definition: def}, DraftEdited{Changes: edits}
	based := DraftOpened{Integration: "i", Main: true, Base: "v1", Definition: def}
	closed := DraftClosed{Version: "v1", Definition: definition.Hash(def)}
	reopened := DraftReopened{Version: "v1", Reason: "r"}
	importing := func(base DraftOpened, def *definition.Part) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Import(base, def) }
	}
	open := func(e DraftOpened) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Open(e) }
	}
	edit := func(changes []definition.Change) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Edit(based, changes, DefaultDraftLimits) }
	}
	nowhere := []definition.Change{{Op: definition.SetOp, Node: "gone", Path: []string{"name"}, Value: "x"}}
	tooLarge := []definition.Change{{Op: definition.SetOp, Path: []string{"description"},
		Value: strings.Repeat("x", definition.DefaultLimits.Size)}}
	labels := func(list ...any) []definition.Change {
		return []definition.Change{{Op: definition.SetOp, Path: []string{"labels"}, Value: list}}
	}
	closing := func(e DraftClosed) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Close(e, d.Definition, Publishing{}) }
	}
	reopen := func(version string) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Reopen(version, "r") }
	}
	back := definition.Diff(renamed, def)
	undo := func(changes []definition.Change) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Undo(1, changes, DefaultDraftLimits) }
	}
	discard := func(base DraftOpened) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) { return d.Discard(base) }
	}
	onto := DraftOpened{Integration: "i", Main: true, Base: "v2", Definition: example(t, "category: third\n", def, "c")}
	rebased := func(to *definition.Part, resolved bool) DraftRebased {
		return DraftRebased{Base: "v2", Upstream: definition.Diff(def, onto.Definition),
			Changes: definition.Diff(renamed, to), Resolved: resolved}
	}
	rebase := func(take map[string]definition.Side) func(Draft) (Changes[Draft], error) {
		return func(d Draft) (Changes[Draft], error) {
			changes, _, err := d.Rebase(onto, take)
			return changes, err
		}
	}
	merged, _ := definition.Merge(def, renamed, onto.Definition, nil)
	both := DraftEdited{Changes: append(slices.Clone(edits),
		definition.Change{Op: definition.SetOp, Path: []string{"category"}, Value: "mine"})}
	chosen := rebased(merged, true)
	chosen.Changes = definition.Diff(definition.Apply(def, both.Changes), merged)
	const isClosed = "CONFLICT the draft is closed: it is being published, or was, by actor at 2026-01-02T03:04:06Z; edits go to the next draft"
	decides(t, Drafts, map[string]row[Draft]{
		"opening": {when: open(opened), then: events[Draft](opened)},
		"opening again": {given: events[Draft](opened), when: open(opened),
			refused: "CONFLICT the draft is open already"},
		"importing what is there": {given: events[Draft](opened), when: importing(DraftOpened{}, def)},
		"importing something new": {given: events[Draft](opened), when: importing(DraftOpened{}, renamed),
			then: events[Draft](edited)},
		"importing from the base": {when: importing(based, renamed), then: events[Draft](based, edited)},
		"importing the base":      {when: importing(based, def)},
		"importing into a closed one": {given: events[Draft](opened, closed), when: importing(based, renamed),
			refused: isClosed},
		"editing":                     {given: events[Draft](opened), when: edit(edits), then: events[Draft](edited)},
		"editing nothing":             {given: events[Draft](opened), when: edit(nil)},
		"editing a closed one":        {given: events[Draft](opened, closed), when: edit(edits), refused: isClosed},
		"editing the base":            {when: edit(edits), then: events[Draft](based, edited)},
		"editing nothing of the base": {when: edit(nil)},
		"editing what is so already":  {given: events[Draft](opened, edited), when: edit(edits)},
		"editing what is not there": {given: events[Draft](opened), when: edit(nowhere),
			then:    events[Draft](DraftEdited{Changes: nowhere}),
			refused: `NOT_FOUND there is no part "gone" in the draft`},
		"editing beyond the limits": {given: events[Draft](opened), when: edit(tooLarge),
			then:    events[Draft](DraftEdited{Changes: tooLarge}),
			refused: "INVALID the definition has 263343 bytes when written out; the limit is 262144: split the integration"},
		"labels of any form": {given: events[Draft](opened), when: edit(labels(" B", "a", "b", " ")),
			then: events[Draft](DraftEdited{Changes: labels("b", "a")})},
		"editing none": {when: func(d Draft) (Changes[Draft], error) {
			return d.Edit(DraftOpened{}, edits, DefaultDraftLimits)
		},
			refused: "NOT_FOUND id: Record not found: draft"},
		"editing a reopened one": {given: events[Draft](opened, closed, reopened), when: edit(edits),
			then: events[Draft](edited)},
		"closing":       {given: events[Draft](opened), when: closing(closed), then: events[Draft](closed)},
		"closing again": {given: events[Draft](opened, closed), when: closing(closed)},
		"closing for another": {given: events[Draft](opened, closed),
			when: closing(DraftClosed{Version: "v2", Definition: definition.Hash(def)}), refused: isClosed},
		"closing what was edited": {given: events[Draft](opened, edited),
			when:    func(d Draft) (Changes[Draft], error) { return d.Close(closed, def, Publishing{}) },
			refused: "CONFLICT the draft was edited meanwhile; look at it again before publishing"},
		"closing none": {when: closing(closed), refused: "NOT_FOUND id: Record not found: draft"},
		"undoing": {given: events[Draft](opened, edited), when: undo(back),
			then: events[Draft](DraftEdited{Changes: back, Undoes: 1})},
		"undoing what is not there": {given: events[Draft](opened), when: undo(nowhere),
			then:    events[Draft](DraftEdited{Changes: nowhere}),
			refused: `NOT_FOUND there is no part "gone" in the draft`},
		"undoing a closed one": {given: events[Draft](opened, closed), when: undo(edits), refused: isClosed},
		"undoing none":         {when: undo(edits), refused: "NOT_FOUND id: Record not found: draft"},
		"discarding": {given: events[Draft](based, edited), when: discard(based),
			then: events[Draft](DraftDiscarded{Changes: back})},
		"discarding twice": {given: events[Draft](based, edited, DraftDiscarded{Changes: back}),
			when: discard(based)},
		"discarding none": {when: discard(based)},
		"discarding the first": {given: events[Draft](opened, edited), when: discard(DraftOpened{}),
			refused: "CONFLICT there is no version yet to go back to; undo single edits, or delete the integration"},
		"discarding a closed one": {given: events[Draft](opened, closed), when: discard(based), refused: isClosed},
		"importing when behind": {given: events[Draft](based, edited), when: importing(onto, def),
			then: events[Draft](rebased(def, true))},
		"discarding when behind": {given: events[Draft](based, edited), when: discard(onto),
			then: events[Draft](rebased(onto.Definition, true))},
		"rebasing": {given: events[Draft](based, edited), when: rebase(nil),
			then: events[Draft](rebased(merged, false))},
		"rebasing over a conflict": {given: events[Draft](based, both), when: rebase(nil),
			refused: "CONFLICT take: the draft and the newest version have changed the same in 1 place; say for each which stands"},
		"rebasing with a choice": {given: events[Draft](based, both),
			when: rebase(map[string]definition.Side{"/category": definition.Theirs}), then: events[Draft](chosen)},
		"rebasing again": {given: events[Draft](based, edited, rebased(merged, false)), when: rebase(nil)},
		"rebasing a closed one": {given: events[Draft](based, edited, closed), when: rebase(nil),
			refused: strings.Replace(isClosed, "04:06", "04:07", 1)},
		"reopening": {given: events[Draft](opened, closed), when: reopen("v1"),
			then: events[Draft](reopened)},
		"reopening an open one": {given: events[Draft](opened), when: reopen("v1")},
		"reopening for another": {given: events[Draft](opened, closed), when: reopen("v2")},
		"closing a reopened one": {given: events[Draft](opened, closed, reopened), when: closing(closed),
			then: events[Draft](closed)},
	})
	d := folded(t, Drafts, events[Draft](based, edited))
	if d.Base != "v1" || !d.Main || d.Integration != "i" || !d.Definition.Equal(renamed) ||
		d.UpdatedAt != start.Add(time.Second) || d.OpenedAt != start {
		t.Errorf("folded to %+v", d)
	}
	if MainDraftID("i", 0) == MainDraftID("i", 1) || MainDraftID("i", 0) == MainDraftID("j", 0) {
		t.Error("main drafts share an id")
	}
}

func TestInstanceDecides(t *testing.T) {
	created := InstanceCreated{Name: "I", Customer: "c", Integration: "i", Version: "v1", Labels: []string{"a"}}
	system := InstanceCreated{Name: "Test", Integration: "i", System: true}
	plain, sealed := ConfigValue{Variable: "x", Key: "X", Value: "1"}, ConfigValue{Variable: "y", Key: "Y",
		Sealed: []byte("s")}
	create := func(e InstanceCreated, config ...ConfigValue) func(Instance) (Changes[Instance], error) {
		return func(i Instance) (Changes[Instance], error) { return i.Create(e, config) }
	}
	asked := created
	asked.Labels = []string{"A", "a "}
	decides(t, Instances, map[string]row[Instance]{
		"a new one": {when: create(asked), then: events[Instance](created)},
		"with values": {when: create(created, plain, sealed),
			then: events[Instance](created, InstanceConfigured{Values: []ConfigValue{plain, sealed}})},
		"one there": {given: events[Instance](created),
			when: create(InstanceCreated{Name: "J"}, plain)},
		"without a name": {when: create(InstanceCreated{}), refused: "INVALID name: must not be empty"},
		"removing with its integration": {given: events[Instance](created), when: Instance.RemoveWithIntegration,
			then: events[Instance](InstanceRemoved{})},
		"removing the system's": {given: events[Instance](system), when: Instance.RemoveWithIntegration,
			then: events[Instance](InstanceRemoved{})},
		"removing it again": {given: events[Instance](system, InstanceRemoved{}),
			when: Instance.RemoveWithIntegration},
		"removing none": {when: Instance.RemoveWithIntegration,
			refused: "NOT_FOUND id: Record not found: instance"},
		"deploying": {given: events[Instance](created), when: Instance.Deploy,
			then: events[Instance](InstanceDeployed{Version: "v1"})},
		"deploying again": {given: events[Instance](created, InstanceDeployed{Version: "v1"}),
			when: Instance.Deploy, then: events[Instance](InstanceDeployed{Version: "v1"})},
		"deploying none": {when: Instance.Deploy, refused: "NOT_FOUND id: Record not found: instance"},
		"deploying the system": {given: events[Instance](system), when: Instance.Deploy,
			refused: "INVALID id: the system instance always runs the draft and is never deployed"},
	})
	other := ConfigValue{Variable: "x", Key: "X", Value: "2"}
	set := []Event[Instance]{created, InstanceConfigured{Values: []ConfigValue{plain, sealed}},
		InstanceDeployed{Version: "v1"}, InstanceConfigured{Values: []ConfigValue{other}}}
	pure(t, "configuring", Instances, set)
	i := folded(t, Instances, set)
	if diff := cmp.Diff(map[string]ConfigValue{"x": other, "y": sealed}, i.Config); diff != "" || !i.NeedsDeploy {
		t.Errorf("the later value does not stand beside the others, or needs no deploy: %+v", i)
	}
	for _, c := range []struct {
		given       []Event[Instance]
		runs, needs bool
		why         string
	}{
		{nil, false, false, "there is no such instance"},
		{events[Instance](created), false, true, "the instance has not been deployed"},
		{set[:3], true, false, ""},
		{set, true, true, ""},
		{events[Instance](system), true, false, ""},
		{events[Instance](system, InstanceConfigured{Values: []ConfigValue{plain}}), true, false, ""},
	} {
		i := folded(t, Instances, c.given)
		if why, ok := i.Runs(); ok != c.runs || why != c.why || i.NeedsDeploy != c.needs {
			t.Errorf("after %d events: runs %v %q, needs a deploy %v", len(c.given), ok, why, i.NeedsDeploy)
		}
	}
	disabled := folded(t, Instances, set)
	disabled.Enabled = false
	if why, ok := disabled.Runs(); ok || why != "the instance is disabled" {
		t.Errorf("a disabled one runs: %v %q", ok, why)
	}
}

// Events read as the View reads them make the same summaries as events read in full.
func TestSummaryOfEventsReadWithoutParts(t *testing.T) {
	old := example(t, "", nil, "a")
	renamed := example(t, "description: other\n", old, "b")
	changes := definition.Diff(old, renamed)
	events := Changes[Draft]{DraftOpened{Integration: "i", Main: true, Definition: old},
		DraftEdited{Changes: changes, Digest: "d"},
		DraftRebased{Base: "v", Upstream: changes, Changes: definition.Diff(renamed, old)},
		DraftDiscarded{Changes: changes}}
	fold := func(decode func(string, []byte) (Event[Draft], error)) (d Draft) {
		for _, e := range events {
			stored, err := Drafts.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			if e, err = decode(stored.Kind, stored.Data); err != nil {
				t.Fatal(err)
			}
			d = e.Evolve(d, Meta{Aggregate: "a", Actor: "somebody"}).Summarized(d)
		}
		return d
	}
	got, want := fold(Drafts.DecodeSummary), fold(Drafts.Decode)
	if diff := cmp.Diff(want, got, cmp.Comparer((*definition.Part).Equal)); diff != "" {
		t.Error(diff)
	}
}
