package authoring

import (
	"context"
	"fmt"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// RollBack publishes an older version's content again, as a version of its own: like any other it goes through a draft,
// one of its own, so that nobody's edits are in the way.
func (s *Service) RollBack(ctx context.Context, version string, p Publication) (domain.Integration, string, error) {
	to, err := s.find(ctx, version)
	if err == nil && to.Version == nil {
		err = refusal.ForField(refusal.Invalid, "id", "is an integration; give the id of one of its published versions")
	}
	if err != nil {
		return domain.Integration{}, "", err
	}
	newest, _ := to.Integration.Newest()
	if newest.Definition == to.Version.Definition {
		return domain.Integration{}, "", refusal.ForField(refusal.Conflict, "id",
			"version %d says the same; there is nothing to go back to", newest.Number)
	}
	back := fmt.Sprintf("Back to version %d", to.Version.Number)
	if p.Note == "" {
		p.Note = back
	}
	// not to leave a draft behind that can't be published
	if err := s.rules(ctx, to.Integration, p.Bypass).May(domain.Draft{}); err != nil {
		return domain.Integration{}, "", err
	}
	ref, err := s.Begin(ctx, to.Integration, back, to.Version)
	if err != nil {
		return domain.Integration{}, "", err
	}
	return s.Publish(ctx, ref.ID, p)
}

// Delete ends an integration with its instances, in this order: once it is gone nobody can add one. Its events stay.
// may refuses with a reason.
func (s *Service) Delete(ctx context.Context, id string,
	may func(domain.Integration) error) (domain.Integration, error) {
	i, err := s.Editable(ctx, "id", id)
	if err == nil {
		err = may(i)
	}
	if err != nil {
		return i, err
	}
	ctx = context.WithoutCancel(ctx) // what is begun is finished, though the caller leaves
	if i, err = change(ctx, s, domain.Integrations, id, domain.Integration.Remove); err != nil {
		return i, err
	}
	return i, s.removeInstances(ctx, i)
}

// removeInstances removes the instances of an integration that is gone.
func (s *Service) removeInstances(ctx context.Context, i domain.Integration) error {
	for _, instance := range s.View.Instances.Each(i.Organization) {
		if instance.Integration != i.ID || !instance.RemovedAt.IsZero() {
			continue
		}
		if _, err := change(ctx, s, domain.Instances, instance.ID, domain.Instance.RemoveWithIntegration); err != nil {
			return fmt.Errorf("removing instance %s: %w", instance.ID, err)
		}
	}
	return nil
}

// finishRemoving removes what a crash left of integrations that are gone.
func (s *Service) finishRemoving(ctx context.Context, organization string) {
	ctx = store.As(ctx, store.Author{Organization: organization, Actor: "system"})
	for _, instance := range s.View.Instances.Each(organization) {
		i, ok := s.View.Integrations.Get(organization, instance.Integration)
		if !ok || i.RemovedAt.IsZero() || !instance.RemovedAt.IsZero() {
			continue
		}
		if err := s.removeInstances(ctx, i); err != nil {
			s.Logger.Error("the instances of an integration that was removed could not be removed", "integration", i.ID,
				"error", err)
		}
	}
}
