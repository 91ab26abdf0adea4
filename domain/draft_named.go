package domain

import (
	"slices"
	"strings"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// DraftRenamed renames a named draft.
type DraftRenamed struct {
	Name string `json:"name"`
}

// Evolve implements [Event].
func (e DraftRenamed) Evolve(d Draft, _ Meta) Draft {
	d.Name = e.Name
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (DraftRenamed) Touches() []string { return nil }

// DraftRemoved ends a named draft that did not become a version.
type DraftRemoved struct{}

// Evolve implements [Event].
func (DraftRemoved) Evolve(d Draft, m Meta) Draft {
	d.RemovedAt, d.Schedule = m.Time, nil
	d.UpdatedAt, d.UpdatedBy = m.Time, m.Actor
	return d
}

// DraftRebased moves the draft to a newer base version.
type DraftRebased struct {
	Base     string              `json:"base"`               // id of the version
	Upstream []definition.Change `json:"upstream"`           // from the former base to this one
	Changes  []definition.Change `json:"changes"`            // of the draft itself
	Resolved bool                `json:"resolved,omitempty"` // somebody resolved conflicts
	// digest of all changes of the draft; set while under review
	Digest string `json:"digest,omitempty"`
}

// Evolve implements [Event].
func (e DraftRebased) Evolve(d Draft, m Meta) Draft {
	d.Base, d.Origin = e.Base, definition.Apply(d.Origin, e.Upstream)
	d.Definition, d.Digest = definition.Apply(d.Definition, e.Changes), e.Digest
	d.UpdatedAt, d.UpdatedBy = m.Time, m.Actor
	if e.Resolved {
		return withAuthor(d, m.Actor)
	}
	return d
}

func (e *DraftRebased) Normalize() {
	for i := range e.Changes {
		e.Changes[i].Normalize()
	}
	for i := range e.Upstream {
		e.Upstream[i].Normalize()
	}
}

// Touches returns the keys of the changes to the draft itself.
func (e DraftRebased) Touches() []string { return definition.TouchedBy(e.Changes) }

// Begin opens a named draft on a base, with other content if some is passed.
func (d Draft) Begin(base DraftOpened, def *definition.Part) (Changes[Draft], error) {
	if d.ID != "" {
		return nil, refusal.New(refusal.Conflict, "the draft is open already")
	}
	name, err := draftName(base.Name)
	if err != nil {
		return nil, err
	}
	base.Name = name
	changes := Changes[Draft]{base}
	if def != nil {
		if edits := definition.Diff(base.Definition, def); len(edits) > 0 {
			changes = append(changes, DraftEdited{Changes: edits})
		}
	}
	return changes, nil
}

// Rename renames a named draft.
func (d Draft) Rename(name string) (Changes[Draft], error) {
	if err := d.editable(); err != nil {
		return nil, err
	}
	if d.Main {
		return nil, refusal.ForField(refusal.Invalid, "id",
			"the main draft has no name of its own; its definition has the integration's")
	}
	name, err := draftName(name)
	if err != nil || name == d.Name {
		return nil, err
	}
	return Changes[Draft]{DraftRenamed{Name: name}}, nil
}

// maxDraftName is in characters.
const maxDraftName = 200

func draftName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len([]rune(name)) > maxDraftName {
		return "", refusal.ForField(refusal.Invalid, "name", "must have 1 to %d characters", maxDraftName)
	}
	return name, nil
}

// Remove ends a named draft. One that is gone is removed already.
func (d Draft) Remove() (Changes[Draft], error) {
	if d.ID != "" && !d.RemovedAt.IsZero() {
		return nil, nil
	}
	if err := d.editable(); err != nil {
		return nil, err
	}
	return Changes[Draft]{DraftRemoved{}}, nil
}

// Rebase moves the draft to the newest version and merges the changes of both, see [Merge]. Conflicts that take
// does not settle are returned with a refusal.
func (d Draft) Rebase(onto DraftOpened,
	take map[string]definition.Side) (Changes[Draft], []definition.MergeConflict, error) {
	if err := d.editable(); err != nil {
		return nil, nil, err
	}
	if !behind(d, onto) {
		return nil, nil, nil
	}
	merged, conflicts := definition.Merge(d.Origin, d.Definition, onto.Definition, take)
	if len(conflicts) > 0 {
		return nil, conflicts, refusal.ForField(refusal.Conflict, "take",
			"the draft and the newest version have changed the same in %s; say for each which stands",
			refusal.Count(len(conflicts), "place"))
	}
	return d.rebased(onto, definition.Tidy(merged), len(take) > 0), nil, nil
}

// behind reports whether a newer version exists than the draft's base.
func behind(d Draft, base DraftOpened) bool { return d.ID != "" && d.Base != base.Base }

// rebased returns the event for a new base and the events it entails.
func (d Draft) rebased(onto DraftOpened, def *definition.Part, resolved bool) Changes[Draft] {
	digest := digestOf(d, onto.Definition, def)
	changes := Changes[Draft]{DraftRebased{Base: onto.Base, Upstream: definition.Diff(d.Origin, onto.Definition),
		Changes: definition.Diff(d.Definition, def), Resolved: resolved, Digest: digest}}
	if d.Schedule != nil {
		changes = append(changes, PublishUnscheduled{Reason: "the draft was rebased"})
	}
	return changes
}

func withAuthor(d Draft, user string) Draft {
	if user != "" && !slices.Contains(d.Authors, user) {
		d.Authors = append(slices.Clip(d.Authors), user)
	}
	return d
}

// Summarized returns the part of a draft that the View keeps, given the part kept before the last event.
func (d Draft) Summarized(before Draft) Draft {
	d.Origin = nil
	d.Threads = slices.Clone(d.Threads)
	for i, t := range d.Threads {
		d.Threads[i] = Thread{ID: t.ID, OpenedBy: t.OpenedBy, Speakers: t.Speakers}
	}
	if d.Definition != before.Definition {
		d.Definition = definition.Summary(d.Definition)
	}
	if d.Review != nil {
		r := *d.Review
		r.Verdicts = slices.Clone(r.Verdicts)
		for i := range r.Verdicts {
			r.Verdicts[i].Saw = nil
		}
		d.Review = &r
	}
	return d
}
