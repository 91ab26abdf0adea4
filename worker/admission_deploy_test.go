package worker

import (
	"testing"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/worker/queue"
)

// redeploy deploys an instance with a second version of its definition, with flows that are the same by name.
func (h *harness) redeploy(instance, def string) {
	h.t.Helper()
	at, _ := h.View.Instances.Find(instance)
	integration, _ := h.View.Integrations.Find(at.Integration)
	version, _ := integration.Version(at.Deployed)
	old, err := h.Definitions.Get(h.ctx, h.organization, version.Definition)
	if err != nil {
		h.t.Fatal(err)
	}
	parsed, _, err := definition.Parse([]byte(def), definition.DefaultLimits)
	if err != nil {
		h.t.Fatal(err)
	}
	hash, err := h.Definitions.Save(h.ctx, h.organization, definition.Identify(parsed, old, uuid.NewString))
	if err != nil {
		h.t.Fatal(err)
	}
	next := uuid.NewString()
	changeAll(h, domain.Integrations, integration.ID, domain.IntegrationPublished{Version: next,
		Number: 2, Definition: hash})
	pos := changeAll(h, domain.Instances, instance, domain.InstanceDeployed{Version: next})
	if err := h.View.Wait(h.ctx, pos); err != nil {
		h.t.Fatal(err)
	}
}

// offers lists the runs that a sweep offers, of all that the log has by now.
func (h *harness) offers(runs ...string) (ids []string) {
	h.t.Helper()
	_, pos, err := store.Change(h.ctx, h.Log, domain.Runs, runs[len(runs)-1],
		func(domain.Run) (domain.Changes[domain.Run], error) {
			return nil, nil
		})
	if err == nil {
		err = h.Runs.Wait(h.ctx, pos)
	}
	if err == nil {
		clear(h.dispatcher.offered)
		err = h.dispatcher.sweepOnce(h.ctx)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	for _, run := range runs {
		if _, is := h.dispatcher.offered[queue.TaskID(run, 0)]; is {
			ids = append(ids, run)
		}
	}
	return ids
}

// The queue of a flow is what is deployed says, whichever versions the runs in it are of; when that
// can't be read, they wait.
func TestQueueConfigIsTheDeployedOne(t *testing.T) {
	h := newHarness(t)
	if err := h.Worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.queue.Close)
	instance, urls := h.deploy(integrationOf(flow("Main", "", "", step("one", "call", ""))))
	trigger := func() string { return h.post(urls["Main"], "", "").Header().Get(ExecutionHeader) }
	begun := trigger()
	changeAll(h, domain.Runs, begun, domain.RunClaimed{Claim: 1, Worker: "other"})
	h.redeploy(instance, integrationOf(flow("Main", "    queueConfig: {usesFifoQueue: true}\n", "",
		step("one", "call", ""))))
	first, second := trigger(), trigger()
	if got := h.offers(first, second); len(got) != 0 {
		t.Errorf("%d runs of the new version go on beside one of the old", len(got))
	}
	changeAll(h, domain.Runs, begun, domain.RunFinished{Result: domain.Completed})
	if got := h.offers(first, begun); len(got) != 1 {
		t.Errorf("%d runs go on when the old one is done", len(got))
	}
	known := h.Definitions
	kept, err := blobs.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	h.Definitions = projections.NewDefinitions(kept, 1<<20)
	if got := h.offers(first, second); len(got) != 0 {
		t.Errorf("%d runs go on without their queueConfig", len(got))
	}
	h.Definitions = known
	if got := h.offers(first, second); len(got) != 1 {
		t.Errorf("%d runs go on afterwards", len(got))
	}
}

// A caller who waits for a run of a flow that runs once at a time does not lose it to the others.
func TestSingletonKeepsSynchronousRuns(t *testing.T) {
	h := newHarness(t)
	if err := h.Worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.queue.Close)
	_, urls := h.deploy(integrationOf(flow("Main", "    queueConfig: {singletonExecutions: true}\n", "",
		step("one", "call", ""))))
	h.SyncTimeout = 1
	first := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	waited := h.post(urls["Main"], "", "", synchronousHeader, "true").Header().Get(ExecutionHeader)
	second := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	h.offers(first, waited, second)
	for run, dropped := range map[string]bool{first: false, waited: false, second: true} {
		if r, _, err := store.Load(h.ctx, h.Log, domain.Runs, run); err != nil || (r.Finished != nil) != dropped {
			t.Errorf("ended %+v, %v", r.Finished, err)
		}
	}
}
