package domain

import (
	"strings"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// DraftLimits bounds what a draft may hold.
type DraftLimits struct {
	Definition definition.Limits
	Comment    int // bytes of a comment, or of a note on a review
	Comments   int // of one draft
}

// DefaultDraftLimits has room for long reviews.
var DefaultDraftLimits = DraftLimits{Definition: definition.DefaultLimits, Comment: 16 << 10, Comments: 2000}

// allowComment refuses a text that is longer than a comment may be.
func (l DraftLimits) allowComment(field, text string) error {
	if len(text) > l.Comment {
		return refusal.ForField(refusal.Invalid, field, "has %d bytes; the limit is %d", len(text), l.Comment)
	}
	return nil
}

// allowComments refuses a comment that is empty, too long, or one too many for the draft.
func (l DraftLimits) allowComments(d Draft, text string) error {
	if strings.TrimSpace(text) == "" {
		return refusal.ForField(refusal.Invalid, "text", "must not be empty")
	}
	n := 0
	for _, t := range d.Threads {
		n += len(t.Comments)
	}
	if n >= l.Comments {
		return refusal.New(refusal.Invalid, "the draft has %s, as many as it may have", refusal.Count(n, "comment"))
	}
	return l.allowComment("text", text)
}
