package domain

import (
	"slices"
	"strings"
	"time"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Thread is a discussion about a place in a draft. The place is a part named by its id, so it survives moves
// and renames, and stays named after the part is gone.
type Thread struct {
	ID         string
	Part       string              // id of a flow, step or other part; empty for the draft as a whole
	Path       []string            // of a field of the part, as in [Change]; none for the part itself
	Place      string              // its name for people at the time
	Suggestion []definition.Change // an edit that can be applied with one call
	AppliedBy  string              // user
	OpenedBy   string
	OpenedAt   time.Time
	ResolvedBy string // empty while the thread is open
	ResolvedAt time.Time
	Comments   []Comment // the first opened it
	Speakers   []string  // users with a comment in it, in order

	on *definition.Part // the definition that it was opened on
}

// Comment is one comment of a thread.
type Comment struct {
	ID       string
	By       string
	At       time.Time
	EditedAt time.Time // zero unless it was edited
	Text     string
}

// ThreadOpened begins a thread with a comment.
type ThreadOpened struct {
	Thread     string              `json:"thread"` // id, and that of its first comment
	Part       string              `json:"part,omitempty"`
	Path       []string            `json:"path,omitempty"`
	Place      string              `json:"place,omitempty"`
	Text       string              `json:"text"`
	Suggestion []definition.Change `json:"suggestion,omitempty"`
}

// Evolve implements [Event].
func (e ThreadOpened) Evolve(d Draft, m Meta) Draft {
	d.Threads = append(slices.Clip(d.Threads), Thread{ID: e.Thread, Part: e.Part, Path: e.Path, Place: e.Place,
		Suggestion: e.Suggestion, OpenedBy: m.Actor, OpenedAt: m.Time,
		Comments: []Comment{{ID: e.Thread, By: m.Actor, At: m.Time, Text: e.Text}}, Speakers: []string{m.Actor},
		on: d.Definition})
	return d
}

func (e *ThreadOpened) Normalize() {
	for i := range e.Suggestion {
		e.Suggestion[i].Normalize()
	}
}

// CommentAdded adds a reply.
type CommentAdded struct {
	Thread  string `json:"thread"`
	Comment string `json:"comment"` // id
	Text    string `json:"text"`
}

// Evolve implements [Event].
func (e CommentAdded) Evolve(d Draft, m Meta) Draft {
	return withThread(d, e.Thread, func(t *Thread) {
		t.Comments = append(slices.Clip(t.Comments), Comment{ID: e.Comment, By: m.Actor, At: m.Time, Text: e.Text})
		if !slices.Contains(t.Speakers, m.Actor) {
			t.Speakers = append(slices.Clip(t.Speakers), m.Actor)
		}
	})
}

// CommentEdited replaces a comment's text.
type CommentEdited struct {
	Thread  string `json:"thread"`
	Comment string `json:"comment"`
	Text    string `json:"text"`
}

// Evolve implements [Event].
func (e CommentEdited) Evolve(d Draft, m Meta) Draft {
	return withThread(d, e.Thread, func(t *Thread) {
		t.Comments = slices.Clone(t.Comments)
		for i := range t.Comments {
			if t.Comments[i].ID == e.Comment {
				t.Comments[i].Text, t.Comments[i].EditedAt = e.Text, m.Time
			}
		}
	})
}

// ThreadResolved closes a thread.
type ThreadResolved struct {
	Thread string `json:"thread"`
}

// Evolve implements [Event].
func (e ThreadResolved) Evolve(d Draft, m Meta) Draft {
	return withThread(d, e.Thread, func(t *Thread) { t.ResolvedBy, t.ResolvedAt = m.Actor, m.Time })
}

// ThreadReopened opens a resolved thread again.
type ThreadReopened struct {
	Thread string `json:"thread"`
}

// Evolve implements [Event].
func (e ThreadReopened) Evolve(d Draft, _ Meta) Draft {
	return withThread(d, e.Thread, func(t *Thread) { t.ResolvedBy, t.ResolvedAt = "", time.Time{} })
}

// SuggestionApplied says that the edit before it was a thread's suggestion. It resolves the thread and makes
// the author of the suggestion an author of the draft.
type SuggestionApplied struct {
	Thread string `json:"thread"`
}

// Evolve implements [Event].
func (e SuggestionApplied) Evolve(d Draft, m Meta) Draft {
	by := ""
	d = withThread(d, e.Thread, func(t *Thread) {
		by, t.AppliedBy, t.ResolvedBy, t.ResolvedAt = t.OpenedBy, m.Actor, m.Actor, m.Time
	})
	return withAuthor(d, by)
}

// Touches returns nothing: no edit conflicts with it.
func (ThreadOpened) Touches() []string { return nil }

// Touches returns nothing: no edit conflicts with it.
func (CommentAdded) Touches() []string { return nil }

// Touches returns nothing: no edit conflicts with it.
func (CommentEdited) Touches() []string { return nil }

// Touches returns nothing: no edit conflicts with it.
func (ThreadResolved) Touches() []string { return nil }

// Touches returns nothing: no edit conflicts with it.
func (ThreadReopened) Touches() []string { return nil }

// Touches returns nothing: no edit conflicts with it.
func (SuggestionApplied) Touches() []string { return nil }

func withThread(d Draft, id string, change func(*Thread)) Draft {
	d.Threads = slices.Clone(d.Threads)
	for i := range d.Threads {
		if d.Threads[i].ID == id {
			change(&d.Threads[i])
		}
	}
	return d
}

// Orphaned reports whether the thread's part or field is gone from a definition.
func (t Thread) Orphaned(def *definition.Part) bool {
	part := def.Find(t.Part)
	if part == nil || len(t.Path) == 0 {
		return part == nil
	}
	_, there := part.Field(t.Path)
	_, was := t.on.Find(t.Part).Field(t.Path)
	return was && !there
}

// OpenThread begins a thread on a part of the draft; a missing draft is opened from its base.
func (d Draft) OpenThread(base DraftOpened, e ThreadOpened, limits DraftLimits) (Changes[Draft], error) {
	opening, def, err := d.begin(base)
	if err != nil {
		return nil, err
	}
	if err := limits.allowComments(d, e.Text); err != nil {
		return nil, err
	}
	if err := definition.CheckPlace(def, e.Part, e.Path); err != nil {
		return nil, err
	}
	if len(e.Suggestion) > 0 {
		if e.Suggestion, err = definition.Edit(def, e.Suggestion, limits.Definition); err != nil {
			return nil, err
		}
		if len(e.Suggestion) == 0 {
			return nil, refusal.ForField(refusal.Invalid, "suggestion", "it changes nothing")
		}
	}
	e.Place = definition.Place(def, strings.Join(append([]string{e.Part}, e.Path...), "/"))
	return append(opening, e), nil
}

// Reply adds a comment to a thread.
func (d Draft) Reply(e CommentAdded, limits DraftLimits) (Changes[Draft], error) {
	if _, err := d.thread(e.Thread); err != nil {
		return nil, err
	}
	if err := limits.allowComments(d, e.Text); err != nil {
		return nil, err
	}
	return Changes[Draft]{e}, nil
}

// EditComment replaces the text of a user's own comment.
func (d Draft) EditComment(e CommentEdited, by string, limits DraftLimits) (Changes[Draft], error) {
	t, err := d.thread(e.Thread)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.Comments, func(c Comment) bool { return c.ID == e.Comment })
	switch {
	case i < 0:
		return nil, refusal.ForField(refusal.NotFound, "comment", "Record not found: comment")
	case t.Comments[i].By != by:
		return nil, refusal.ForField(refusal.Invalid, "comment", "it is somebody else's; reply instead")
	case t.Comments[i].Text == e.Text:
		return nil, nil
	}
	if err := limits.allowComment("text", e.Text); err != nil {
		return nil, err
	}
	return Changes[Draft]{e}, nil
}

