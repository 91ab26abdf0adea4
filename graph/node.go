package graph

import (
	"context"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
)

// Node is an object that [Resolver.node] finds by its id.
type Node interface{}

// finder looks for things of one kind. What is not there, or not for the caller, it refuses as NOT_FOUND.
type finder func(r *Resolver, ctx context.Context, id string) (Node, error)

// finders look for whatever has an id, in this order.
var finders = []finder{
	part((*Resolver).partOfIntegration),
	part((*Resolver).partOfInstance),
	part((*Resolver).partOfExecution),
	func(r *Resolver, ctx context.Context, id string) (Node, error) { return r.integration(ctx, id) },
	func(r *Resolver, ctx context.Context, id string) (Node, error) { return r.instanceAt(ctx, id, nil) },
	func(r *Resolver, ctx context.Context, id string) (Node, error) { return r.Query().Customer(ctx, id) },
	func(r *Resolver, ctx context.Context, id string) (Node, error) { return r.draftByID(ctx, id) },
	(*Resolver).auditEventByID,
	(*Resolver).notificationByID,
	(*Resolver).userByID,
	(*Resolver).executionByID,
	(*Resolver).tokenByID,
	(*Resolver).attachmentByID,
	(*Resolver).inCatalogue,
}

// part looks for what is part of something and has an id of both, see [domain.PartID]. Whoever may see
// the one may see the other.
func part(find func(r *Resolver, ctx context.Context, owner, id string) (Node, error)) finder {
	return func(r *Resolver, ctx context.Context, id string) (Node, error) {
		owner, _, is := domain.ParsePartID(id)
		if !is {
			return nil, refusal.Missing("part")
		}
		return find(r, ctx, owner, id)
	}
}

// partOf returns a part's id in its definition from an id that clients have, wherever they have it from.
func partOf(id string) string {
	if _, part, is := domain.ParsePartID(id); is {
		return part
	}
	return id
}

// node finds whatever has an id, for clients that ask again for what they have.
func (r *Resolver) node(ctx context.Context, id string) (Node, error) {
	for _, find := range finders {
		if node, err := find(r, ctx, id); refusal.CodeOf(err) != refusal.NotFound {
			return node, err
		}
	}
	return nil, nil
}

// partOfIntegration finds a flow of a draft or version, or the trigger that only a flow knows.
func (r *Resolver) partOfIntegration(ctx context.Context, owner, id string) (Node, error) {
	i, err := r.integration(ctx, owner)
	if err != nil {
		return nil, err
	}
	flows, err := r.flows(ctx, i)
	for _, f := range flows {
		if f.ID() == id {
			return f, nil
		}
		if action := f.action(f.flow.Trigger()); action.ID() == id {
			return action, nil
		}
	}
	return nil, orNotFound(err, "flow")
}

// partOfInstance finds a flow or a config variable of an instance, or a field of that.
func (r *Resolver) partOfInstance(ctx context.Context, owner, id string) (Node, error) {
	i, err := r.instanceAt(ctx, owner, nil)
	if err != nil {
		return nil, err
	}
	flows, err := r.flowConfigs(ctx, *i)
	if err != nil {
		return nil, err
	}
	for _, f := range flows {
		if f.ID() == id {
			return f, nil
		}
	}
	variables, err := r.configVariables(ctx, *i)
	for _, v := range variables {
		if v.ID() == id {
			return v, nil
		}
		for _, f := range v.fields() {
			if f.ID == id {
				return f, nil
			}
		}
	}
	return nil, orNotFound(err, "config variable")
}

// partOfExecution finds what a step did, a region of the log or a line of it.
func (r *Resolver) partOfExecution(ctx context.Context, owner, id string) (Node, error) {
	if err := r.hasExecution(ctx, owner); err != nil {
		return nil, err
	}
	run, err := r.run(ctx, owner)
	if err != nil {
		return nil, err
	}
	for _, s := range run.Steps() {
		if result := (InstanceStepResult{run: owner, step: s}); result.ID() == id {
			return result, nil
		}
	}
	for _, s := range sectionsOf(run) {
		if s.ID == id {
			return s, nil
		}
	}
	lines, err := r.log(ctx, owner)
	for _, l := range lines {
		if l.ID() == id {
			return l, nil
		}
	}
	return nil, orNotFound(err, "log line")
}

func (r *Resolver) userByID(ctx context.Context, id string) (Node, error) {
	u, ok := r.View.Users.Get(access.Of(ctx).Organization, id)
	return found(u, ok, "user")
}

func (r *Resolver) executionByID(ctx context.Context, id string) (Node, error) {
	e, ok, err := r.execution(ctx, id)
	if err != nil {
		return nil, err
	}
	return found(e, ok, "execution")
}

// tokenByID finds a token for those who may read the list of them.
func (r *Resolver) tokenByID(ctx context.Context, id string) (Node, error) {
	if access.Of(ctx).May(access.ManageUsers) {
		for _, t := range r.apiTokens(ctx) {
			if t.ID == id {
				return t, nil
			}
		}
	}
	return nil, refusal.Missing("API token")
}

// inCatalogue finds a component, an action, a trigger or an input of one.
func (r *Resolver) inCatalogue(_ context.Context, id string) (Node, error) {
	if node := r.catalogue[id]; node != nil {
		return node, nil
	}
	return nil, refusal.Missing("component")
}

func (r *Resolver) attachmentByID(ctx context.Context, id string) (Node, error) {
	i, a, ok := r.View.AttachmentOf(access.Of(ctx).Organization, id)
	return found(Attachment{i, a}, ok, "attachment")
}
