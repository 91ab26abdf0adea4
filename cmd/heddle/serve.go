package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"heddle/app/authoring"
	"heddle/app/deployment"
	"heddle/app/notify"
	"heddle/app/secrets"
	"heddle/component"
	"heddle/component/builtin"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/graph"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/live"
	"heddle/store/vault"
	"heddle/worker"
	"heddle/worker/outbound"
	"heddle/worker/queue"
)

// stopTime is how long a stopping server lets requests finish; a little before, those that wait for
// something are told to answer without it.
const (
	stopTime = 8 * time.Second
	waitTime = 7 * time.Second
)

type serveCmd struct{}

// server is every floor of one process.
type server struct {
	*settings
	logger *slog.Logger
	kept   store.Log // the event log itself
	log    store.Log // the same, watched
	blobs  *blobs.Store
	vault  *vault.Vault
	live   live.Live
	// closeLive is nil until live is open.
	closeLive func() error
	view      *projections.View
	runs      *projections.RunIndex
	resolver  *graph.Resolver
	authoring *authoring.Service
	worker    *worker.Worker
	notifier  *notify.Notifier
	metrics   *metrics
	tracer    trace.Tracer // nil for no traces
	// closeTraces is nil until tracer is open.
	closeTraces func()
	address     string                       // where it listens
	handler     atomic.Pointer[http.Handler] // nil until the views have caught up
}

// Run serves until ctx ends, then finishes or hands back what is under way.
func (serveCmd) Run(ctx context.Context, s *settings, logger *slog.Logger, stdout io.Writer) (err error) {
	if err := s.checkRoles(); err != nil {
		return err
	}
	profiled, err := profile(os.Getenv(profileVariable))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, profiled()) }()
	release, err := lock(s.Data, logger)
	if err != nil {
		return err
	}
	defer release()
	queue.SetLogger(logger)
	channels, err := s.noticeWays()
	if err != nil {
		return err
	}
	if s.MetricsToken != "" && len(s.MetricsToken) < minMetricsToken {
		return fmt.Errorf("HEDDLE_METRICS_TOKEN must have at least %d characters", minMetricsToken)
	}
	v := &server{settings: s, logger: logger, metrics: newMetrics()}
	if err := v.open(ctx); err != nil {
		return errors.Join(err, v.close())
	}
	defer func() { err = errors.Join(err, v.close()) }()
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listening (HEDDLE_LISTEN): %w", err)
	}
	serveLog := func(context.Context) error { return nil }
	if v.ServeLog != "" {
		var address string
		if serveLog, address, err = v.logServer(v.kept, logger, stdout); err != nil {
			return errors.Join(err, listener.Close())
		}
		logger.Info("serving the event log", "url", "esdb://"+address)
	}
	v.address = listener.Addr().String()
	v.build(v.address)
	v.notifier = &notify.Notifier{Log: v.log, View: v.view, Live: v.live, Logger: logger, Channels: channels,
		MaxAge: v.NoticeTime, Report: v.metrics.notice}
	return v.serve(ctx, listener, serveLog, stdout)
}

// open opens all that lasts.
func (v *server) open(ctx context.Context) (err error) {
	if v.vault, err = v.openVault(v.logger); err != nil {
		return err
	}
	if v.kept, err = v.openLog(v.logger, store.OnCommit(v.metrics.commit)); err != nil {
		return err
	}
	if v.tracer, v.closeTraces, err = v.openTraces(ctx, v.logger); err != nil {
		return err
	}
	v.log = &watchedLog{Log: v.kept, metrics: v.metrics, tracer: v.tracer}
	if v.blobs, err = v.openBlobs(ctx); err != nil {
		return err
	}
	if err = v.openLive(); err != nil {
		return err
	}
	v.view = projections.NewView(v.log, v.logger)
	v.runs, err = projections.OpenRunIndex(ctx, filepath.Join(v.Data, "runs.db"), v.log, v.logger)
	if err == nil {
		v.runs.Blobs = v.blobs
	}
	return err
}

// close closes what was opened, in reverse.
func (v *server) close() error {
	var errs []error
	if v.runs != nil {
		errs = append(errs, v.runs.Close())
	}
	if v.closeLive != nil {
		errs = append(errs, v.closeLive())
	}
	if v.blobs != nil {
		errs = append(errs, v.blobs.Close())
	}
	if v.closeTraces != nil {
		v.closeTraces()
	}
	if v.kept != nil {
		errs = append(errs, v.kept.Close())
	}
	return errors.Join(errs...)
}

