package notify

import (
	"context"
	"strings"
	"time"
	"unicode"

	"heddle/projections"
)

// Message is a notice with the names that it is told with.
type Message struct {
	Type      string    `json:"type"` // as in the schema, such as VERDICT_GIVEN
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
	ID        string    `json:"-"` // the event's, the same however often it is sent
}

// Data holds what happened, and who hears of it.
type Data struct {
	Organization Name   `json:"organization"`
	Integration  Name   `json:"integration"`
	Draft        Name   `json:"draft"`
	By           User   `json:"by"`
	To           []User `json:"to"`
	Thread       string `json:"thread,omitempty"`
	Approves     *bool  `json:"approves,omitempty"`
	Text         string `json:"text,omitempty"`
	Link         string `json:"link,omitempty"` // that the review was asked for with
}

// Name is something with its name; that of a main draft is empty.
type Name struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// User is who did it, or is told.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// messageOf makes the message of a notice, with the names that its view has now.
func messageOf(ctx context.Context, view *projections.View, n *projections.Notification) (m Message, err error) {
	organization, _ := view.Organizations.Get(n.Organization, n.Organization)
	main, _ := view.MainDraft(n.Integration)
	draft, _, err := view.Draft(ctx, n.Organization, n.Draft)
	if err != nil {
		return m, err
	}
	d := Data{Organization: Name{n.Organization, organization.Name}, Integration: Name{ID: n.Integration},
		Draft: Name{n.Draft, draft.Name}, By: userOf(view, n.Organization, n.Actor), Thread: n.Thread,
		Approves: n.Approves, Text: n.Text}
	if main.Definition != nil {
		d.Integration.Name = main.Definition.Name()
	}
	if draft.Review != nil {
		d.Link = draft.Review.Link
	}
	for _, id := range n.To {
		d.To = append(d.To, userOf(view, n.Organization, id))
	}
	return Message{Type: noticeType(n.Kind), Timestamp: n.At, Data: d, ID: n.ID}, nil
}

func userOf(view *projections.View, organization, id string) User {
	u, _ := view.Users.Get(organization, id)
	return User{ID: id, Name: u.Name, Email: u.Email}
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
