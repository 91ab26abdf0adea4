package graph

import (
	"context"

	"heddle/domain"
)

// Node is what [Resolver.node] finds by its id.
type Node interface{}

// node finds whatever has an id, for clients that ask again for what they have.
func (r *Resolver) node(ctx context.Context, id string) (Node, error) {
	query := r.Query()
	for _, find := range []func() (Node, error){
		func() (Node, error) { return query.Integration(ctx, id, nil, nil) },
		func() (Node, error) { return query.Instance(ctx, id, nil, nil) },
		func() (Node, error) { return query.Customer(ctx, id) },
		func() (Node, error) { return query.Draft(ctx, id, nil, nil) },
		func() (Node, error) { return query.Component(ctx, id) },
		func() (Node, error) { return r.auditEventByID(ctx, id) },
		func() (Node, error) { return r.notificationByID(ctx, id) },
		func() (Node, error) {
			user, ok := r.View.Users.Get(principalOf(ctx).Organization, id)
			return found(user, ok, "user")
		},
	} {
		if node, err := find(); domain.CodeOf(err) != domain.NotFound {
			return node, err
		}
	}
	execution, err := query.ExecutionResult(ctx, id)
	if execution == nil {
		return nil, err
	}
	return execution, err
}
