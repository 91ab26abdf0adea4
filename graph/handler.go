package graph

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"heddle/app/access"
	"heddle/graph/explorer"
)

// Options are the door's limits; their names in the configuration are in cmd/heddle.
type Options struct {
	MaxBody          int64         // bytes of a request's body
	MaxAnonymousBody int64         // the same without a valid token
	MaxTokens        int           // of a document
	MaxRepeats       int           // how often a document may have one name
	MaxRoots         int           // fields at the root of a document
	MaxVariables     int           // values in the variables, those in lists and objects counted
	MaxDepth         int           // of a document's fields
	MaxComplexity    int           // fields a document asks for
	Timeout          time.Duration // of a query or mutation
	Origins          []string      // other sites whose pages may call

	MaxStreams                    int // open WebSockets and server-sent streams of one token
	MaxAnonymousSockets           int // open streams whose clients have shown no valid token yet
	MaxAnonymousSocketsPerAddress int // the same from one network address
	MaxSubscriptions              int // operations at once on one WebSocket
	MaxTokenSubscriptions         int // subscriptions at once of one token, on all its streams
	MaxUnsent                     int // bytes of answers that may wait to be sent on all streams of one token

	InitTimeout  time.Duration   // how long a WebSocket may be open before it asks to be let in
	WriteTimeout time.Duration   // how long a client of a stream may take for a message
	KeepAlive    time.Duration   // between two signs of life on a stream
	Stopping     context.Context // streams end with it; nil for never

	OnLimit func(setting string) // hears of what a limit refuses, for metrics; nil for nobody
	// hears of each subscription that begins (1) or ends (-1); nil for nobody
	OnStream func(subscription string, change int)
}

// DefaultOptions are limits that no client known needs to exceed.
func DefaultOptions() Options {
	return Options{MaxBody: 2 << 20, MaxAnonymousBody: 16 << 10, MaxTokens: 2000, MaxRepeats: 500, MaxRoots: 30,
		MaxVariables: 50_000,
		MaxDepth:     20, MaxComplexity: 2000, Timeout: 30 * time.Second,
		MaxStreams: 1000, MaxAnonymousSockets: 1000, MaxAnonymousSocketsPerAddress: 100, MaxSubscriptions: 100,
		MaxTokenSubscriptions: 1000, MaxUnsent: 32 << 20,
		InitTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, KeepAlive: 15 * time.Second}
}

// Handler is the GraphQL endpoint.
type Handler struct {
	http.Handler
	*connections
}

// NewHandler is the GraphQL endpoint: documents by POST, and queries by GET; subscriptions by WebSocket
// and server-sent events; the explorer's page by a browser's GET.
func NewHandler(r *Resolver, o Options) (*Handler, error) {
	if o.OnLimit == nil {
		o.OnLimit = func(string) {}
	}
	if o.OnStream == nil {
		o.OnStream = func(string, int) {}
	}
	if o.Stopping == nil {
		o.Stopping = context.Background()
	}
	open := newConnections(r.View, o.Stopping)
	r.presences, r.catalogue, r.uploads = newPresences(r.Live, r.Logger), catalogue(r.Components), &uploads{}
	answering := streaming{o, open, present(r.Logger)}
	server := handler.New(NewExecutableSchema(Config{Resolvers: r}))
	server.AddTransport(websockets{answering})
	server.AddTransport(sse{answering})
	server.AddTransport(httpTransport{o})
	server.SetQueryCache(smallDocuments{lru.New[*ast.QueryDocument](1000)})
	server.SetParserTokenLimit(o.MaxTokens)
	server.SetDisableSuggestion(true)
	server.Use(documentLimits{o})
	server.AroundFields(r.permit)
	server.AroundFields(limitAnswer)
	server.SetErrorPresenter(present(r.Logger))
	server.SetRecoverFunc(func(_ context.Context, cause any) error {
		return fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
	})
	mux := http.NewServeMux()
	for _, path := range []string{"/api", "/api/{$}"} {
		mux.Handle("POST "+path, server)
		mux.Handle("GET "+path, executeOr(server, explorer.Page()))
	}
	explorer.ServeFiles(mux)
	mux.HandleFunc("GET "+auditPath, r.serveAudit)
	mux.HandleFunc("GET "+payloadPath+"{run}/{what...}", r.servePayload)
	mux.HandleFunc("PUT "+uploadPath+"{upload}", r.serveUpload)
	mux.HandleFunc("GET "+filePath+"{integration}"+iconFile, r.serveIcon)
	mux.HandleFunc("GET "+filePath+"{integration}"+attached+"{attachment}", r.serveAttachment)
	front, err := crossOrigin(Authenticate(r.View, mux), o.Origins)
	return &Handler{private(front), open}, err
}

// private keeps what is answered here for who has asked: not to be stored, framed, told of to others, or taken
// for something that it is not.
func private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// executeOr serves a GET: documents and streams by the server, all others by the page.
func executeOr(server, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isStream(r) || isQuery(r) {
			server.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// smallDocuments caches parsed documents that are small and come from somebody with a token: what
// anybody can send must not fill the memory.
type smallDocuments struct {
	graphql.Cache[*ast.QueryDocument]
}

const maxCachedDocument = 4 << 10 // bytes

// Add implements [graphql.Cache].
func (c smallDocuments) Add(ctx context.Context, text string, d *ast.QueryDocument) {
	if len(text) <= maxCachedDocument && access.Of(ctx).User != "" {
		c.Cache.Add(ctx, text, d)
	}
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
				h.Set("Access-Control-Allow-Methods", "GET, POST, PUT")
				h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Prismatic-Client")
				h.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		if isStream(r) || isQuery(r) { // a GET that does what a POST does, as that
			written := r.Clone(r.Context())
			written.Method = http.MethodPost
			if err := protection.Check(written); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
		}
		protected.ServeHTTP(w, r)
	}), nil
}
