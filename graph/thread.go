package graph

import (
	"context"
	"slices"

	"heddle/app/access"
	"heddle/app/authoring"
	"heddle/domain"
)

// onThread changes a thread of a draft and shows it.
func (r *Resolver) onThread(ctx context.Context, id, thread string, decide draftChange) (*ThreadPayload, error) {
	ref, err := r.Authoring.Draft(ctx, "id", id)
	if err != nil {
		return threadPayload(Thread{}, err)
	}
	whole, err := r.Authoring.Change(ctx, ref, decide)
	if err != nil {
		return threadPayload(Thread{}, err)
	}
	of := Draft{Draft: whole, r: r, integration: ref.Integration}
	i := slices.IndexFunc(whole.Threads, func(t domain.Thread) bool { return t.ID == thread })
	return threadPayload(Thread{Thread: whole.Threads[i], of: of,
		orphaned: whole.Threads[i].Orphaned(whole.Definition)}, nil)
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
	e := domain.ThreadOpened{Thread: newID(), Part: partOf(deref(input.Part)), Path: input.Path, Text: input.Text,
		Suggestion: suggestion}
	return r.onThread(ctx, input.ID, e.Thread,
		func(d domain.Draft, base domain.DraftOpened) (_ domain.Changes[domain.Draft], err error) {
			if e.Suggestion, err = r.Authoring.SealKeysIn(ctx, "suggestion", suggestion,
				authoring.EditedFrom(d, base)); err != nil {
				return nil, err
			}
			return d.OpenThread(base, e, r.Limits)
		})
}

func (r *Resolver) replyToThread(ctx context.Context, input ReplyToThreadInput) (*ThreadPayload, error) {
	e := domain.CommentAdded{Thread: input.Thread, Comment: newID(), Text: input.Text}
	return r.onThread(ctx, input.ID, input.Thread,
		func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
			return d.Reply(e, r.Limits)
		})
}

func (r *Resolver) editComment(ctx context.Context, input EditCommentInput) (*ThreadPayload, error) {
	e := domain.CommentEdited{Thread: input.Thread, Comment: input.Comment, Text: input.Text}
	return r.onThread(ctx, input.ID, input.Thread,
		func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
			return d.EditComment(e, access.Of(ctx).User, r.Limits)
		})
}

func (r *Resolver) resolveThread(ctx context.Context, input ResolveThreadInput) (*ThreadPayload, error) {
	return r.onThread(ctx, input.ID, input.Thread,
		func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
			return d.Resolve(input.Thread, input.Resolved == nil || *input.Resolved)
		})
}

func (r *Resolver) applySuggestion(ctx context.Context, input ApplySuggestionInput) (*ThreadPayload, error) {
	return r.onThread(ctx, input.ID, input.Thread,
		func(d domain.Draft, _ domain.DraftOpened) (domain.Changes[domain.Draft], error) {
			return d.ApplySuggestion(input.Thread, r.Limits)
		})
}
