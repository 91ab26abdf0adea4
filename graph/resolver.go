//go:generate go run generate.go

// Package graph is the door for people and single-page apps: GraphQL over the log and the views. It maps root fields to
// verbs of package access, and turns refusals into what clients understand. Its words:
//
//   - A state subscription sends the newest state whenever it changes; a feed sends every event, from a cursor on.
//   - A connection is an open WebSocket or a stream of server-sent events; until a valid token has come on it, it is
//     anonymous.
//   - An address is a signed URL of a file or payload: whoever has it is let in until it expires.
//   - The budget of an answer counts its fields; charge books work that costs as much as many fields.
//   - A window is the part of a list that a client asks for, a page what it gets, a place where an element stands in it.
//   - A point in time is an asOf argument: what it selects is folded from the log, up to there.
//   - Settling is waiting, shortly, until a view shows what a mutation has written.
package graph

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"heddle/app/authoring"
	"heddle/app/deployment"
	"heddle/component"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/live"
	"heddle/store/vault"
)

// Resolver holds what field resolvers work with.
type Resolver struct {
	Log         store.Log
	View        *projections.View
	Runs        *projections.RunIndex
	Definitions *projections.Definitions
	Blobs       *blobs.Store
	Vault       *vault.Vault
	Live        live.Live
	Components  *component.Registry
	Logger      *slog.Logger
	PublicURL   string // where triggers are reached, without a trailing slash
	Limits      domain.DraftLimits
	Authoring   *authoring.Service
	Deployment  *deployment.Service
	Tracer      trace.Tracer             // nil for no traces
	OnCancel    func(took time.Duration) // hears of each canceled execution, for metrics; nil for nobody
	Files       domain.FileLimits
	AddressTime time.Duration // how long addresses of files and payloads hold

	RemoteImages bool // whether documentation shows pictures, which tell others' servers who reads it

	uploads   *uploads        // made with the handler
	presences *presences      // made with the handler
	catalogue map[string]Node // what Components has, likewise
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// change makes a change and waits until the view shows it.
func change[S any](ctx context.Context, r *Resolver, c *domain.Category[S], id string,
	decide func(S) (domain.Changes[S], error), opts ...store.Option) (S, error) {
	return projections.Change(ctx, r.Log, r.View, c, id, decide, opts...)
}

func found[T any](v T, ok bool, what string) (*T, error) {
	if !ok {
		return nil, refusal.Missing(what)
	}
	return &v, nil
}
