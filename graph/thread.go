package graph

import (
	"context"
	"slices"

	"heddle/domain"
	"heddle/store"
)

// onThread changes a thread of a draft and shows it.
func (r *Resolver) onThread(ctx context.Context, id, thread string, decide draftChange) (*ThreadPayload, error) {
	ref, err := r.draftAt(ctx, "id", id)
	if err != nil {
		return threadPayload(Thread{}, err)
	}
	whole, err := r.changeDraft(ctx, ref, decide)
	if err != nil {
		return threadPayload(Thread{}, err)
	}
	of := Draft{Draft: whole, r: r, integration: ref.integration}
	i := slices.IndexFunc(whole.Threads, func(t domain.Thread) bool { return t.ID == thread })
	return threadPayload(Thread{Thread: whole.Threads[i], of: of, orphaned: whole.Threads[i].Orphaned(whole.Definition)}, nil)
}

func threadPayload(t Thread, err error) (*ThreadPayload, error) {
	thread, errs, err := payload(t, err)
	p := &ThreadPayload{Thread: thread, Errors: errs}
	if thread != nil {
		p.Draft = &t.of
	}
	return p, err
}

func (r *Resolver) openThread(ctx context.Context, input OpenThreadInput) (*ThreadPayload, error) {
	suggestion, err := changesOf("suggestion", input.Suggestion)
	if err != nil {
		return threadPayload(Thread{}, err)
	}
	e := domain.ThreadOpened{Thread: newID(), Part: given(input.Part), Path: input.Path, Text: input.Text, Suggestion: suggestion}
	return r.onThread(ctx, input.ID, e.Thread, func(d domain.Draft, base domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.OpenThread(base, e, r.Limits)
	})
}

func (r *Resolver) replyToThread(ctx context.Context, input ReplyToThreadInput) (*ThreadPayload, error) {
	e := domain.CommentAdded{Thread: input.Thread, Comment: newID(), Text: input.Text}
	return r.onThread(ctx, input.ID, input.Thread, func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.Reply(e, r.Limits)
	})
}

func (r *Resolver) editComment(ctx context.Context, input EditCommentInput) (*ThreadPayload, error) {
	e := domain.CommentEdited{Thread: input.Thread, Comment: input.Comment, Text: input.Text}
	return r.onThread(ctx, input.ID, input.Thread, func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.EditComment(e, principalOf(ctx).User, r.Limits)
	})
}

func (r *Resolver) resolveThread(ctx context.Context, input ResolveThreadInput) (*ThreadPayload, error) {
	return r.onThread(ctx, input.ID, input.Thread, func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.Resolve(input.Thread, input.Resolved == nil || *input.Resolved)
	})
}

func (r *Resolver) applySuggestion(ctx context.Context, input ApplySuggestionInput) (*ThreadPayload, error) {
	return r.onThread(ctx, input.ID, input.Thread, func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
		return d.ApplySuggestion(input.Thread, r.Limits)
	})
}

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
		if last := r.View.Drafts.Last(d.ID); last > seen {
			for rec, err := range r.Log.Read(ctx, domain.Drafts.Stream(d.ID), next) {
				if err != nil {
					return err
				}
				if more, err := each(rec); !more || err != nil {
					return err
				}
				next, seen = rec.Revision+1, rec.Position
			}
		}
		if now, ok := r.View.Drafts.Get(d.Organization, d.ID); !ok || !now.RemovedAt.IsZero() || r.published(now) {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// published tells whether a draft has become a version.
func (r *Resolver) published(d domain.Draft) bool {
	model, ok := r.draftModel(d)
	return !ok || model.Version() != nil
}

var draftEventTypes = map[string]DraftEventType{
	"DraftOpened": DraftEventTypeOpened, "DraftEdited": DraftEventTypeEdited, "DraftDiscarded": DraftEventTypeEdited, "DraftRebased": DraftEventTypeRebased,
	"DraftRemoved": DraftEventTypeRemoved, "DraftClosed": DraftEventTypePublishing, "DraftReopened": DraftEventTypeReopened,
	"ReviewRequested": DraftEventTypeReviewRequested, "ReviewWithdrawn": DraftEventTypeReviewWithdrawn, "ReviewBypassed": DraftEventTypeReviewBypassed,
	"VerdictGiven": DraftEventTypeVerdictGiven, "VerdictWithdrawn": DraftEventTypeVerdictWithdrawn, "VerdictDismissed": DraftEventTypeVerdictDismissed,
	"ThreadOpened": DraftEventTypeThreadOpened, "ThreadResolved": DraftEventTypeThreadResolved, "ThreadReopened": DraftEventTypeThreadReopened,
	"CommentAdded": DraftEventTypeCommentAdded, "CommentEdited": DraftEventTypeCommentEdited, "SuggestionApplied": DraftEventTypeSuggestionApplied,
	"PublishScheduled": DraftEventTypePublishScheduled, "PublishUnscheduled": DraftEventTypePublishUnscheduled,
}

// event is a record of the draft as clients see it.
func (d Draft) event(rec store.Recorded) (DraftEvent, error) {
	meta, err := store.MetaOf(rec)
	kind, known := draftEventTypes[rec.Kind]
	if !known {
		kind = DraftEventTypeOther
	}
	return DraftEvent{Cursor: feedCursor{position: rec.Position}.String(), Type: kind, By: d.r.user(d.Organization, meta.Actor), At: meta.Time,
		Revision: d.ref().place(rec.Revision).String(), Data: string(rec.Data)}, err
}
