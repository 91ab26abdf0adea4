package graph

import (
	"cmp"
	"context"

	"heddle/domain"
	"heddle/store"
)

// draftFeed feeds what happens to a draft.
func (r *Resolver) draftFeed(ctx context.Context, id string, argument *string) (<-chan *DraftEvent, error) {
	from, err := after(ctx, argument)
	if err != nil {
		return nil, err
	}
	shown, err := r.draftByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, send func(DraftEvent) bool) error {
		return r.followDraft(ctx, *shown, func(rec store.Recorded) (bool, error) {
			if rec.Position <= from.position {
				return true, nil
			}
			event, err := shown.event(rec)
			return err == nil && send(event), err
		})
	}), nil
}

// followDraft calls each with every record of a draft, as they come, until it has become a version, has
// ended, or nobody listens.
func (r *Resolver) followDraft(ctx context.Context, d Draft, each func(store.Recorded) (more bool, err error)) error {
	signal, stop := r.View.Watch()
	defer stop()
	var next store.Revision
	var seen store.Position
	for {
		now, there := r.View.Drafts.Get(d.Organization, d.ID)
		if last := r.View.Drafts.Last(d.ID); last > seen || !there { // it has ended, and is read once more
			for rec, err := range store.Own(r.Log.Read(ctx, domain.Drafts.Stream(d.ID), next)) {
				if err != nil {
					return err
				}
				if more, err := each(rec); !more || err != nil {
					return err
				}
				next, seen = rec.Revision+1, rec.Position
			}
		}
		if !there || !now.RemovedAt.IsZero() || r.published(now) { // as of before what was read
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// published reports whether a draft has become a version.
func (r *Resolver) published(d domain.Draft) bool {
	model, ok := r.draftModel(d)
	return !ok || model.Version() != nil
}

// draftEvent describes a kind of event of drafts for clients.
type draftEvent struct {
	Type  DraftEventType
	edits bool // it changes what the draft contains
}

// draftEvents has every kind.
var draftEvents = map[string]draftEvent{
	"DraftOpened":        {Type: DraftEventTypeOpened},
	"DraftRenamed":       {Type: DraftEventTypeRenamed},
	"DraftEdited":        {DraftEventTypeEdited, true},
	"DraftDiscarded":     {DraftEventTypeEdited, true},
	"DraftRebased":       {DraftEventTypeRebased, true},
	"DraftRemoved":       {Type: DraftEventTypeRemoved},
	"DraftClosed":        {Type: DraftEventTypePublishing},
	"DraftReopened":      {Type: DraftEventTypeReopened},
	"ReviewRequested":    {Type: DraftEventTypeReviewRequested},
	"ReviewWithdrawn":    {Type: DraftEventTypeReviewWithdrawn},
	"ReviewBypassed":     {Type: DraftEventTypeReviewBypassed},
	"VerdictGiven":       {Type: DraftEventTypeVerdictGiven},
	"VerdictWithdrawn":   {Type: DraftEventTypeVerdictWithdrawn},
	"VerdictDismissed":   {Type: DraftEventTypeVerdictDismissed},
	"ThreadOpened":       {Type: DraftEventTypeThreadOpened},
	"ThreadResolved":     {Type: DraftEventTypeThreadResolved},
	"ThreadReopened":     {Type: DraftEventTypeThreadReopened},
	"CommentAdded":       {Type: DraftEventTypeCommentAdded},
	"CommentEdited":      {Type: DraftEventTypeCommentEdited},
	"SuggestionApplied":  {Type: DraftEventTypeSuggestionApplied},
	"PublishScheduled":   {Type: DraftEventTypePublishScheduled},
	"PublishUnscheduled": {Type: DraftEventTypePublishUnscheduled},
}

// event is a record of the draft as clients see it.
func (d Draft) event(rec store.Recorded) (DraftEvent, error) {
	meta, err := store.MetaOf(rec)
	kind := cmp.Or(draftEvents[rec.Kind].Type, DraftEventTypeOther)
	return DraftEvent{ID: eventID("draft", rec), Cursor: feedCursor{position: rec.Position}.String(), Type: kind,
		By: d.r.user(d.Organization, meta.Actor), At: meta.Time,
		Revision: placeOf(d.ref(), rec.Revision).String(), Data: string(rec.Data)}, err
}
