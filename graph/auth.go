package graph

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// Principal is who makes a request; the zero one is nobody.
type Principal struct {
	Organization string
	User         string
	Token        string // id
	Role         domain.Role
	hash         string // of the token
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
		token := bearer(r.Header.Get("Authorization"))
		if token == "" && r.Method == http.MethodGet && isStream(r) { // a browser's EventSource sends no headers
			token = r.URL.Query().Get("authToken")
		}
		if ctx, ok := authenticated(r.Context(), view, token, r.RemoteAddr); ok {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// bearer gives the token in an Authorization header, empty when there is none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// authenticated gives the context of what the owner of a token asks for from a network address.
func authenticated(ctx context.Context, view *projections.View, token, address string) (context.Context, bool) {
	p, ok := ownerOf(view, TokenHash(token))
	if token == "" || !ok {
		return ctx, false
	}
	remote, _, _ := net.SplitHostPort(address)
	ctx = context.WithValue(ctx, principalKey{}, p)
	return store.As(ctx, store.Author{Organization: p.Organization, Actor: p.User, Token: p.Token, Remote: remote, Correlation: newID()}), true
}

func ownerOf(view *projections.View, hash string) (Principal, bool) {
	user, id, ok := view.TokenOwner(hash)
	return Principal{Organization: user.Organization, User: user.ID, Token: id, Role: user.Role, hash: hash}, ok
}

// permit refuses root fields that the caller's role has no right to, and traces mutations.
func (r *Resolver) permit(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if field.Object != "Query" && field.Object != "Mutation" && field.Object != "Subscription" {
		return next(ctx)
	}
	p := principalOf(ctx)
	if p.User == "" {
		return nil, refusal.New(refusal.Unauthenticated, "needs a valid API token: send Authorization: Bearer TOKEN")
	}
	if !may(p.Role, field.Object+"."+field.Field.Name) {
		return nil, refusal.New(refusal.Forbidden, "the role %s may not use %s", p.Role, field.Field.Name)
	}
	if r.Tracer == nil || field.Object != "Mutation" {
		return next(ctx)
	}
	ctx, span := r.Tracer.Start(ctx, "mutation "+field.Field.Name, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	v, err := next(ctx)
	if err != nil {
		span.SetStatus(codes.Error, string(refusal.CodeOf(err))) // the code only: the words may hold what is secret
	}
	return v, err
}
