package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"heddle/app/notify"
	"heddle/component"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// metrics are what an operator watches; docs/operating.md says what for. Every label has a fixed set of
// values, whatever callers send.
type metrics struct {
	registry   *prometheus.Registry
	components *component.Registry // whose keys are labels

	commits, appends        prometheus.Histogram
	events, refused, failed prometheus.Counter
	appended                atomic.Uint64 // the newest position that this process has appended
	runs, steps             *prometheus.HistogramVec
	failedSteps, limits     *prometheus.CounterVec
	notices                 *prometheus.CounterVec
	streams                 *prometheus.GaugeVec
	answered                *prometheus.CounterVec
	answering               *prometheus.HistogramVec
}

// otherLabel stands for all that a label has no value of its own for.
const otherLabel = "other"

// limitNames are the limits that are counted: those that what is sent or executed can meet.
var limitNames = []string{
	"HEDDLE_BODY_TIME", "HEDDLE_HTTP_RESPONSE", "HEDDLE_MAX_ANONYMOUS_REQUEST", "HEDDLE_MAX_ANONYMOUS_SOCKETS",
	"HEDDLE_MAX_ANONYMOUS_SOCKETS_PER_ADDRESS", "HEDDLE_MAX_BODIES", "HEDDLE_MAX_BODY", "HEDDLE_MAX_BODY_MEMORY",
	"HEDDLE_MAX_BODY_PARTS",
	"HEDDLE_MAX_CLAIMS", "HEDDLE_MAX_COMPLEXITY", "HEDDLE_MAX_CONNECTIONS", "HEDDLE_MAX_CONNECTIONS_PER_ADDRESS",
	"HEDDLE_MAX_DEPTH", "HEDDLE_MAX_NESTED", "HEDDLE_MAX_REPEATS", "HEDDLE_MAX_REQUEST", "HEDDLE_MAX_ROOT_FIELDS",
	"HEDDLE_MAX_STATE", "HEDDLE_MAX_STEPS", "HEDDLE_MAX_STEP_LOG", "HEDDLE_MAX_STEP_MEMORY", "HEDDLE_MAX_STEP_OUTPUT",
	"HEDDLE_MAX_STREAMS",
	"HEDDLE_MAX_SUBSCRIPTIONS", "HEDDLE_MAX_TOKENS", "HEDDLE_MAX_TOKEN_SUBSCRIPTIONS", "HEDDLE_MAX_UNSENT",
	"HEDDLE_MAX_VARIABLES", "HEDDLE_REQUEST_TIMEOUT", "HEDDLE_RUN_TIMEOUT", "HEDDLE_SCRIPT_MEMORY",
	"HEDDLE_SCRIPT_OUTPUT", "HEDDLE_SCRIPT_TIME", "HEDDLE_SYNC_TIMEOUT", "HEDDLE_TRIGGER_RATE",
}

// minMetricsToken is the shortest token for /metrics that is accepted.
const minMetricsToken = 16

// scraped lets in who has the token for /metrics, or everybody when there is none.
func (v *server) scraped(metrics http.Handler) http.Handler {
	if v.MetricsToken == "" {
		return metrics
	}
	want := sha256.Sum256([]byte("Bearer " + v.MetricsToken))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this wants HEDDLE_METRICS_TOKEN as a bearer token", http.StatusUnauthorized)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), components: component.New()}
	counter := func(name, help string) prometheus.Counter {
		return register(m, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	times := func(name, help, label string, buckets []float64) *prometheus.HistogramVec {
		return register(m, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help,
			Buckets: buckets}, []string{label}))
	}
	time := func(name, help string) prometheus.Histogram {
		return register(m, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help,
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)}))
	}
	m.commits = time("heddle_log_commit_seconds", "Time of one commit of the embedded event log, fsync included.")
	m.refused = counter("heddle_log_failed_commits_total", "Commits of the embedded event log that failed.")
	m.appends = time("heddle_log_append_seconds", "Time of one append by this process, until it is durable.")
	m.failed = counter("heddle_log_failed_appends_total",
		"Appends by this process that failed, conflicts and refusals left out.")
	m.events = counter("heddle_log_events_total", "Events appended by this process.")
	m.runs = times("heddle_execution_seconds", "Time from queueing to end of an execution, by how it ended.", "result",
		prometheus.ExponentialBuckets(0.001, 4, 10))
	m.steps = times("heddle_step_seconds", "Time of an attempt of a step, steps inside it included, by component.",
		"component", prometheus.ExponentialBuckets(0.0005, 5, 8))
	m.failedSteps = counters("heddle_step_failures_total", "Attempts of steps that failed, by component.", "component")
	m.limits = counters("heddle_limit_hits_total", "What a limit has refused or cut off, by the limit's setting.",
		"limit")
	m.notices = counters("heddle_notices_total", "What became of notices of reviews, by way and result.", "way",
		"result")
	m.streams = register(m, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heddle_subscriptions_open",
		Help: "Open subscriptions, by field."}, []string{"field"}))
	m.answered = counters("heddle_http_requests_total",
		"Requests answered, by route and class of status; those of streams count when they end.", "route", "code")
	m.answering = times("heddle_http_request_seconds", "Time of a request, by route; streams are left out.", "route",
		prometheus.ExponentialBuckets(0.001, 4, 8))
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, name := range limitNames {
		m.limits.WithLabelValues(name) // so that the first hit is a change
	}
	for _, way := range notify.ChannelNames {
		for _, result := range notify.Results {
			m.notices.WithLabelValues(way, result)
		}
	}
	return m
}

