// Package authoring changes integrations where that takes more than one stream, or more than one door does it:
// create, import and copy, publish now or later, roll back, delete. What changes one stream, such as an edit, is
// decided where it is asked for; here are the draft it goes to and the sealing of what it brings.
package authoring

import (
	"context"
	"log/slog"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/app/secrets"
	"heddle/component"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// Service does it.
type Service struct {
	Log         store.Log
	View        *projections.View
	Definitions *projections.Definitions
	Secrets     secrets.Keeper
	Components  *component.Registry
	Limits      domain.DraftLimits
	Logger      *slog.Logger
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// change makes a change and waits until the view shows it.
func change[S any](ctx context.Context, s *Service, c *domain.Category[S], id string,
	decide func(S) (domain.Changes[S], error), opts ...store.Option) (S, error) {
	return projections.Change(ctx, s.Log, s.View, c, id, decide, opts...)
}

// Source is an integration as it is, with what is being edited, or at one of its versions.
type Source struct {
	Integration domain.Integration
	Version     *domain.Version // nil for the integration itself
}

// find finds an integration of the caller's organization by its own id or that of a version.
func (s *Service) find(ctx context.Context, id string) (Source, error) {
	organization := access.Of(ctx).Organization
	if i, ok := s.View.Integrations.Get(organization, id); ok && i.RemovedAt.IsZero() {
		return Source{Integration: i}, nil
	}
	if i, ok := s.View.IntegrationOf(organization, id); ok && i.RemovedAt.IsZero() {
		if v, ok := i.Version(id); ok {
			return Source{i, &v}, nil
		}
	}
	return Source{}, refusal.Missing("integration")
}

// Editable finds an integration by its own id. A version, which never changes, is refused.
func (s *Service) Editable(ctx context.Context, field, id string) (domain.Integration, error) {
	organization := access.Of(ctx).Organization
	i, ok := s.View.Integrations.Get(organization, id)
	if ok && i.RemovedAt.IsZero() {
		return i, nil
	}
	if i, ok := s.View.IntegrationOf(organization, id); ok && i.RemovedAt.IsZero() {
		return i, refusal.ForField(refusal.Invalid, field,
			"is a published version, which never changes; give the integration's own id")
	}
	return i, refusal.Missing("integration")
}
