package authoring

import (
	"context"
	"slices"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// Schedule has a draft published later.
func (s *Service) Schedule(ctx context.Context, id string, at time.Time,
	p Publication) (DraftRef, domain.Draft, error) {
	if err := p.check(); err != nil {
		return DraftRef{}, domain.Draft{}, err
	}
	ref, h, err := s.open(ctx, "id", id)
	if err != nil {
		return ref, domain.Draft{}, err
	}
	hash, err := s.publishable(ctx, ref, h.State())
	if err != nil {
		return ref, domain.Draft{}, err
	}
	e := domain.PublishScheduled{Version: newID(), At: at.UTC(), Definition: hash, Note: p.Note,
		Attributes: p.Attributes}
	saved := h.State().Definition
	d, pos, err := h.Change(ctx, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.SchedulePublish(e, saved, time.Now(), s.rules(ctx, ref.Integration, ""))
	})
	if err == nil {
		s.View.Settle(ctx, pos)
	}
	return ref, d, err
}

// longestSleep bounds how late a schedule is noticed when the clock is set.
const longestSleep = time.Minute

// PublishScheduled publishes drafts when their time has come, until ctx ends. On several processes one of them does:
// the version's id was chosen with the schedule.
func (s *Service) PublishScheduled(ctx context.Context) error {
	signal, stop := s.View.Watch()
	defer stop()
	for {
		next := time.Now().Add(longestSleep)
		for _, d := range s.View.ScheduledDrafts() {
			if at := d.Schedule.At; at.After(time.Now()) {
				next = slices.MinFunc([]time.Time{next, at}, time.Time.Compare)
			} else if err := s.publishScheduled(ctx, d); err != nil && ctx.Err() == nil {
				s.Logger.Error("a planned publish failed; trying again", "draft", d.ID, "error", err)
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

// publishScheduled publishes a draft as it was scheduled, in the name of who scheduled it. What is refused by now ends
// the schedule.
func (s *Service) publishScheduled(ctx context.Context, d domain.Draft) error {
	ctx = store.As(ctx, store.Author{Organization: d.Organization, Actor: d.Schedule.By,
		Causation: domain.ScheduleCausation})
	err := s.closeAsScheduled(ctx, d)
	if code := refusal.CodeOf(err); code == "" || code == refusal.Unavailable { // it is published, or will be
		return err
	}
	reason := err.Error()
	_, err = change(ctx, s, domain.Drafts, d.ID,
		func(d domain.Draft) (domain.Changes[domain.Draft], error) { return d.UnschedulePublish(reason) })
	return err
}

func (s *Service) closeAsScheduled(ctx context.Context, d domain.Draft) error {
	i, _ := s.View.Integrations.Get(d.Organization, d.Integration)
	if u, ok := s.View.Users.Get(d.Organization, d.Schedule.By); !ok || !access.May(u.Role, access.Publish) {
		return refusal.New(refusal.Forbidden, "who planned it may not publish any more")
	}
	if err := i.UpToDate(d.Base); err != nil {
		return err
	}
	h, err := store.Open(ctx, s.Log, domain.Drafts, d.ID)
	if err != nil {
		return err
	}
	if def := h.State().Definition; def != nil && definition.Hash(def) != d.Schedule.Definition {
		return domain.ErrEditedMeanwhile
	}
	plan := d.Schedule
	_, _, err = s.close(ctx, h, domain.DraftClosed{Version: plan.Version, Definition: plan.Definition, Note: plan.Note,
		Attributes: plan.Attributes},
		domain.Publishing{Policy: s.Policy(i)})
	return err
}