func register[C prometheus.Collector](m *metrics, c C) C {
	m.registry.MustRegister(c)
	return c
}

// commit takes in what the embedded log tells of each commit.
func (m *metrics) commit(c store.Commit) {
	m.commits.Observe(c.Took.Seconds())
	if c.Err != nil {
		m.refused.Inc()
	}
}

// finish takes in the end of an execution.
func (m *metrics) finish(result domain.ResultType, took time.Duration) {
	m.runs.WithLabelValues(string(result)).Observe(took.Seconds())
}

func (m *metrics) cancel(took time.Duration) { m.finish(domain.Canceled, took) }

// step takes in an attempt of a step.
func (m *metrics) step(key string, failed bool, took time.Duration) {
	if _, known := m.components.Component(key); !known {
		key = otherLabel
	}
	m.steps.WithLabelValues(key).Observe(took.Seconds())
	if failed {
		m.failedSteps.WithLabelValues(key).Inc()
	}
}

// limit takes in what a limit has refused.
func (m *metrics) limit(setting string) {
	if _, known := slices.BinarySearch(limitNames, setting); !known {
		setting = otherLabel
	}
	m.limits.WithLabelValues(setting).Inc()
}

// notice takes in what became of a notice.
func (m *metrics) notice(way, result string) { m.notices.WithLabelValues(way, result).Inc() }

// stream takes in the begin or the end of a subscription, whose field the schema has.
func (m *metrics) stream(field string, change int) {
	m.streams.WithLabelValues(field).Add(float64(change))
}

// watch shows what is asked for at the time of reading: how far the views have come and what waits.
func (m *metrics) watch(v *server) {
	m.components = v.worker.Components
	for _, c := range m.components.Components() {
		m.failedSteps.WithLabelValues(c.Key)
	}
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	readers := map[string]*projections.Progress{"view": &v.view.Progress, "run_index": &v.runs.Progress}
	for name, p := range readers {
		gauge("heddle_"+name+"_position", "Position in the log that this reader has reached.",
			func() float64 { return float64(p.Position()) })
		gauge("heddle_"+name+"_lag_seconds", "How long this reader has been behind what the log has shown it, 0 when it is not.", func() float64 { return p.Lag().Seconds() })
	}
	gauge("heddle_log_position", "The newest position in the log that this process knows of.", func() float64 {
		newest := m.appended.Load()
		for _, p := range readers {
			newest = max(newest, uint64(p.Position()), uint64(p.Seen()))
		}
		return float64(newest)
	})
	w := &waiting{runs: v.runs}
	gauge("heddle_queue_depth", "Executions that have not begun, of all processes.",
		func() float64 { n, _ := w.look(); return n })
	gauge("heddle_queue_oldest_seconds", "Since when the oldest of them waits, 0 when there is none.",
		func() float64 { _, age := w.look(); return age })
	gauge("heddle_executions_running", "Executions that this process is at.",
		func() float64 { return float64(v.worker.Running()) })
	gauge("heddle_scripts_lost", "Scripts that could not be stopped and still take this process's time.",
		func() float64 { return float64(v.worker.LostScripts()) })
	gauge("heddle_queue_offered", "Executions in Redis that no worker has taken yet, as of the last sweep.",
		func() float64 {
			n, _ := v.worker.Offered()
			return float64(n)
		})
	gauge("heddle_redis_up", "1 if Redis answered at the last sweep, which is made each second, else 0.",
		func() float64 {
			if _, up := v.worker.Offered(); up {
				return 1
			}
			return 0
		})
}

// waiting asks the index of executions what waits, at most once a second however often it is asked.
type waiting struct {
	runs       *projections.RunIndex
	mu         sync.Mutex
	asked      time.Time
	depth, age float64
}

func (w *waiting) look() (depth, age float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.asked) < time.Second {
		return w.depth, w.age
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, oldest, err := w.runs.Waiting(ctx)
	w.asked, w.depth, w.age = time.Now(), float64(n), 0
	switch {
	case err != nil:
		w.depth, w.age = math.NaN(), math.NaN()
	case n > 0:
		w.age = time.Since(oldest).Seconds()
	}
	return w.depth, w.age
}

// watchedLog measures and traces the appends of this process.
type watchedLog struct {
	store.Log
	metrics *metrics
	tracer  trace.Tracer // nil for no traces
}

// Append implements [store.Log].
func (l *watchedLog) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	m, begin := l.metrics, time.Now()
	ctx, end := l.traced(ctx, stream, events)
	position, err := l.Log.Append(ctx, stream, expected, events...)
	end(err)
	_, conflict := errors.AsType[*store.ConflictError](err)
	switch code := refusal.CodeOf(err); {
	case err == nil:
		m.appends.Observe(time.Since(begin).Seconds())
		m.events.Add(float64(len(events)))
		for newest := m.appended.Load(); newest < uint64(position) && !m.appended.CompareAndSwap(newest,
			uint64(position)); newest = m.appended.Load() {
		}
	case !conflict && (code == "" || code == refusal.Unavailable) && ctx.Err() == nil:
		m.failed.Inc()
	}
	return position, err
}
