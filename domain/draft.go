package domain

import (
	"strconv"
	"time"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Draft is a changeable state of an integration's definition, on its way to the next version. Each integration
// has one main draft, created by the first edit, and any number of named ones.
type Draft struct {
	ID           string
	Organization string
	Integration  string
	Name         string // of a named draft
	Main         bool
	Base         string           // id of the version it was made from; empty before the first
	Origin       *definition.Part // the base's definition, without parts where there is no base; nil in the View
	Definition   *definition.Part // in the View a summary of it
	// authors of its changes since the base: editors, and whose suggestions or drafts came in
	Authors   []string
	Digest    string       // see [Draft.ChangeDigest]; set while under review
	Review    *Review      // nil until one is asked for
	Threads   []Thread     // in the View their ids and speakers
	Schedule  *Schedule    // nil unless its publishing is planned
	Closed    *DraftClosed // set once it has become a version, or is about to
	RemovedAt time.Time    // zero while the draft exists
	OpenedAt  time.Time
	OpenedBy  string
	UpdatedAt time.Time
	UpdatedBy string
}

// Drafts is the category of [Draft].
var Drafts = NewCategory("draft",
	Kind[DraftOpened]("DraftOpened"),
	Kind[DraftRenamed]("DraftRenamed"),
	Kind[DraftEdited]("DraftEdited"),
	Kind[DraftDiscarded]("DraftDiscarded"),
	Kind[DraftRebased]("DraftRebased"),
	Kind[DraftRemoved]("DraftRemoved"),
	Kind[DraftClosed]("DraftClosed"),
	Kind[DraftReopened]("DraftReopened"),
	Kind[PublishScheduled]("PublishScheduled"),
	Kind[PublishUnscheduled]("PublishUnscheduled"),
	Kind[ReviewRequested]("ReviewRequested"),
	Kind[ReviewWithdrawn]("ReviewWithdrawn"),
	Kind[ReviewBypassed]("ReviewBypassed"),
	Kind[VerdictGiven]("VerdictGiven"),
	Kind[VerdictWithdrawn]("VerdictWithdrawn"),
	Kind[VerdictDismissed]("VerdictDismissed"),
	Kind[ThreadOpened]("ThreadOpened"),
	Kind[ThreadResolved]("ThreadResolved"),
	Kind[ThreadReopened]("ThreadReopened"),
	Kind[CommentAdded]("CommentAdded"),
	Kind[CommentEdited]("CommentEdited"),
	Kind[SuggestionApplied]("SuggestionApplied"),
).With(Traits{InView: true, Audited: true})

// MainDraftID is the id of the main draft that follows the given number of versions made from main drafts. It
// is derived, so two callers that open it at once open the same draft.
func MainDraftID(integration string, before int) string {
	return DeriveID("main draft", integration, strconv.Itoa(before))
}

// DraftOpened starts a draft with its whole base, so that its fold needs nothing else.
type DraftOpened struct {
	Integration string           `json:"integration"`
	Name        string           `json:"name,omitempty"`
	Main        bool             `json:"main,omitempty"`
	Base        string           `json:"base,omitempty"`
	Definition  *definition.Part `json:"definition"`

	Authors []string `json:"authors,omitempty"` // of the draft that the definition was copied from
}

// Evolve implements [Event].
func (e DraftOpened) Evolve(_ Draft, m Meta) Draft {
	d := Draft{ID: m.Aggregate, Organization: m.Organization, Integration: e.Integration, Name: e.Name, Main: e.Main,
		Base: e.Base, Origin: e.Definition, Definition: e.Definition, OpenedAt: m.Time, OpenedBy: m.Actor,
		UpdatedAt: m.Time, UpdatedBy: m.Actor}
	if e.Base == "" { // all of it is new
		d.Origin = &definition.Part{}
		d = withAuthor(d, m.Actor)
	}
	for _, user := range e.Authors {
		d = withAuthor(d, user)
	}
	return d
}

func (e *DraftOpened) Normalize() { e.Definition.Normalize() }

// Touches returns nothing: opening a draft does not change its base.
func (e DraftOpened) Touches() []string { return nil }

// DraftEdited changes the definition.
type DraftEdited struct {
	Changes []definition.Change `json:"changes"`
	Undoes  int                 `json:"undoes,omitempty"` // how many edits it takes back, 0 for an ordinary edit
	Digest  string              `json:"digest,omitempty"` // digest of all changes of the draft; set while under review
}

// Evolve implements [Event].
func (e DraftEdited) Evolve(d Draft, m Meta) Draft {
	d.Definition, d.Digest = definition.Apply(d.Definition, e.Changes), e.Digest
	d.UpdatedAt, d.UpdatedBy = m.Time, m.Actor
	return withAuthor(d, m.Actor)
}

func (e *DraftEdited) Normalize() {
	for i := range e.Changes {
		e.Changes[i].Normalize()
	}
}

// Touches returns the keys of the edit: two edits without a common key both survive.
func (e DraftEdited) Touches() []string { return definition.TouchedBy(e.Changes) }

// DraftDiscarded takes back every edit since the base version.
type DraftDiscarded struct {
	Changes []definition.Change `json:"changes"`
	Digest  string              `json:"digest,omitempty"` // digest of all changes of the draft; set while under review
}

// Evolve implements [Event].
func (e DraftDiscarded) Evolve(d Draft, m Meta) Draft {
	return DraftEdited{Changes: e.Changes, Digest: e.Digest}.Evolve(d, m)
}

func (e *DraftDiscarded) Normalize() {
	for i := range e.Changes {
		e.Changes[i].Normalize()
	}
}

// DraftClosed ends editing: the present state becomes the version named here. The integration's own event
// follows; whoever finds it missing appends it from the fields here.
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

// Import replaces the draft's definition by one whose parts have their ids. A missing draft is opened from its
// base, unless the definition equals the base.
func (d Draft) Import(base DraftOpened, def *definition.Part) (Changes[Draft], error) {
	return d.become(base, definition.Tidy(def))
}

func (d Draft) become(base DraftOpened, def *definition.Part) (Changes[Draft], error) {
	changes, before, err := d.begin(base)
	if err != nil {
		return nil, err
	}
	if behind(d, base) {
		return d.rebased(base, def, true), nil
	}
	edits := definition.Diff(before, def)
	if len(edits) == 0 {
		return nil, nil
	}
	return d.edited(changes, DraftEdited{Changes: edits, Digest: digestOf(d, d.Origin, def)}), nil
}

// edited returns the edit and the events it entails: a scheduled publish is dropped, as the draft has changed.
func (d Draft) edited(opening Changes[Draft], edit Event[Draft]) Changes[Draft] {
	changes := append(opening, edit)
	if d.Schedule != nil {
		changes = append(changes, PublishUnscheduled{Reason: "the draft was edited"})
	}
	return changes
}

// begin returns the state that an edit starts from: the draft or, if it is missing, its base, which is then
// opened.
func (d Draft) begin(base DraftOpened) (Changes[Draft], *definition.Part, error) {
	if d.ID != "" || base.Definition == nil {
		return nil, d.Definition, d.editable()
	}
	return Changes[Draft]{base}, base.Definition, nil
}

// Open starts a draft that has no base with its first definition.
func (d Draft) Open(e DraftOpened) (Changes[Draft], error) {
	if d.ID != "" {
		return nil, refusal.New(refusal.Conflict, "the draft is open already")
	}
	e.Definition = definition.Tidy(e.Definition)
	return Changes[Draft]{e}, nil
}

// Edit changes parts of the draft; a missing one is opened from its base. A refusal comes with the changes that
// it concerns, so that the caller can name who made a conflicting edit.
func (d Draft) Edit(base DraftOpened, changes []definition.Change, limits DraftLimits) (Changes[Draft], error) {
	opening, before, err := d.begin(base)
	if err != nil {
		return nil, err
	}
	edits, err := definition.Edit(before, changes, limits.Definition)
	if err != nil {
		return Changes[Draft]{DraftEdited{Changes: changes}}, err
	}
	if len(edits) == 0 {
		return nil, nil
	}
	return d.edited(opening,
		DraftEdited{Changes: edits, Digest: digestOf(d, d.Origin, definition.Apply(before, edits))}), nil
}

// Undo takes the last n edits back; changes undo them.
func (d Draft) Undo(edits int, changes []definition.Change, limits DraftLimits) (Changes[Draft], error) {
	made, err := d.Edit(DraftOpened{}, changes, limits)
	if err != nil || len(made) == 0 {
		return made, err
	}
	e := made[0].(DraftEdited)
	e.Undoes = edits
	made[0] = e
	return made, nil
}

// Discard makes the draft its base again.
func (d Draft) Discard(base DraftOpened) (Changes[Draft], error) {
	switch {
	case base.Definition == nil:
		return nil, refusal.New(refusal.Conflict,
			"there is no version yet to go back to; undo single edits, or delete the integration")
	case d.ID == "":
		return nil, nil
	}
	if err := d.editable(); err != nil {
		return nil, err
	}
	if behind(d, base) {
		return d.rebased(base, base.Definition, true), nil
	}
	changes := definition.Diff(d.Definition, base.Definition)
	if len(changes) == 0 {
		return nil, nil
	}
	return d.edited(nil, DraftDiscarded{Changes: changes, Digest: digestOf(d, d.Origin, base.Definition)}), nil
}

// ErrEditedMeanwhile refuses to publish a state that the caller has not seen.
var ErrEditedMeanwhile = refusal.New(refusal.Conflict,
	"the draft was edited meanwhile; look at it again before publishing")

// Close ends editing for a version. The draft must still equal saved, which was found free of errors and stored
// under the hash in the closing, and the policy must allow publishing; to bypass it, the actor states a reason.
func (d Draft) Close(e DraftClosed, saved *definition.Part, rules Publishing) (Changes[Draft], error) {
	if d.Closed != nil && d.Closed.Version == e.Version {
		return nil, nil
	}
	if err := d.editable(); err != nil {
		return nil, err
	}
	if d.Definition != saved {
		return nil, ErrEditedMeanwhile
	}
	changes, err := d.allowed(rules)
	if err != nil {
		return nil, err
	}
	return append(changes, e), nil
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
	case d.ID == "" || !d.RemovedAt.IsZero():
		return refusal.ForField(refusal.NotFound, "id", "Record not found: draft")
	case d.Closed != nil:
		return refusal.New(refusal.Conflict,
			"the draft is closed: it is being published, or was, by %s at %s; edits go to the next draft", d.UpdatedBy,
			d.UpdatedAt.Format(time.RFC3339))
	}
	return nil
}
