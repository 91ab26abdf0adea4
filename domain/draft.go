package domain

import (
	"strconv"
	"time"
)

// Draft is a changeable state of an integration's definition, on its way to the next version.
type Draft struct {
	ID           string
	Organization string
	Integration  string
	Main         bool
	Base         string       // id of the version it was made from; empty before the first
	Definition   *Node        // in the View a summary of it
	Closed       *DraftClosed // set once it has become a version, or is about to
	OpenedAt     time.Time
	UpdatedAt    time.Time
	UpdatedBy    string
}

// Drafts is the category of [Draft].
var Drafts = NewCategory("draft",
	Kind[DraftOpened]("DraftOpened"),
	Kind[DraftEdited]("DraftEdited"),
	Kind[DraftDiscarded]("DraftDiscarded"),
	Kind[DraftClosed]("DraftClosed"),
	Kind[DraftReopened]("DraftReopened"),
)

// MainDraftID is the id of the main draft that becomes the version after those published so far.
// Being derived, two that open it at once open the same.
func MainDraftID(integration string, versions int) string {
	return DeriveID("main draft", integration, strconv.Itoa(versions))
}

// DraftOpened starts a draft with its whole base, so that its fold needs nothing else.
type DraftOpened struct {
	Integration string `json:"integration"`
	Main        bool   `json:"main,omitempty"`
	Base        string `json:"base,omitempty"`
	Definition  *Node  `json:"definition"`
}

// Evolve implements [Event].
func (e DraftOpened) Evolve(_ Draft, m Meta) Draft {
	return Draft{ID: m.Aggregate, Organization: m.Organization, Integration: e.Integration, Main: e.Main, Base: e.Base,
		Definition: e.Definition, OpenedAt: m.Time, UpdatedAt: m.Time, UpdatedBy: m.Actor}
}

func (e *DraftOpened) makeWhole() { e.Definition.makeWhole() }

// Touches names nothing: a draft that is opened is still what it is made from.
func (e DraftOpened) Touches() []string { return nil }

// DraftEdited changes the definition.
type DraftEdited struct {
	Changes []Change `json:"changes"`
	Undoes  int      `json:"undoes,omitempty"` // how many edits it takes back, 0 for an edit of its own
}

// Evolve implements [Event].
func (e DraftEdited) Evolve(d Draft, m Meta) Draft {
	d.Definition = Apply(d.Definition, e.Changes)
	d.UpdatedAt, d.UpdatedBy = m.Time, m.Actor
	return d
}

func (e *DraftEdited) makeWhole() {
	for i := range e.Changes {
		e.Changes[i].makeWhole()
	}
}

// Touches names what the edit touches: two edits that touch different things both survive.
func (e DraftEdited) Touches() []string { return touchedBy(e.Changes) }

// DraftDiscarded takes everything back that was edited since the version that the draft was made from.
type DraftDiscarded struct {
	Changes []Change `json:"changes"`
}

// Evolve implements [Event].
func (e DraftDiscarded) Evolve(d Draft, m Meta) Draft {
	return DraftEdited{Changes: e.Changes}.Evolve(d, m)
}

func (e *DraftDiscarded) makeWhole() {
	for i := range e.Changes {
		e.Changes[i].makeWhole()
	}
}

// DraftClosed ends editing: this very state becomes the version named here. The integration's own
// event follows; whoever finds it missing appends it, from what is told here.
type DraftClosed struct {
	Version    string `json:"version"`    // id of the version to be
	Definition string `json:"definition"` // hash of the content blob
	Note       string `json:"note,omitempty"`
	Attributes string `json:"attributes,omitempty"`
}

// Evolve implements [Event].
func (e DraftClosed) Evolve(d Draft, m Meta) Draft {
	d.Closed = &e
	d.UpdatedAt, d.UpdatedBy = m.Time, m.Actor
	return d
}

