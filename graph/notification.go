package graph

import (
	"context"
	"strconv"
	"strings"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// Notification is an event of a draft that its reader is told of.
type Notification struct {
	*projections.Notification
	r *Resolver
}

// noticeID is the prefix of ids of notifications; the position follows.
const noticeID = "notice:"

// ID is by which node finds it, for whom it is.
func (n Notification) ID() string { return noticeID + strconv.FormatUint(uint64(n.Position), 10) }

// notificationByID finds what the caller was told by its id.
func (r *Resolver) notificationByID(ctx context.Context, id string) (Node, error) {
	text, is := strings.CutPrefix(id, noticeID)
	position, err := strconv.ParseUint(text, 10, 63)
	if !is || err != nil {
		return nil, refusal.Missing("notification")
	}
	told := r.View.NotificationsTo(access.Of(ctx).User)
	if n := projections.NotificationsUpTo(told, store.Position(position)); n > 0 &&
		told[n-1].Position == store.Position(position) {
		return Notification{told[n-1], r}, nil
	}
	return nil, refusal.Missing("notification")
}

// Cursor is its place in the feed.
func (n Notification) Cursor() string { return feedCursor{position: n.Position}.String() }

// Type returns the kind of event.
func (n Notification) Type() DraftEventType { return draftEvents[n.Kind].Type }

// By is who did it.
func (n Notification) By() *domain.User { return n.r.user(n.Organization, n.Actor) }

// Draft returns the draft that it happened to, nil once that is gone.
func (n Notification) Draft(ctx context.Context) (*Draft, error) {
	return n.r.findDraft(ctx, n.Organization, n.Notification.Draft)
}

// Thread returns the thread that it is about.
func (n Notification) Thread() *string { return optional(n.Notification.Thread) }

// Text returns its author's words.
func (n Notification) Text() *string { return optional(n.Notification.Text) }

// notifications returns a page of what the caller was told, newest first: no more is looked at than is shown.
func (r *Resolver) notifications(ctx context.Context, w window) (Page[Notification], error) {
	page := Page[Notification]{Nodes: []Notification{}, Edges: []Edge[Notification]{}}
	cursor, size, err := w.read()
	if err != nil {
		return page, err
	}
	from, err := parseFeedCursor(cursor)
	if err != nil {
		return page, err
	}
	told := r.View.NotificationsTo(access.Of(ctx).User)
	page.total = func(context.Context) (int, error) { return len(told), nil }
	start, end := 0, len(told)
	switch {
	case w.backwards():
		if cursor != "" {
			start = projections.NotificationsUpTo(told, from.position)
		}
		end = min(end, start+size)
	case cursor != "":
		end = projections.NotificationsUpTo(told, from.position-1)
		fallthrough
	default:
		start = max(0, end-size)
	}
	for i := end - 1; i >= start; i-- {
		n := Notification{told[i], r}
		page.add(n, n.Cursor())
	}
	page.PageInfo.HasNextPage, page.PageInfo.HasPreviousPage = start > 0, end < len(told)
	return page, nil
}

// notificationFeed feeds what the caller is told of.
func (r *Resolver) notificationFeed(ctx context.Context, argument *string) (<-chan *Notification, error) {
	from, err := after(ctx, argument)
	if err != nil {
		return nil, err
	}
	user := access.Of(ctx).User
	return stream(ctx, func(ctx context.Context, send func(Notification) bool) error {
		signal, stop := r.View.Watch()
		defer stop()
		for {
			told := r.View.NotificationsTo(user)
			for _, n := range told[projections.NotificationsUpTo(told, from.position):] {
				if from.position = n.Position; !send(Notification{n, r}) {
					return ctx.Err()
				}
			}
			select {
			case <-signal:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}), nil
}
