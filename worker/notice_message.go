package worker

import (
	"context"
	"strings"
	"time"
	"unicode"

	"heddle/projections"
)

// NoticeMessage is a notice with the names that it is told with.
type NoticeMessage struct {
	Type      string     `json:"type"` // as in the schema, such as VERDICT_GIVEN
	Timestamp time.Time  `json:"timestamp"`
	Data      NoticeData `json:"data"`
	ID        string     `json:"-"` // the event's, the same however often it is sent
}

// NoticeData is what happened, and whom it is told to.
type NoticeData struct {
	Organization NoticeName   `json:"organization"`
	Integration  NoticeName   `json:"integration"`
	Draft        NoticeName   `json:"draft"`
	By           NoticeUser   `json:"by"`
	To           []NoticeUser `json:"to"`
	Thread       string       `json:"thread,omitempty"`
	Approves     *bool        `json:"approves,omitempty"`
	Text         string       `json:"text,omitempty"`
	Link         string       `json:"link,omitempty"` // that the review was asked for with
}

// NoticeName is something with its name; that of a main draft is empty.
type NoticeName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// NoticeUser is who did it, or is told.
type NoticeUser struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// messageOf makes the message of a notice, with the names that its view has now.
func messageOf(ctx context.Context, view *projections.View, n *projections.Notice) (m NoticeMessage, err error) {
	organization, _ := view.Organizations.Get(n.Organization, n.Organization)
	main, _ := view.MainDraft(n.Integration)
	draft, _, err := view.Draft(ctx, n.Organization, n.Draft)
	if err != nil {
		return m, err
	}
	d := NoticeData{Organization: NoticeName{n.Organization, organization.Name}, Integration: NoticeName{ID: n.Integration},
		Draft: NoticeName{n.Draft, draft.Name}, By: userOf(view, n.Organization, n.Actor), Thread: n.Thread, Approves: n.Approves, Text: n.Text}
	if main.Definition != nil {
		d.Integration.Name = main.Definition.Name()
	}
	if draft.Review != nil {
		d.Link = draft.Review.Link
	}
	for _, id := range n.To {
		d.To = append(d.To, userOf(view, n.Organization, id))
	}
	return NoticeMessage{Type: noticeType(n.Kind), Timestamp: n.At, Data: d, ID: n.ID}, nil
}

func userOf(view *projections.View, organization, id string) NoticeUser {
	u, _ := view.Users.Get(organization, id)
	return NoticeUser{ID: id, Name: u.Name, Email: u.Email}
}

// noticeType is an event's kind as the schema writes it.
func noticeType(kind string) string {
	var b strings.Builder
	for i, r := range kind {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}
