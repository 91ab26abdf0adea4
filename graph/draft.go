package graph

import (
	"context"

	"heddle/app/authoring"
	"heddle/domain"
	"heddle/domain/refusal"
)

// editable finds an integration by its own id. A version, which never changes, is refused.
func (r *Resolver) editable(ctx context.Context, field, id string) (Integration, error) {
	i, err := r.integration(ctx, id)
	if err != nil {
		return i, err
	}
	if i.version != nil {
		return i, refusal.ForField(refusal.Invalid, field,
			"is a published version, which never changes; give the integration's own id")
	}
	return i, nil
}

// published returns the answer to a publish.
func published(i domain.Integration, version string, err error) (Integration, error) {
	return at(i, version), err
}

// scheduled returns the answer to scheduling a publish.
func (r *Resolver) scheduled(ref authoring.DraftRef, d domain.Draft, err error) (Draft, error) {
	return Draft{Draft: d, r: r, integration: ref.Integration}, err
}