// build puts the two doors on top.
func (v *server) build(address string) {
	definitions := projections.NewDefinitions(v.blobs, v.DefinitionCache)
	components := component.New(builtin.Components()...)
	v.resolver = &graph.Resolver{Live: v.live, Log: v.log, View: v.view, Runs: v.runs, Definitions: definitions,
		Blobs: v.blobs, Vault: v.vault,
		Components: components, Logger: v.logger, PublicURL: v.publicURL(address), OnCancel: v.metrics.cancel,
		Tracer: v.tracer,
		Limits: domain.DraftLimits{Comment: v.MaxComment, Comments: v.MaxComments, Definition: definition.Limits{
			Size: v.MaxDefinition, Encoded: definition.DefaultLimits.Encoded, Depth: v.MaxDefinitionDepth,
			Values: v.MaxDefinitionValues}},
		Files: domain.FileLimits{Icon: v.MaxIcon, IconSide: v.MaxIconSide, Attachment: v.MaxAttachment,
			Attachments: v.MaxAttachments, Types: v.AttachmentTypes},
		AddressTime: v.AddressTime, RemoteImages: v.RemoteImages}
	keeper := secrets.Keeper{View: v.view, Vault: v.vault}
	v.resolver.Deployment = &deployment.Service{Log: v.log, View: v.view, Definitions: definitions, Secrets: keeper}
	v.authoring = &authoring.Service{Log: v.log, View: v.view, Definitions: definitions, Secrets: keeper,
		Components: components, Limits: v.resolver.Limits, Logger: v.logger}
	v.resolver.Authoring = v.authoring
	o := worker.DefaultOptions()
	o.PublicURL, o.MaxBody, o.SyncTimeout, o.RunTimeout = v.publicURL(address), v.MaxBody, v.SyncTimeout, v.RunTimeout
	o.MaxBodyMemory, o.MaxBodyParts, o.MaxBodies, o.BodyTime, o.TriggerRate = v.MaxBodyMemory, v.MaxBodyParts,
		v.MaxBodies, v.BodyTime, v.TriggerRate
	o.Concurrency, o.Redis, o.RunRetention = v.Concurrency, v.Redis, v.RunRetention
	o.MissedTicks, o.AcceptsOnly = v.MissedTicks, !v.holds(roleWorker)
	o.MaxNested, o.MaxClaims, o.MaxSteps, o.MaxOutput, o.MaxState, o.MaxStepLog = v.MaxNested, v.MaxClaims, v.MaxSteps,
		v.MaxStepOutput, v.MaxState, v.MaxStepLog
	o.MaxMemory = v.MaxStepMemory
	o.Script.Time, o.Script.Memory, o.Script.Output, o.Script.LogLines = v.ScriptTime, v.ScriptMemory, v.ScriptOutput,
		v.ScriptLogLines
	v.worker = &worker.Worker{Options: o, Log: v.log, Blobs: v.blobs, Vault: v.vault, Live: v.live, View: v.view,
		Runs:        v.runs,
		Definitions: definitions, Components: components, Logger: v.logger, Tracer: v.tracer,
		Observer: worker.Observer{Finish: v.metrics.finish, Step: v.metrics.step, Limit: v.metrics.limit}}
	v.metrics.watch(v)
}

