package projections

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"heddle/domain"
	"heddle/store"
)

// Notice is an event of a draft with whom it is told to. It is never changed.
type Notice struct {
	domain.Notice
	ID                                      string // the event's
	Position                                store.Position
	Organization, Integration, Draft, Actor string
	Kind                                    string // of the event
	At                                      time.Time
}

// maxExcerpt is how much of a notice's text is kept, in characters; all of it is with the draft.
const maxExcerpt = 280

func (v *View) indexNotice(n domain.Notice, d domain.Draft, by happening[domain.Draft]) {
	if len(n.To) == 0 {
		return
	}
	n.Text = excerpt(n.Text)
	told := &Notice{Notice: n, ID: by.meta.ID.String(), Position: by.Position, Organization: d.Organization, Integration: d.Integration, Draft: d.ID,
		Actor: by.meta.Actor, Kind: strings.Clone(by.Kind), At: by.meta.Time}
	v.notices[d.Organization] = append(v.notices[d.Organization], told)
	for _, user := range n.To {
		v.told[user] = append(v.told[user], told)
	}
}

func excerpt(text string) string {
	if runes := []rune(text); len(runes) > maxExcerpt {
		text = string(runes[:maxExcerpt-1]) + "…"
	}
	return strings.Clone(text)
}

// NoticesTo gives all that a user was told, oldest first. It must not be edited.
func (v *View) NoticesTo(user string) []*Notice {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clip(v.told[user])
}

// NoticesAfter gives what an organization's people were told after a position, oldest first. It must not
// be edited.
func (v *View) NoticesAfter(organization string, at store.Position) []*Notice {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := v.notices[organization]
	return slices.Clip(all[NoticesUpTo(all, at):])
}

// NoticesUpTo counts those of a list that are not after a position.
func NoticesUpTo(list []*Notice, at store.Position) int {
	n, _ := slices.BinarySearchFunc(list, at+1, func(n *Notice, at store.Position) int { return cmp.Compare(n.Position, at) })
	return n
}
