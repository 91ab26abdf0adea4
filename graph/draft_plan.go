package graph

import (
	"context"
	"slices"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// planPublish has a draft published later.
func (r *Resolver) planPublish(ctx context.Context, input SchedulePublishInput) (Draft, error) {
	p := publication{note: given(input.Comment), attributes: given(input.Attributes)}
	if err := p.check(); err != nil {
		return Draft{}, err
	}
	ref, err := r.draftAt(ctx, "id", input.ID)
	if err != nil {
		return Draft{}, err
	}
	_, hash, err := r.publishable(ctx, ref)
	if err != nil {
		return Draft{}, err
	}
	e := domain.PublishScheduled{Version: newID(), At: input.At.UTC(), Definition: hash, Note: p.note, Attributes: p.attributes}
	return r.changeReview(ctx, ref, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Plan(e, time.Now(), r.publishing(ctx, ref.integration, ""))
	})
}

// longestSleep bounds how late a plan is noticed when the clock is set.
const longestSleep = time.Minute

// PublishPlanned publishes drafts when their time has come, until ctx ends. On several processes one of
// them does: the version's id was chosen with the plan.
func (r *Resolver) PublishPlanned(ctx context.Context) error {
	signal, stop := r.View.Watch()
	defer stop()
	for {
		next := time.Now().Add(longestSleep)
		for _, d := range r.View.PlannedDrafts() {
			if at := d.Schedule.At; at.After(time.Now()) {
				next = slices.MinFunc([]time.Time{next, at}, time.Time.Compare)
			} else if err := r.publishPlan(ctx, d); err != nil && ctx.Err() == nil {
				r.Logger.Error("a planned publish failed; trying again", "draft", d.ID, "error", err)
				next = time.Now().Add(time.Second)
			}
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-signal:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// publishPlan publishes a draft as it was planned, in the name of who planned it. What is refused by now
// gives the plan up.
func (r *Resolver) publishPlan(ctx context.Context, d domain.Draft) error {
	ctx = store.As(ctx, store.Author{Organization: d.Organization, Actor: d.Schedule.By, Causation: domain.PlanCausation})
	i, _ := r.View.Integrations.Get(d.Organization, d.Integration)
	err := r.mayPublish(d)
	if err == nil {
		err = i.UpToDate(d.Base)
	}
	if err == nil {
		s := d.Schedule
		_, err = r.closeFor(ctx, d, domain.DraftClosed{Version: s.Version, Definition: s.Definition, Note: s.Note, Attributes: s.Attributes},
			domain.Publishing{Policy: r.policy(i)})
	}
	if code := refusal.CodeOf(err); code == "" || code == refusal.Unavailable { // it is published, or will be
		return err
	}
	reason := err.Error()
	_, err = change(ctx, r, domain.Drafts, d.ID, func(d domain.Draft) (domain.Changes[domain.Draft], error) { return d.Unplan(reason) })
	return err
}

// mayPublish refuses a plan whose author may not publish any more.
func (r *Resolver) mayPublish(d domain.Draft) error {
	u := r.user(d.Organization, d.Schedule.By)
	if u == nil || !access.May(u.Role, access.Publish) {
		return refusal.New(refusal.Forbidden, "who planned it may not publish any more")
	}
	return nil
}
