package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/domain"
)

// Options are the door's limits; their names in the configuration are in cmd/heddle.
type Options struct {
	MaxBody          int64         // bytes of a request's body
	MaxAnonymousBody int64         // the same without a valid token
	MaxTokens        int           // of a document
	MaxDepth         int           // of a document's fields
	MaxComplexity    int           // fields a document asks for
	Timeout          time.Duration // of a query or mutation
	Origins          []string      // other sites whose pages may call
}

// DefaultOptions are limits that no client known needs to exceed.
func DefaultOptions() Options {
	return Options{MaxBody: 2 << 20, MaxAnonymousBody: 16 << 10, MaxTokens: 2000, MaxDepth: 20, MaxComplexity: 2000, Timeout: 30 * time.Second}
}

// NewHandler is the GraphQL endpoint: documents by POST, the explorer's page by GET.
func NewHandler(r *Resolver, o Options) (http.Handler, error) {
	server := handler.New(NewExecutableSchema(Config{Resolvers: r}))
	server.AddTransport(post{o})
	server.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	server.SetParserTokenLimit(o.MaxTokens)
	server.SetDisableSuggestion(true)
	server.Use(extension.FixedComplexityLimit(o.MaxComplexity))
	server.Use(shield{o.MaxDepth})
	server.AroundFields(permit)
	server.SetErrorPresenter(present(r.Logger))
	server.SetRecoverFunc(func(_ context.Context, cause any) error {
		return fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
	})
	mux := http.NewServeMux()
	mux.Handle("POST /api", server)
	mux.Handle("POST /api/{$}", server)
	explore(mux)
	return crossOrigin(Authenticate(r.View, mux), o.Origins)
}

// crossOrigin lets pages of the listed origins call, answers their preflights, and refuses writes
// that any other site's page makes a browser send.
func crossOrigin(next http.Handler, origins []string) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("HEDDLE_ORIGINS: %w", err)
		}
	}
	protected := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin != "" && slices.Contains(origins, origin) {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Add("Vary", "Origin")
			h.Set("Access-Control-Expose-Headers", "prismatic-executionid")
			if r.Method == http.MethodOptions {
				h.Set("Access-Control-Allow-Methods", "GET, POST")
				h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Prismatic-Client")
				h.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		protected.ServeHTTP(w, r)
	}), nil
}

// shield refuses documents that are too deep, and lets only those with a valid token look at the
// schema itself.
type shield struct{ maxDepth int }

var _ interface {
	graphql.OperationContextMutator
	graphql.HandlerExtension
} = shield{}

// ExtensionName implements [graphql.HandlerExtension].
func (shield) ExtensionName() string { return "Shield" }

// Validate implements [graphql.HandlerExtension].
func (shield) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements [graphql.OperationContextMutator].
func (s shield) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = principalOf(ctx).User == ""
	if deeper(op.Operation.SelectionSet, s.maxDepth) {
		return &gqlerror.Error{Message: fmt.Sprintf("the document is deeper than %d fields (HEDDLE_MAX_DEPTH)", s.maxDepth),
			Extensions: map[string]any{"code": string(domain.Invalid)}}
	}
	return nil
}

// deeper tells whether fields nest deeper than left. Looking at the schema itself does not count.
func deeper(set ast.SelectionSet, left int) bool {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == "__schema" || s.Name == "__type" {
				continue
			}
			if left == 0 || deeper(s.SelectionSet, left-1) {
				return true
			}
		case *ast.InlineFragment:
			if deeper(s.SelectionSet, left) {
				return true
			}
		case *ast.FragmentSpread:
			if s.Definition != nil && deeper(s.Definition.SelectionSet, left) {
				return true
			}
		}
	}
	return false
}

// tooLarge tells whether reading a body failed because of its size.
func tooLarge(err error) (limit int64, ok bool) {
	e, ok := errors.AsType[*http.MaxBytesError](err)
	if ok {
		limit = e.Limit
	}
	return limit, ok
}
