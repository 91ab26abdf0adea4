package authoring

import (
	"context"
	"encoding/json"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// Publication holds the options of a publish.
type Publication struct {
	Note       string
	Attributes string // a JSON object, or nothing
	Bypass     string // the reason to go past the review policy, if any
}

func (p Publication) check() error {
	var object map[string]json.RawMessage
	if p.Attributes != "" && (json.Unmarshal([]byte(p.Attributes), &object) != nil || object == nil) {
		return refusal.ForField(refusal.Invalid, "attributes", "must be a JSON object as a string")
	}
	return nil
}

// Publish makes a draft the integration's next version: the draft is closed for it first, so that later edits are
// refused, then the integration gets it. It returns the integration and the version's id.
func (s *Service) Publish(ctx context.Context, id string, p Publication) (domain.Integration, string, error) {
	if err := p.check(); err != nil {
		return domain.Integration{}, "", err
	}
	ref, h, err := s.open(ctx, "id", id)
	if err != nil {
		return domain.Integration{}, "", err
	}
	hash, err := s.publishable(ctx, ref, h.State())
	if err != nil {
		return domain.Integration{}, "", err
	}
	return s.close(ctx, h, domain.DraftClosed{Version: newID(), Definition: hash, Note: p.Note,
		Attributes: p.Attributes}, s.rules(ctx, ref.Integration, p.Bypass))
}

// publishable refuses a draft that can't become a version, and returns the hash of its content, which is durable.
func (s *Service) publishable(ctx context.Context, ref DraftRef, draft domain.Draft) (hash string, err error) {
	newest, published := ref.Integration.Newest()
	switch {
	case draft.Closed != nil: // meanwhile, or it is a named one that was published once
		done, _ := ref.Integration.Version(draft.Closed.Version)
		return "", publishedMeanwhile(done)
	case draft.ID == "" && ref.finished:
		return "", publishedMeanwhile(newest)
	case draft.ID == "":
		return "", unchanged(newest)
	}
	if _, err := definition.Check(draft.Definition); err != nil {
		return "", err
	}
	if hash, err = s.Definitions.Save(ctx, ref.Integration.Organization, draft.Definition); err != nil {
		return "", err
	}
	if published && newest.Definition == hash {
		return "", unchanged(newest)
	}
	return hash, ref.Integration.UpToDate(draft.Base)
}

func publishedMeanwhile(v domain.Version) error {
	return refusal.ForField(refusal.Conflict, "id", "version %d was published meanwhile and nothing has changed since",
		v.Number)
}

func unchanged(since domain.Version) error {
	return refusal.ForField(refusal.Conflict, "id", "nothing has changed since version %d; edit or import first",
		since.Number)
}

// rules are those under which the caller publishes.
func (s *Service) rules(ctx context.Context, i domain.Integration, bypass string) domain.Publishing {
	o, _ := s.View.Organizations.Get(i.Organization, i.Organization)
	return domain.Publishing{Policy: domain.PolicyOf(o, i), Role: access.Of(ctx).Role, Bypass: bypass}
}

// Policy returns what drafts of an integration need to be published.
func (s *Service) Policy(i domain.Integration) domain.ReviewPolicy {
	return s.rules(context.Background(), i, "").Policy
}

// close closes a draft, whose content was checked and saved, for a version, and adds that to the integration.
func (s *Service) close(ctx context.Context, h *store.Handle[domain.Draft], closed domain.DraftClosed,
	rules domain.Publishing) (domain.Integration, string, error) {
	saved := h.State().Definition
	draft, _, err := h.Change(ctx, func(d domain.Draft) (domain.Changes[domain.Draft], error) {
		return d.Close(closed, saved, rules)
	})
	if err != nil {
		return domain.Integration{}, "", err
	}
	return s.finish(ctx, draft, closed)
}

// finish adds the version to the integration that a draft was closed for, or, if that is refused, opens the draft
// again.
func (s *Service) finish(ctx context.Context, draft domain.Draft,
	closed domain.DraftClosed) (domain.Integration, string, error) {
	ctx = context.WithoutCancel(ctx) // the pair is begun: a caller who leaves does not end it
	published, err := change(ctx, s, domain.Integrations, draft.Integration,
		func(i domain.Integration) (domain.Changes[domain.Integration], error) {
			return i.Publish(draft.ID, draft.Base, closed)
		})
	if err == nil {
		return published, closed.Version, nil
	}
	if code := refusal.CodeOf(err); code != "" && code != refusal.Unavailable {
		if _, _, reopening := store.Change(ctx, s.Log, domain.Drafts, draft.ID,
			func(d domain.Draft) (domain.Changes[domain.Draft], error) {
				return d.Reopen(closed.Version, err.Error())
			}); reopening != nil {
			s.Logger.Error("a draft stays closed for a version that was refused", "draft", draft.ID, "error", reopening)
		}
	}
	return domain.Integration{}, "", err
}

// complete finishes the publish that a draft was closed for, in the name of who closed it.
func (s *Service) complete(ctx context.Context, d domain.Draft) (domain.Integration, string, error) {
	ctx = store.As(ctx, store.Author{Organization: d.Organization, Actor: d.UpdatedBy})
	return s.finish(ctx, d, *d.Closed)
}

// Finish completes what a crash left between a draft's closing and its version, and between an integration's removal
// and that of its instances. It is called once the view has caught up, before anybody can ask.
func (s *Service) Finish(ctx context.Context) error {
	for o := range s.View.Organizations.All() {
		s.finishRemoving(ctx, o.ID)
		for _, d := range s.View.Drafts.Each(o.ID) {
			if d.Closed == nil {
				continue
			}
			if i, ok := s.View.Integrations.Get(o.ID, d.Integration); !ok || !i.RemovedAt.IsZero() {
				continue
			} else if _, there := i.Version(d.Closed.Version); there {
				continue
			}
			if _, _, err := s.complete(ctx, d); err != nil {
				s.Logger.Error("a publish that was cut off could not be finished; publish again", "integration",
					d.Integration, "error", err)
				continue
			}
			s.Logger.Info("finished a publish that was cut off", "integration", d.Integration, "version",
				d.Closed.Version)
		}
	}
	return nil
}
