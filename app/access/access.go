// Package access knows who asks and what they may do. Doors find the principal of a request by its token, and ask for a
// verb; which of their fields and addresses need which verb is theirs to say.
package access

import (
	"context"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/projections"
	"heddle/store"
)

// Principal is who makes a request; the zero one is nobody.
type Principal struct {
	Organization string
	User         string
	Token        string // id
	Role         domain.Role

	hash string // of the token
}

type principalKey struct{}

// Of returns the principal of a request's context.
func Of(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// With returns a context in which a principal asks.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Enter returns the context of what the owner of a token asks for from a remote address. It reports whether the token
// is valid.
func Enter(ctx context.Context, view *projections.View, token, remote string) (context.Context, bool) {
	p, ok := ownerOf(view, TokenHash(token))
	if token == "" || !ok {
		return ctx, false
	}
	author := store.Author{Organization: p.Organization, Actor: p.User, Token: p.Token, Remote: remote,
		Correlation: uuid.Must(uuid.NewV7()).String()}
	return store.As(With(ctx, p), author), true
}

// Stands reports whether the principal's token is still valid, and its role what it was.
func (p Principal) Stands(view *projections.View) bool {
	now, ok := ownerOf(view, p.hash)
	return ok && now == p
}

func ownerOf(view *projections.View, hash string) (Principal, bool) {
	user, id, ok := view.TokenOwner(hash)
	return Principal{Organization: user.Organization, User: user.ID, Token: id, Role: user.Role, hash: hash}, ok
}
