package projections

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"heddle/domain"
	"heddle/store"
)

// Notification is an event of a draft with its recipients. It is never changed.
type Notification struct {
	domain.Notification
	ID                                      string // the event's
	Position                                store.Position
	Organization, Integration, Draft, Actor string
	Kind                                    string // of the event
	At                                      time.Time
}

// maxExcerpt is how many characters of a notification's text are kept; the draft has all of it.
const maxExcerpt = 280

func (v *View) indexNotification(n domain.Notification, d domain.Draft, by applied[domain.Draft]) {
	if len(n.To) == 0 {
		return
	}
	n.Text = excerpt(n.Text)
	told := &Notification{Notification: n, ID: by.meta.ID.String(), Position: by.Position, Organization: d.Organization,
		Integration: d.Integration, Draft: d.ID, Actor: by.meta.Actor, Kind: strings.Clone(by.Kind), At: by.meta.Time}
	v.notifications[d.Organization] = append(v.notifications[d.Organization], told)
	for _, user := range n.To {
		v.notificationsTo[user] = append(v.notificationsTo[user], told)
	}
}

func excerpt(text string) string {
	if runes := []rune(text); len(runes) > maxExcerpt {
		text = string(runes[:maxExcerpt-1]) + "…"
	}
	return strings.Clone(text)
}

// NotificationsTo returns all notifications of a user, oldest first. The caller must not edit it.
func (v *View) NotificationsTo(user string) []*Notification {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clip(v.notificationsTo[user])
}

// NotificationsAfter returns an organization's notifications after a position, oldest first. The caller must
// not edit it.
func (v *View) NotificationsAfter(organization string, at store.Position) []*Notification {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := v.notifications[organization]
	return slices.Clip(all[NotificationsUpTo(all, at):])
}

// NotificationsUpTo returns how many of a list are at or before a position.
func NotificationsUpTo(list []*Notification, at store.Position) int {
	n, _ := slices.BinarySearchFunc(list, at+1, func(n *Notification, at store.Position) int {
		return cmp.Compare(n.Position, at)
	})
	return n
}
