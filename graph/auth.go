package graph

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"heddle/app/access"
	"heddle/domain/refusal"
	"heddle/projections"
)

// Authenticate finds out who makes a request by its bearer token. A request without a valid one
// goes on as nobody's: what it may not see is refused field by field.
func Authenticate(view *projections.View, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := bearer(r.Header.Get("Authorization"))
		if token == "" && r.Method == http.MethodGet && isStream(r) { // a browser's EventSource sends no headers
			token = r.URL.Query().Get("authToken")
		}
		if ctx, ok := enter(r.Context(), view, token, r.RemoteAddr); ok {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// bearer returns the token in an Authorization header, empty when there is none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// enter is [access.Enter] for who asks from a host and port.
func enter(ctx context.Context, view *projections.View, token, address string) (context.Context, bool) {
	remote, _, _ := net.SplitHostPort(address)
	return access.Enter(ctx, view, token, remote)
}

// permit refuses root fields that the caller's role has no right to, and traces mutations.
func (r *Resolver) permit(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if field.Object != "Query" && field.Object != "Mutation" && field.Object != "Subscription" {
		return next(ctx)
	}
	p := access.Of(ctx)
	if p.User == "" {
		return nil, refusal.New(refusal.Unauthenticated, "needs a valid API token: send Authorization: Bearer TOKEN")
	}
	if !p.May(verbs[field.Object+"."+field.Field.Name]) {
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
