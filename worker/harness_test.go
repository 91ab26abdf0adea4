package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"heddle/component"
	"heddle/component/builtin"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/live"
	"heddle/store/vault"
)

// harness is a whole worker over a log in memory, with a component "probe" whose actions the test
// looks into.
type harness struct {
	*Worker
	t            testing.TB
	ctx          context.Context // of the test's own changes
	organization string
	probe        *probe
	stop         func() // ends the worker and waits for it
}

// probe counts what it is asked to do, and blocks where the test wants it.
type probe struct {
	mu    sync.Mutex
	calls map[string]int
	keys  map[string]string        // idempotency keys by call
	block map[string]chan struct{} // by call: wait until it is closed
	began chan string              // the name of each call that blocks
	sets  bool                     // each call looks for a value of the execution's own scope, and sets it
}

func (p *probe) component() component.Component {
	type inputs struct {
		Name string `key:"name" label:"Name" doc:"What to count the call under."`
		Fail string `key:"fail" label:"Fail" doc:"The error to fail with."`
		Once int    `key:"times" label:"Times" doc:"How many calls fail, 0 for all."`
		Echo any    `key:"echo" label:"Echo" doc:"What to give back."`
	}
	perform := func(ctx context.Context, step component.Step, in inputs) (component.Result, error) {
		p.mu.Lock()
		p.calls[in.Name]++
		p.keys[in.Name] = step.IdempotencyKey()
		block, called := p.block[in.Name], p.calls[in.Name]
		p.mu.Unlock()
		step.Log("info", "called "+in.Name)
		did := map[string]any{"did": in.Name}
		if p.sets {
			own := step.State(component.ExecutionScope)
			_, found, err := own.Get(ctx, "set")
			if err = errors.Join(err, own.Set(ctx, "set", true)); err != nil {
				return component.Result{}, err
			}
			did["found"] = found
		}
		if block != nil {
			p.began <- in.Name
			select {
			case <-block:
			case <-ctx.Done():
				return component.Result{}, ctx.Err()
			}
		}
		if in.Fail != "" && (in.Once == 0 || called <= in.Once) {
			return component.Result{}, refusal.New(refusal.Invalid, "%s", in.Fail)
		}
		if in.Echo != nil {
			return component.Result{Data: in.Echo}, nil
		}
		return component.Result{Data: did}, nil
	}
	call := component.NewAction("call", "Call", "Counts the call.", perform)
	effect := component.NewAction("effect", "Effect", "Counts the call, outside the run.", perform)
	effect.Effect = true
	type list struct {
		Items []any `key:"items" label:"Items" doc:"What to loop over."`
	}
	each := component.NewAction("each", "Each", "Loops.", func(_ context.Context, _ component.Step,
		in list) (component.Result, error) {
		return component.Result{Items: in.Items}, nil
	}).WithLoop()
	leave := component.NewAction("leave", "Leave", "Leaves the loop.", perform).WithBreak()
	choose := component.NewAction("choose", "Choose", "Takes the branch that echo names.",
		func(_ context.Context, _ component.Step, in inputs) (component.Result, error) {
			return component.Result{Data: in.Echo, Branch: value.Text(in.Echo)}, nil
		}).WithBranches()
	asked := component.NewPerformedTrigger("asked", "Asked", "Counts the requests.",
		func(ctx context.Context, step component.Step, payload map[string]any, in inputs) (component.Result, error) {
			n, err := step.State(component.CrossFlowScope).Update(ctx, "asked", func(old any, _ bool) (any, error) {
				n, _ := old.(float64)
				return n + 1, nil
			})
			result, failure := perform(ctx, step, in)
			result.Response = &component.Response{StatusCode: 202, Body: in.Name + " " + value.Text(n)}
			return result, errors.Join(err, failure)
		})
	return component.Component{Key: "probe", Label: "Probe", Description: "For tests.",
		Actions:  []component.Action{call, effect, each, leave, choose},
		Triggers: []component.Trigger{asked}}
}

func (p *probe) count(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[name]
}

// newHarness builds everything but does not start the worker.
func newHarness(t *testing.T) *harness {
	t.Helper()
	return newHarnessOver(t, store.NewMemory())
}