// DraftReopened takes a closing back, because the version was refused.
type DraftReopened struct {
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// Evolve implements [Event].
func (e DraftReopened) Evolve(d Draft, _ Meta) Draft {
	d.Closed = nil
	return d
}

// Import makes the draft hold the given definition, whose parts carry their identity. A draft that
// is not there yet is opened from its base, unless the definition says nothing new.
func (d Draft) Import(base DraftOpened, definition *Node) (Changes[Draft], error) {
	return d.become(base, tidy(definition))
}

func (d Draft) become(base DraftOpened, definition *Node) (Changes[Draft], error) {
	changes, before, err := d.begin(base)
	if err != nil {
		return nil, err
	}
	edits := Diff(before, definition)
	if len(edits) == 0 {
		return nil, nil
	}
	return append(changes, DraftEdited{Changes: edits}), nil
}

// begin gives what an edit starts from: the draft, or its base where it is not there, which is then
// opened.
func (d Draft) begin(base DraftOpened) (Changes[Draft], *Node, error) {
	if d.ID != "" || base.Definition == nil {
		return nil, d.Definition, d.editable()
	}
	return Changes[Draft]{base}, base.Definition, nil
}

// Open starts a draft that has no base with its first definition.
func (d Draft) Open(e DraftOpened) (Changes[Draft], error) {
	if d.ID != "" {
		return nil, Refuse(Conflict, "the draft is open already")
	}
	e.Definition = tidy(e.Definition)
	return Changes[Draft]{e}, nil
}

// Edit changes parts of the draft, which is opened from its base where it is not there. With a refusal
// come the changes that it is about, so that those who changed the same meanwhile can be named.
func (d Draft) Edit(base DraftOpened, changes []Change, limits Limits) (Changes[Draft], error) {
	opening, before, err := d.begin(base)
	if err != nil {
		return nil, err
	}
	edits, err := Edit(before, changes, limits)
	if err != nil {
		return Changes[Draft]{DraftEdited{Changes: changes}}, err
	}
	if len(edits) == 0 {
		return nil, nil
	}
	return append(opening, DraftEdited{Changes: edits}), nil
}

// Undo takes the last edits back, as many as told, by the changes that do so.
func (d Draft) Undo(edits int, changes []Change, limits Limits) (Changes[Draft], error) {
	made, err := d.Edit(DraftOpened{}, changes, limits)
	if err != nil || len(made) == 0 {
		return made, err
	}
	e := made[0].(DraftEdited)
	e.Undoes = edits
	return Changes[Draft]{e}, nil
}

// Discard takes everything back that was edited since the draft's base.
func (d Draft) Discard(base DraftOpened) (Changes[Draft], error) {
	switch {
	case base.Definition == nil:
		return nil, Refuse(Conflict, "there is no version yet to go back to; undo single edits, or delete the integration")
	case d.ID == "":
		return nil, nil
	}
	if err := d.editable(); err != nil {
		return nil, err
	}
	changes := Diff(d.Definition, base.Definition)
	if len(changes) == 0 {
		return nil, nil
	}
	return Changes[Draft]{DraftDiscarded{Changes: changes}}, nil
}

// RollBack makes the draft an older version's definition again. Edits that are not published are not
// given up for it.
func (d Draft) RollBack(base DraftOpened, definition *Node) (Changes[Draft], error) {
	if d.ID != "" && d.Closed == nil && len(Diff(base.Definition, d.Definition)) > 0 && !d.Definition.Equal(definition) {
		return nil, Refuse(Conflict, "the draft has edits that are not published, last by %s at %s; publish or discard them first",
			d.UpdatedBy, d.UpdatedAt.Format(time.RFC3339))
	}
	return d.become(base, definition)
}

// Close ends editing for a version. The definition must be free of errors and be the one that the
// closing names by its hash.
func (d Draft) Close(e DraftClosed) (Changes[Draft], error) {
	if d.Closed != nil && d.Closed.Version == e.Version {
		return nil, nil
	}
	if err := d.editable(); err != nil {
		return nil, err
	}
	if _, err := Check(d.Definition); err != nil {
		return nil, err
	}
	if Hash(d.Definition) != e.Definition {
		return nil, Refuse(Conflict, "the draft was edited meanwhile; look at it again before publishing")
	}
	return Changes[Draft]{e}, nil
}

// Reopen takes the closing for a version back.
func (d Draft) Reopen(version, reason string) (Changes[Draft], error) {
	if d.Closed == nil || d.Closed.Version != version {
		return nil, nil
	}
	return Changes[Draft]{DraftReopened{Version: version, Reason: reason}}, nil
}

func (d Draft) editable() error {
	switch {
	case d.ID == "":
		return Refuse(NotFound, "Record not found: draft")
	case d.Closed != nil:
		return Refuse(Conflict, "the draft is closed: it is being published, or was, by %s at %s; edits go to the next draft",
			d.UpdatedBy, d.UpdatedAt.Format(time.RFC3339))
	}
	return nil
}