// Resolve resolves a thread, or reopens it.
func (d Draft) Resolve(thread string, resolved bool) (Changes[Draft], error) {
	t, err := d.thread(thread)
	switch {
	case err != nil || (t.ResolvedBy != "") == resolved:
		return nil, err
	case resolved:
		return Changes[Draft]{ThreadResolved{thread}}, nil
	}
	return Changes[Draft]{ThreadReopened{thread}}, nil
}

// ApplySuggestion makes the edit that a thread suggests, unless a later edit changed the same.
func (d Draft) ApplySuggestion(thread string, limits DraftLimits) (Changes[Draft], error) {
	t, err := d.thread(thread)
	switch {
	case err != nil:
		return nil, err
	case len(t.Suggestion) == 0:
		return nil, refusal.ForField(refusal.Invalid, "thread", "it suggests no edit")
	case t.AppliedBy != "":
		return nil, nil
	}
	if overlap := definition.Overlap(definition.Diff(t.on, d.Definition), t.Suggestion); len(overlap) > 0 {
		return nil, refusal.ForField(refusal.Conflict, "thread",
			"%s was changed since this was suggested; edit it by hand", definition.Place(d.Definition, overlap[0]))
	}
	changes, err := d.Edit(DraftOpened{}, t.Suggestion, limits)
	if err != nil {
		return nil, err
	}
	return append(changes, SuggestionApplied{thread}), nil
}

func (d Draft) thread(id string) (Thread, error) {
	if err := d.editable(); err != nil {
		return Thread{}, err
	}
	i := slices.IndexFunc(d.Threads, func(t Thread) bool { return t.ID == id })
	if i < 0 {
		return Thread{}, refusal.ForField(refusal.NotFound, "thread", "Record not found: thread")
	}
	return d.Threads[i], nil
}