func newHarnessOver(t testing.TB, log interface {
	store.Log
	io.Closer
}) *harness {
	t.Helper()
	kept, err := blobs.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	vault := newHarnessVault(t)
	quiet := slog.New(slog.DiscardHandler)
	view := projections.NewView(log, quiet)
	runs, err := projections.OpenRunIndex(t.Context(), filepath.Join(t.TempDir(), "runs.db"), log, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	readers.Go(func() { _ = view.Run(ctx) })
	readers.Go(func() { _ = runs.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		readers.Wait()
		for _, c := range []io.Closer{runs, kept, log} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	p := &probe{calls: map[string]int{}, keys: map[string]string{}, block: map[string]chan struct{}{},
		began: make(chan string, 10)}
	o := DefaultOptions()
	o.PublicURL, o.Sweep, o.Lease, o.ShutdownTimeout = "http://heddle.test", 20*time.Millisecond, time.Second,
		100*time.Millisecond
	organization := uuid.NewString()
	h := &harness{t: t, organization: organization, probe: p, stop: func() {},
		Worker: &Worker{Options: o, Log: log, Blobs: kept, Vault: vault,
			Live: live.NewMemory(), View: view, Runs: runs, Definitions: projections.NewDefinitions(kept, 1<<20),
			Components: component.New(append(builtin.Components(), p.component())...), Client: http.DefaultClient,
			Logger: quiet}}
	h.ctx = store.As(t.Context(), store.Author{Organization: organization, Actor: "test"})
	t.Cleanup(h.seeContextsUnchanged)
	return h
}

func newHarnessVault(t testing.TB) *vault.Vault {
	vault, err := vault.Open(make([]byte, vault.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

// seeContextsUnchanged sees to it that no step has changed what runs share.
func (h *harness) seeContextsUnchanged() {
	for of, facts := range h.contexts.known {
		definition, err := h.Definitions.Get(context.Background(), h.organization, of.definition)
		if err != nil {
			h.t.Error(err)
			continue
		}
		if diff := cmp.Diff(of.runContext(h.PublicURL, definition, definition.Flow(of.flow)), facts); diff != "" {
			h.t.Errorf("what runs know about where they run was changed:\n%s", diff)
		}
	}
}

// start runs the worker until stop is called or the test ends.
func (h *harness) start() {
	h.t.Helper()
	if err := h.Worker.Start(); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Worker.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("the worker ended with %v", err)
		}
	})
	h.t.Cleanup(h.stop)
}

// again makes another worker over the same log, as after a restart: nothing but the log is shared.
func (h *harness) again() *harness {
	w := &Worker{Options: h.Options, Log: h.Log, Blobs: h.Blobs, Vault: h.Vault, Live: live.NewMemory(), View: h.View,
		Runs:        h.Runs,
		Definitions: h.Definitions, Components: h.Components, Client: h.Client, Logger: h.Logger}
	return &harness{Worker: w, t: h.t, ctx: h.ctx, organization: h.organization, probe: h.probe, stop: func() {}}
}

// deploy imports a definition, publishes it and deploys it, and returns its flows' URLs by name.
func (h *harness) deploy(def string) (instance string, urls map[string]string) {
	h.t.Helper()
	parsed, _, err := definition.Parse([]byte(def), definition.DefaultLimits)
	if err != nil {
		h.t.Fatal(err)
	}
	node := definition.Identify(parsed, nil, uuid.NewString)
	hash, err := h.Definitions.Save(h.ctx, h.organization, node)
	if err != nil {
		h.t.Fatal(err)
	}
	integration, instance, version := uuid.NewString(), uuid.NewString(), uuid.NewString()
	changeAll(h, domain.Integrations, integration, domain.IntegrationCreated{},
		domain.IntegrationPublished{Version: version, Number: 1, Definition: hash})
	pos := changeAll(h, domain.Instances, instance, domain.InstanceCreated{Name: "Test", Integration: integration,
		Version: version},
		domain.InstanceDeployed{Version: version})
	if err := h.View.Wait(h.ctx, pos); err != nil {
		h.t.Fatal(err)
	}
	urls = map[string]string{}
	for _, flow := range node.Flows() {
		urls[flow.Name()] = "/trigger/" + domain.PartID(instance, flow.ID)
	}
	return instance, urls
}

func changeAll[S any](h *harness, c *domain.Category[S], id string, events ...domain.Event[S]) store.Position {
	h.t.Helper()
	_, pos, err := store.Change(h.ctx, h.Log, c, id, func(S) (domain.Changes[S], error) { return events, nil })
	if err != nil {
		h.t.Fatal(err)
	}
	return pos
}

// post triggers a URL and returns the answer; headers are name, value pairs.
func (h *harness) post(url, contentType, body string, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return h.do(r)
}

func (h *harness) do(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// ended waits for a run's end.
func (h *harness) ended(run string) domain.Run {
	h.t.Helper()
	for record, err := range h.Log.Follow(h.ctx, 0, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if record.AggregateID() == run && record.Kind == "RunFinished" {
			break
		}
	}
	state, _, err := store.Load(h.ctx, h.Log, domain.Runs, run)
	if err != nil {
		h.t.Fatal(err)
	}
	return state
}

// paths lists the steps of a run in the order in which they finished.
func paths(r domain.Run) string {
	var all []string
	for _, s := range r.Steps() {
		all = append(all, s.Path)
	}
	return strings.Join(all, " ")
}

// accepted lists the runs that were accepted, in order.
func (h *harness) accepted() []domain.Run {
	h.t.Helper()
	var all []domain.Run
	for record, err := range h.Log.Follow(h.ctx, 0, store.Filter{Categories: []string{domain.Runs.Name}}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if record.Mark() {
			return all
		}
		if record.Kind == "RunQueued" {
			run, _, err := store.Load(h.ctx, h.Log, domain.Runs, record.AggregateID())
			if err != nil {
				h.t.Fatal(err)
			}
			all = append(all, run)
		}
	}
	return all
}
