package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// ExecutionHeader names the started execution in every answer to a trigger.
const ExecutionHeader = "Prismatic-Executionid"

// keyHeader makes a repeated request the same delivery: one run, and the first one's answer.
const keyHeader = "Idempotency-Key"

// maxKey is how long an idempotency key may be.
const maxKey = 255 // characters

// synchronousHeader asks for this one request to be answered with the run's result.
const synchronousHeader = "Prismatic-Synchronous"

// methods are those that trigger. Source: the format's documentation.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// target is the flow that a trigger's URL leads to.
type target struct {
	instance   domain.Instance
	version    string // empty for the draft
	definition string // hash
	flow       *definition.Part
}

// request is one request to a trigger, and its answer.
type request struct {
	w  *Worker
	rw http.ResponseWriter
	r  *http.Request
}

// ServeHTTP accepts a trigger at /trigger/{id}/…: the run is durable before the caller hears of it.
func (w *Worker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	contain(rw.Header())
	if !slices.Contains(methods, r.Method) {
		rw.Header().Set("Allow", strings.Join(methods, ", "))
		reply(rw, http.StatusMethodNotAllowed, map[string]any{"error": "a trigger takes " +
			strings.Join(methods, ", ")})
		return
	}
	q := request{w, rw, r}
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/trigger/"), "/")
	t, err := w.target(r.Context(), id)
	if err == nil {
		err = q.authorize(t)
	}
	if err == nil {
		err = w.intake.admit(t.instance.ID, w.TriggerRate)
	}
	if err != nil {
		q.refuse("", err)
		return
	}
	ctx, span := w.begin(r.Context(), "trigger", trace.SpanKindServer,
		attribute.String("heddle.instance", t.instance.ID))
	defer func() { endSpan(span, err) }()
	s, release, err := q.read(t, rest)
	if err != nil {
		q.refuse("", err)
		return
	}
	defer release()
	rw.Header().Set(ExecutionHeader, s.run)
	span.SetAttributes(attribute.String("heddle.execution", s.run))
	err = q.startAndAnswer(ctx, s)
}

// read returns the start of a run that the request asks for.
func (q request) read(t target, rest string) (s start, release func(), err error) {
	r := q.r
	key := r.Header.Get(keyHeader)
	if len(key) > maxKey {
		return s, nil, refusal.New(refusal.Invalid, "%s may have %d characters", keyHeader, maxKey)
	}
	delivery, release, err := q.readDelivery(t.instance.ID, rest)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return s, nil, refusal.Exceed("HEDDLE_MAX_BODY", "the body is larger than %d bytes", tooLarge.Limit)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		return s, nil, refusal.Exceed("HEDDLE_BODY_TIME", "the body did not come within %s", q.w.BodyTime)
	} else if err != nil && refusal.CodeOf(err) == "" && !errors.Is(err, context.Canceled) {
		return s, nil, refusal.New(refusal.Invalid, "the body could not be read")
	} else if err != nil {
		return s, nil, err
	}
	s = start{target: t, delivery: delivery, invoke: domain.InvokedByWebhook, admits: true,
		run:         uuid.Must(uuid.NewV7()).String(),
		synchronous: t.flow.Flag("isSynchronous") || strings.EqualFold(r.Header.Get(synchronousHeader), "true")}
	if key != "" {
		s.run, s.digest = domain.DeriveID("delivery", t.instance.ID, t.flow.ID, key), q.digest(t, delivery)
	}
	if s.invokedBy = q.invokedBy(); s.invokedBy != nil {
		s.invoke = domain.InvokedByFlow
	}
	return s, release, nil
}

// startAndAnswer starts the run and answers the caller. It returns the error that it answered with, if any.
func (q request) startAndAnswer(ctx context.Context, s start) error {
	var ended waiter
	if s.synchronous {
		ended = q.w.waiters.await(s.run) // before the run can end
		defer ended.stop()
	}
	remote, _, _ := net.SplitHostPort(q.r.RemoteAddr)
	author := store.Author{Organization: s.instance.Organization, Actor: "trigger", Remote: remote, Correlation: s.run}
	accepted, err := q.w.accept(store.As(ctx, author), s)
	s.delivery = nil // it may be large, and the caller may wait long
	switch {
	case refusal.CodeOf(err) == refusal.Conflict:
		reply(q.rw, http.StatusUnprocessableEntity,
			map[string]any{"executionId": s.run, "error": "another request came with this " + keyHeader + " before"})
	case errors.Is(err, errRemoved):
		reply(q.rw, http.StatusGone, map[string]any{"error": errRemoved.Error()})
	case refuses(err): // there is no execution
		q.rw.Header().Del(ExecutionHeader)
		q.refuse("", err)
	case err != nil:
		q.refuse(s.run, err)
	case accepted.Queued.Synchronous && accepted.Finished != nil:
		q.answerEnded(ctx, accepted)
	case accepted.Queued.Synchronous:
		q.answerWhenDone(ctx, s.run, ended)
	default:
		q.answerNow(ctx, accepted)
	}
	return err
}

