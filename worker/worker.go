// Package worker is the door for machines: webhooks come in, become durable runs, are offered through Asynq, and are
// executed step by step, each step remembered in the run's stream.
//
// Its words:
//
//   - delivery: what starts a run, such as the request to a trigger.
//   - offer: a task in the queue that names a run and how many claims it has had. Redis may lose offers.
//   - sweep: a look through the unfinished runs that offers those that nobody works on.
//   - lane: the Asynq queue that a run waits in. All runs share one.
//   - gate: what holds an empty dequeue until a wake-up; see package queue.
//   - claim: a worker's exclusive right to record outcomes of a run, numbered from 1. A newer claim ends the older one.
//   - lease: how long a claim stands without a sign of life, a key in Live that its worker renews.
//   - attempt: one claim's work on a run. Steps that earlier claims finished are replayed, not done again.
//   - call: one try of a step; retried calls stay within the attempt unless the wait is long.
//   - policy: a flow's queueConfig, which decides which of its runs are admitted, wait or are dropped.
//   - tick: a time at which a schedule is due. The scheduler fires each one once.
//   - mark: the text that stands for a secret in what is recorded of a run.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"heddle/component"
	"heddle/component/value"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/live"
	"heddle/store/vault"
	"heddle/worker/queue"
	"heddle/worker/script"
)

// Options are the worker's settings; their names in the configuration are in cmd/heddle.
type Options struct {
	PublicURL     string // where triggers are reached, without a trailing slash
	MaxBody       int64  // bytes of a webhook request's body
	MaxBodyMemory int    // bytes that the JSON of a webhook request's body takes once it is read, as estimated
	MaxBodyParts  int    // parts of a webhook request's multipart form
	// bytes of all large bodies that are being taken in at once, and of those answered with
	MaxBodies       int64
	BodyTime        time.Duration // how long a body may take to come, and one waits for room
	TriggerRate     int           // requests a second that an instance takes, 0 for any number
	SyncTimeout     time.Duration // how long a synchronous caller waits
	RunTimeout      time.Duration // how long a run may take
	RunRetention    time.Duration // how long after its end a run is kept; 0 for ever
	Concurrency     int           // runs executed at once
	Redis           string        // "embedded" or a Redis URL
	Sweep           time.Duration // between two looks for runs that nobody works on
	Lease           time.Duration // how long a claim stands without a sign of life
	ShutdownTimeout time.Duration // for runs to finish before they are handed back
	MissedTicks     time.Duration // how late a scheduled run that was missed is made up
	MaxNested       int           // how deep flows may wait for each other's results
	MaxClaims       int           // how often a run may end its process, or be cut off in another way
	MaxSteps        int           // steps of a run, counting each iteration of a loop
	MaxOutput       int           // bytes of a step's result
	MaxMemory       int           // bytes of what a step reads or makes, as estimated
	MaxState        int           // bytes of all values that a scope keeps
	MaxStepLog      int           // bytes that a step may log
	AcceptsOnly     bool          // leaves executing runs, and starting them by the clock, to other processes
	Script          script.Limits
}

// DefaultOptions returns settings that fit one machine.
func DefaultOptions() Options {
	return Options{MaxBody: 6 << 20, MaxBodyMemory: 48 << 20, MaxBodyParts: 1000, MaxBodies: 64 << 20,
		BodyTime: 30 * time.Second, SyncTimeout: 30 * time.Second, RunTimeout: 15 * time.Minute, Concurrency: 32,
		Redis: "embedded", Sweep: time.Second, Lease: 15 * time.Second, ShutdownTimeout: 7 * time.Second,
		MissedTicks: time.Hour, MaxNested: 10, MaxClaims: 3, MaxSteps: 100_000, MaxOutput: value.DefaultLimits.Output,
		MaxMemory: value.DefaultLimits.Memory,
		MaxState:  64 << 20, MaxStepLog: 1 << 20,
		Script: script.DefaultLimits}
}

// limited returns a context in which components work within the limits of steps.
func (o Options) limited(ctx context.Context) context.Context {
	return value.WithLimits(ctx, value.Limits{Output: o.MaxOutput, Memory: o.MaxMemory})
}

// Worker accepts triggers and executes runs.
type Worker struct {
	Options
	Log         store.Log
	Blobs       *blobs.Store
	Vault       *vault.Vault
	Live        live.Live
	View        *projections.View
	Runs        *projections.RunIndex
	Definitions *projections.Definitions
	Components  *component.Registry
	Client      *http.Client // the guarded client that steps use
	Logger      *slog.Logger
	Observer    Observer
	Tracer      trace.Tracer // nil for no traces

	name     string    // of this process, in RunClaimed
	began    time.Time // of this process
	queue    *queue.Queue
	claims   claims
	waiters  waiters
	contexts contextCache
	intake   intake // of requests
	outgo    intake // of synchronous answers
	scripts  script.Pool
	asking   chan struct{} // one slot for each trigger that may perform at once before its run

	dispatcher dispatcher
}

// Start connects to the queue. Run must follow.
func (w *Worker) Start() error {
	w.name, w.began = uuid.NewString(), now()
	w.asking = make(chan struct{}, w.Concurrency)
	q, err := queue.Open(w.Redis, w.Concurrency, w.ShutdownTimeout, w.Logger)
	if err != nil {
		return fmt.Errorf("connecting to the queue: %w", err)
	}
	most := maxQueued
	if !q.Shared() {
		most = maxQueuedEmbedded
	}
	w.use(q, most)
	if !q.Shared() {
		q.OnLoss(w.dispatcher.offerAgain)
	}
	return nil
}

// use readies a worker for a queue that holds at most so many runs.
func (w *Worker) use(q *queue.Queue, most int) {
	w.queue = q
	w.claims.open(w)
	w.waiters.open(w.Live)
	w.dispatcher.open(w, most)
}

// Run executes runs and offers those that nobody works on, until ctx ends; then running ones may finish within the
// shutdown timeout, and the others are handed back. With AcceptsOnly it only offers what it has accepted.
func (w *Worker) Run(ctx context.Context) error {
	defer w.queue.Close()
	engine, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.dispatcher.sweep(ctx) })
	g.Go(func() error { return pruner{w, newCautious(w.RunRetention)}.run(ctx) })
	g.Go(func() error { return w.dispatcher.announceOffers(ctx) })
	if !w.AcceptsOnly {
		g.Go(func() error { return w.queue.Serve(ctx, engine, stop, w.execute) })
		g.Go(func() error { return w.dispatcher.hearOffers(ctx) })
		g.Go(func() error { return w.claims.keepAlive(ctx) })
		g.Go(func() error { return w.claims.interrupt(ctx) })
		g.Go(func() error { return newScheduler(w).run(ctx) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// as returns a context for the machine's own changes, on behalf of a run.
func (w *Worker) as(ctx context.Context, organization, run string) context.Context {
	return store.As(ctx, store.Author{Organization: organization, Actor: "system", Correlation: run})
}
