package graph

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"

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
}

type principalKey struct{}

func principalOf(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// Authenticate finds out who makes a request by its bearer token. A request without a valid one
// goes on as nobody's: what it may not see is refused field by field.
func Authenticate(view *projections.View, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			next.ServeHTTP(w, r)
			return
		}
		user, id, ok := view.TokenOwner(TokenHash(strings.TrimSpace(token)))
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		remote, _, _ := net.SplitHostPort(r.RemoteAddr)
		ctx := context.WithValue(r.Context(), principalKey{},
			Principal{Organization: user.Organization, User: user.ID, Token: id, Role: user.Role})
		ctx = store.As(ctx, store.Author{Organization: user.Organization, Actor: user.ID, Token: id, Remote: remote, Correlation: newID()})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// permit refuses root fields that the caller's role has no right to.
func permit(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if field.Object != "Query" && field.Object != "Mutation" && field.Object != "Subscription" {
		return next(ctx)
	}
	p := principalOf(ctx)
	if p.User == "" {
		return nil, domain.Refuse(domain.Unauthenticated, "needs a valid API token: send Authorization: Bearer TOKEN")
	}
	if !may(p.Role, field.Object+"."+field.Field.Name) {
		return nil, domain.Refuse(domain.Forbidden, "the role %s may not use %s", p.Role, field.Field.Name)
	}
	return next(ctx)
}