// target finds the flow of a trigger's id, or refuses with the reason why nothing runs there.
func (w *Worker) target(ctx context.Context, id string) (target, error) {
	instanceID, flowID, ok := domain.ParsePartID(id)
	if !ok {
		return target{}, refusal.New(refusal.NotFound, "no trigger has this URL")
	}
	instance, _ := w.View.Instances.Find(instanceID)
	return w.targetFlow(ctx, instance, flowID)
}

// targetFlow finds a flow of the deployed version, or refuses with the reason why nothing runs there.
func (w *Worker) targetFlow(ctx context.Context, instance domain.Instance, flowID string) (target, error) {
	if why, ok := instance.Runs(); !ok {
		return target{}, refusal.New(refusal.NotFound, "nothing runs here: %s", why)
	}
	return w.deployedFlow(ctx, instance, flowID)
}

func (w *Worker) deployedFlow(ctx context.Context, instance domain.Instance, flowID string) (target, error) {
	t := target{instance: instance, version: instance.Deployed}
	definition, err := w.definition(ctx, &t)
	if err != nil {
		return target{}, err
	}
	switch t.flow = definition.Flow(flowID); {
	case t.flow == nil:
		return target{}, refusal.New(refusal.NotFound, "nothing runs here: the flow is not in what is deployed")
	case t.flow.Trigger() == nil: // a draft may be so
		return target{}, refusal.New(refusal.NotFound, "nothing runs here: the flow has no trigger yet")
	}
	return t, nil
}

// definition returns the deployed version's definition, or the draft's for the system instance, and makes sure that
// it stays stored under its hash for as long as the run needs it.
func (w *Worker) definition(ctx context.Context, t *target) (*definition.Part, error) {
	integration, ok := w.View.Integrations.Get(t.instance.Organization, t.instance.Integration)
	if !ok {
		return nil, refusal.New(refusal.NotFound, "nothing runs here: the integration is gone")
	}
	if t.instance.System {
		summary, _ := w.View.MainDraft(integration.ID)
		draft, _, err := store.Load(ctx, w.Log, domain.Drafts, summary.ID)
		if err != nil {
			return nil, err
		}
		t.definition, err = w.Definitions.Save(ctx, t.instance.Organization, draft.Definition)
		return draft.Definition, err
	}
	version, ok := integration.Version(t.version)
	if !ok {
		return nil, fmt.Errorf("instance %s is deployed with version %s, which integration %s does not have",
			t.instance.ID, t.version, integration.ID)
	}
	t.definition = version.Definition
	return w.Definitions.Get(ctx, t.instance.Organization, version.Definition)
}

// tooMuch are the HTTP statuses of requests that exceed a limit, by its setting.
var tooMuch = map[string]int{"HEDDLE_BODY_TIME": http.StatusRequestTimeout,
	"HEDDLE_MAX_BODY": http.StatusRequestEntityTooLarge, "HEDDLE_MAX_BODY_MEMORY": http.StatusRequestEntityTooLarge,
	"HEDDLE_MAX_BODY_PARTS": http.StatusRequestEntityTooLarge, "HEDDLE_TRIGGER_RATE": http.StatusTooManyRequests}

// refuse answers with the reason why a trigger was not accepted. Internals stay inside.
func (q request) refuse(run string, err error) {
	limit := refusal.LimitOf(err)
	status := cmp.Or(tooMuch[limit], refusal.CodeOf(err).HTTPStatus())
	q.w.Observer.limit(limit)
	body := map[string]any{}
	if refusal, ok := errors.AsType[*refusal.Error](err); ok {
		body["error"] = refusal.Error() // what is wrapped around it names blobs and folders
	}
	busy, isBusy := errors.AsType[*errBusy](err)
	switch {
	case errors.Is(err, context.Canceled):
		return // the caller has gone
	case isBusy:
		q.rw.Header().Set("Retry-After", strconv.Itoa(int(busy.after.Seconds())))
	case status == http.StatusServiceUnavailable:
		q.w.Logger.Warn("a trigger could not be accepted", "run", run, "error", err)
	case status == 0:
		id := uuid.NewString()
		q.w.Logger.Error("a trigger could not be accepted", "id", id, "run", run, "error", err)
		status, body["error"] = http.StatusInternalServerError, "internal error "+id
	}
	reply(q.rw, status, body)
}

func reply(rw http.ResponseWriter, status int, body map[string]any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(body) // the caller has gone; nobody reads an error
}