// serve runs every loop of the process; the first that fails ends all.
func (v *server) serve(ctx context.Context, listener net.Listener, serveLog func(context.Context) error,
	stdout io.Writer) (err error) {
	if v.worker.Client, err = outbound.NewClient(v.AllowHosts,
		outbound.Limits{Time: v.HTTPTimeout, Response: v.HTTPResponse}); err != nil {
		return errors.Join(err, listener.Close())
	}
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	front := &http.Server{Handler: v.routes(), BaseContext: func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: v.MaxHeaders,
		ErrorLog:       slog.NewLogLogger(v.logger.Handler(), slog.LevelWarn)}
	readers, stopReaders := context.WithCancel(context.WithoutCancel(ctx)) // they outlive what still asks them
	defer stopReaders()
	reading, readers := errgroup.WithContext(readers)
	reading.Go(func() error { return v.view.Run(readers) })
	reading.Go(func() error { return v.runs.Run(readers) })
	doors, ctx := errgroup.WithContext(ctx)
	doors.Go(func() error {
		bounded := &connections{Listener: listener, peers: store.Peers{Most: v.MaxConnections,
			Each: v.MaxConnectionsPerAddress}, refused: v.metrics.limit}
		if err := front.Serve(bounded); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	doors.Go(func() error { // without its readers the server knows nothing: it ends, and says why
		select {
		case <-ctx.Done():
			return nil
		case <-readers.Done():
			return fmt.Errorf("following the log: %w", context.Cause(readers))
		}
	})
	doors.Go(func() error {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		defer time.AfterFunc(waitTime, endRequests).Stop()
		if front.Shutdown(stopping) != nil {
			return front.Close()
		}
		return nil
	})
	doors.Go(func() error { return serveLog(ctx) })
	doors.Go(func() error { return v.start(ctx, stdout) })
	err = doors.Wait()
	stopReaders()
	_ = reading.Wait() // what ended them before, if anything did, is in err
	return err
}

// start opens the doors once the views have caught up, then executes runs, as far as that is its role.
func (v *server) start(ctx context.Context, stdout io.Writer) error {
	for _, caughtUp := range []<-chan struct{}{v.view.CaughtUp(), v.runs.CaughtUp()} {
		select {
		case <-caughtUp:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	debug.FreeOSMemory() // the views' rebuild leaves much behind that is never needed again
	doors, endStreams := http.NotFoundHandler(), func() {}
	if v.holds(roleAPI) {
		err := v.patiently(ctx, func() error { return firstStart(ctx, v.settings, v.log, v.view, v.vault, stdout) })
		if err == nil {
			err = v.authoring.Finish(ctx)
		}
		if err == nil {
			doors, endStreams, err = v.openDoors(ctx)
		}
		if err != nil {
			return err
		}
	} else if err := v.awaitFirstStart(ctx); err != nil {
		return err
	}
	defer endStreams()
	if err := v.worker.Start(); err != nil {
		return err
	}
	v.handler.Store(&doors)
	v.logger.Info("ready", "url", v.resolver.PublicURL, "listen", v.address, "roles", v.Roles, "log",
		withoutSecrets(v.Log), "redis", withoutSecrets(v.Redis))
	working, ctx := errgroup.WithContext(ctx)
	working.Go(func() error { return v.worker.Run(ctx) })
	if v.holds(roleWorker) {
		working.Go(func() error { return v.notifier.Run(ctx) })
	}
	if v.holds(roleAPI) {
		working.Go(func() error { return v.authoring.PublishScheduled(ctx) })
	}
	return working.Wait()
}

// patiently does again what the log's server could not do because it was away: a process ends for no outage.
func (v *server) patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if refusal.CodeOf(err) != refusal.Unavailable || errors.Is(err, vault.ErrMasterKey) {
			return err
		}
		v.logger.Warn("starting failed; trying again", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// openDoors makes what people and triggers reach. endStreams ends the subscriptions, which read the log until then.
func (v *server) openDoors(ctx context.Context) (doors http.Handler, endStreams func(), err error) {
	streams, end := context.WithCancel(ctx)
	o := graph.DefaultOptions()
	o.MaxBody, o.MaxAnonymousBody, o.MaxTokens, o.MaxDepth, o.MaxComplexity = v.MaxRequest, v.MaxAnonymousRequest,
		v.MaxTokens, v.MaxDepth, v.MaxComplexity
	o.MaxRepeats, o.MaxRoots, o.MaxVariables = v.MaxRepeats, v.MaxRootFields, v.MaxVariables
	o.Timeout, o.Origins, o.MaxStreams, o.MaxSubscriptions, o.Stopping = v.RequestTimeout, v.Origins, v.MaxStreams,
		v.MaxSubscriptions, streams
	o.MaxAnonymousSockets, o.MaxAnonymousSocketsPerAddress, o.InitTimeout = v.MaxAnonymousSockets, v.MaxAddressSockets,
		v.SocketInitTimeout
	o.MaxTokenSubscriptions, o.MaxUnsent = v.MaxTokenSubscribed, v.MaxUnsent
	o.OnLimit, o.OnStream = v.metrics.limit, v.metrics.stream
	api, err := graph.NewHandler(v.resolver, o)
	if err != nil {
		end()
		return nil, nil, err
	}
	open := http.NewServeMux()
	open.Handle("/api", api)
	open.Handle("/api/", api)
	open.Handle("/trigger/", v.worker)
	return open, func() {
		end()
		api.Wait()
	}, nil
}

// routes listens from the first moment on; all but the signs of life waits for start.
func (v *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if v.handler.Load() == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "catching up with the log\n")
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /metrics", v.scraped(promhttp.HandlerFor(v.metrics.registry, promhttp.HandlerOpts{})))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		doors := v.handler.Load()
		if doors == nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"errors":[{"message":"starting: catching up with the log","extensions":{"code":"UNAVAILABLE"}}]}`, http.StatusServiceUnavailable)
			return
		}
		(*doors).ServeHTTP(w, r)
	})
	return v.metrics.requests(paced(v.continued(mux), v.WriteTime))
}
