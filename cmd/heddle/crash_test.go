package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// callsDefinition is a flow that calls the hook once for each path, one after another.
func callsDefinition(hook string, paths ...string) string {
	var b strings.Builder
	b.WriteString(`definitionVersion: 7
name: Calls
flows:
  - name: Call
    steps:
      - {name: Trigger, isTrigger: true, action: {key: webhook, component: {key: webhook-triggers, version: LATEST, isPublic: true}}}
`)
	for _, path := range paths {
		fmt.Fprintf(&b, `      - name: Call %s
        action: {key: httpPost, component: {key: http, version: LATEST, isPublic: true}}
        inputs: {url: {type: value, value: '%s/%s'}, data: {type: value, value: call}}
`, path, hook, path)
	}
	return b.String()
}

// finishedSteps are the paths of the steps that the API tells of.
func finishedSteps(result any) (paths []string) {
	nodes, _ := at(result, "stepResults.nodes").([]any)
	for _, n := range nodes {
		paths = append(paths, at(n, "path").(string))
	}
	return paths
}

// TestCrashInFlight kills a server while a step's call waits for its answer: the next server does that
// step again, under the same idempotency key, and none that had finished.
func TestCrashInFlight(t *testing.T) {
	hook := newHook()
	defer hook.Close()
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.start()
	trigger := h.deploy(callsDefinition(hook.URL, "a", "b", "c"))
	h.trigger(trigger, "{}")
	_, err := hook.got(3)
	h.must(err)
	release := hook.block()
	run := h.trigger(trigger, "{}")
	_, err = hook.got(4)
	h.must(err)
	h.must(h.kill())
	release()
	h.start()
	if result := h.ended(run); at(result, "resultType") != "COMPLETED" || len(finishedSteps(result)) != 4 {
		t.Errorf("the run ended with %v", result)
	}
	requests, err := hook.got(7)
	h.must(err)
	second := requests[3:]
	if second[0] != second[1] || second[0].key == "" {
		t.Errorf("the call in flight was %+v, and after the crash %+v", second[0], second[1])
	}
	if len(second) != 4 || second[2].path != "/b" || second[3].path != "/c" {
		t.Errorf("calls after the crash: %+v", second)
	}
	if second[0].key == requests[0].key {
		t.Error("two runs share an idempotency key")
	}
}

// settle notes the calls whose steps are in the log of a killed server.
func settle(t *testing.T, h *harness, hook *hook, settled map[string]int) {
	t.Helper()
	dir := t.TempDir()
	// a copy, so that the next server finds the log as it was left
	for _, name := range []string{"log.db", "log.db-wal"} {
		data, err := os.ReadFile(filepath.Join(h.dir, "data", name))
		h.must(err)
		h.must(os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	records, err := recorded(filepath.Join(dir, "log.db"))
	h.must(err)
	counts := hook.counts()
	for _, r := range records {
		if r.Kind != "StepFinished" {
			continue
		}
		var step domain.StepFinished
		h.must(json.Unmarshal(r.Data, &step))
		key := domain.DeriveID("step", r.AggregateID(), step.Path) // as the worker makes it
		if _, known := settled[key]; !known && counts[key] > 0 {
			settled[key] = counts[key]
		}
	}
}

// TestTerminate ends servers with SIGTERM: idle, and with a run that goes on while it stops.
func TestTerminate(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		h := newHarness(t)
		h.start()
		terminate(t, h)
	})
	t.Run("the run finishes", func(t *testing.T) {
		h, hook, run, release := inFlight(t)
		go func() {
			<-h.closing() // the server has begun to stop
			release()
		}()
		terminate(t, h)
		h.start()
		result := h.ended(run)
		if at(result, "resultType") != "COMPLETED" {
			t.Errorf("the run ended with %v", result)
		}
		if requests, err := hook.got(2); err != nil || len(requests) != 2 {
			t.Errorf("%d calls, %v", len(requests), err)
		}
	})
	t.Run("a caller waits", func(t *testing.T) {
		t.Parallel()
		h, hook, _, _ := inFlight(t)
		answered := make(chan string, 1)
		go func() {
			status, header, _, err := send(http.MethodPost, h.url+h.path,
				http.Header{"Prismatic-Synchronous": {"true"}}, nil)
			answered <- fmt.Sprint(status, err, header.Get("prismatic-executionid") != "")
		}()
		_, err := hook.got(2)
		h.must(err)
		terminate(t, h)
		if answer := <-answered; answer != "504 <nil> true" {
			t.Errorf("the caller was answered %s", answer)
		}
	})
	t.Run("the run is handed back", func(t *testing.T) {
		t.Parallel()
		h, hook, run, release := inFlight(t)
		terminate(t, h)
		release()
		h.start()
		result := h.ended(run)
		if at(result, "resultType") != "COMPLETED" {
			t.Errorf("the run ended with %v", result)
		}
		requests, err := hook.got(3)
		h.must(err)
		if len(requests) != 3 || requests[0] != requests[1] {
			t.Errorf("calls: %+v", requests)
		}
	})
}

// inFlight is a server with a run whose first of two calls waits for its answer.
func inFlight(t *testing.T) (h *harness, hook *hook, run string, release func()) {
	hook = newHook()
	t.Cleanup(hook.Close)
	h = newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.start()
	h.path = h.deploy(callsDefinition(hook.URL, "a", "b"))
	release = hook.block()
	t.Cleanup(release)
	run = h.trigger(h.path, "{}")
	_, err := hook.got(1)
	h.must(err)
	return h, hook, run, release
}

// terminate sends SIGTERM and expects success, and nobody at the address afterwards.
func terminate(t *testing.T, h *harness) {
	t.Helper()
	begin := time.Now()
	h.must(h.stop())
	t.Logf("stopped after %s", time.Since(begin).Round(time.Millisecond))
	if _, _, _, err := send(http.MethodGet, h.url+"/healthz", http.Header{}, nil); err == nil {
		t.Error("it still answers")
	}
}

// closing is closed once the server takes no connections any more.
func (h *harness) closing() <-chan struct{} {
	closed := make(chan struct{})
	url := h.url
	go func() {
		defer close(closed)
		_ = until("the end of listening", func() bool {
			_, _, _, err := send(http.MethodGet, url+"/healthz", http.Header{}, nil)
			return err != nil
		})
	}()
	return closed
}
