package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"heddle/domain"
	"heddle/store"
	"heddle/store/eventstore"
)

// cluster is many processes on one log, one Redis and one store of blobs.
type cluster struct {
	testing.TB
	serveLog func(listen string) *process
	logs     *process
	logURL   string // with user and password, for those who use it
	logFile  string // for when its server has stopped
	redis    *realRedis
	apis     []*harness
	workers  []*harness
}

// newCluster starts everything; it skips the test where redis-server may be missing.
func newCluster(t *testing.T, apis, workers int, more ...string) *cluster {
	if os.Getenv("HEDDLE_TEST_REDIS") == "" {
		t.Skip("HEDDLE_TEST_REDIS is not set: many processes are not run, for want of a redis-server")
	}
	serve, address := logHouse(t)
	c := &cluster{TB: t, serveLog: serve, logs: serve("127.0.0.1:0"),
		redis: &realRedis{TB: t, socket: filepath.Join(shortFolder(t), "s")}}
	c.logURL = address(c.logs)
	_, ca, _ := strings.Cut(c.logURL, "tlsCAFile=")
	c.logFile = filepath.Join(filepath.Dir(ca), "log.db")
	c.redis.start()
	t.Cleanup(func() { c.redis.kill() })
	s3 := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true),
		gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(s3.Close)
	env := []string{"HEDDLE_MAX_CLAIMS=100", "HEDDLE_LOG=" + c.logURL, "HEDDLE_REDIS=redis-socket://" + c.redis.socket,
		"HEDDLE_MASTER_KEY=" + shared["HEDDLE_MASTER_KEY"],
		"HEDDLE_BLOBS=s3://heddle?region=us-east-1&use_path_style=true&endpoint=" + s3.URL, "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"HEDDLE_ALLOW_HOSTS=127.0.0.1"}
	env = append(env, more...)
	for range apis {
		h := newHarness(t, append(env, "HEDDLE_ROLES=api")...)
		h.start()
		c.apis = append(c.apis, h)
	}
	for range workers {
		h := newHarness(t, append(env, "HEDDLE_ROLES=worker", "HEDDLE_PUBLIC_URL="+c.apis[0].url)...)
		h.start()
		c.workers = append(c.workers, h)
	}
	return c
}

// stop ends all processes, those that others need last.
func (c *cluster) stop() {
	c.Helper()
	for _, h := range slices.Concat(c.workers, c.apis) {
		if err := h.stop(); err != nil {
			c.Errorf("%v\n%s", err, h.stderr)
		}
	}
	if err := c.logs.stop(); err != nil {
		c.Error(err)
	}
}

// holding is a server whose requests are answered only when their callers leave.
func holding(t *testing.T) (url string, came, left <-chan string) {
	began, ended := make(chan string, 10), make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the caller's leaving is not noticed
		began <- r.Header.Get("Idempotency-Key")
		<-r.Context().Done()
		ended <- r.Header.Get("Idempotency-Key")
	}))
	t.Cleanup(s.Close)
	return s.URL, began, ended
}

// TestProcessesTogether has processes of one role each do what needs the others.
func TestProcessesTogether(t *testing.T) {
	c := newCluster(t, 2, 1)
	hook := newHook()
	t.Cleanup(hook.Close)
	one, other := c.apis[0], c.apis[1]
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK,
		"/metrics": http.StatusOK, "/api": http.StatusNotFound, "/trigger/x": http.StatusNotFound} {
		if status, _, _, err := send(http.MethodGet, c.workerURL(0)+path, http.Header{}, nil); err != nil ||
			status != want {
			t.Errorf("a worker answers %s with %d, %v", path, status, err)
		}
	}
	trigger := one.deploy(callsDefinition(hook.URL, "a", "b"))
	t.Run("a synchronous caller is answered", func(t *testing.T) {
		for i, h := range []*harness{one, other, one} {
			h.must(until("the trigger's being known everywhere", func() bool {
				status, header, body, err := send(http.MethodPost, h.url+trigger,
					http.Header{"Prismatic-Synchronous": {"true"}}, nil)
				h.must(err)
				if status != http.StatusOK && status != http.StatusNotFound {
					t.Fatalf("caller %d was answered %d %s", i, status, body)
				}
				if status == http.StatusOK && at(other.ended(header.Get("prismatic-executionid")),
					"resultType") != "COMPLETED" {
					t.Error("the answer came before the end")
				}
				return status == http.StatusOK
			}))
		}
	})
	t.Run("a payload in a blob reaches the worker", func(t *testing.T) {
		large := `{"large": "` + strings.Repeat("x", 100_000) + `"}`
		if result := other.ended(one.trigger(trigger, large)); at(result, "resultType") != "COMPLETED" {
			t.Errorf("ended with %v", result)
		}
	})
	t.Run("what a worker does is told as it happens", func(t *testing.T) {
		requests, err := hook.got(0)
		c.must(err)
		release := hook.block()
		defer release()
		run := one.trigger(trigger, "{}")
		_, err = hook.got(len(requests) + 1)
		c.must(err)
		body, err := json.Marshal(map[string]any{"query": `subscription($i: ID!) { executionProgress(executionId: $i) { __typename } }`, "variables": map[string]any{"i": run}})
		c.must(err)
		told := make(chan string)
		go func() { // the feed ends with the execution
			_, _, text, err := send(http.MethodPost, other.url+"/api", http.Header{"Content-Type": {"application/json"},
				"Accept": {"text/event-stream"}, "Authorization": {"Bearer " + other.token}}, body)
			told <- fmt.Sprint(string(text), err)
		}()
		release()
		if text := <-told; !strings.HasSuffix(text, "<nil>") || strings.Count(text, "__typename") < 3 ||
			!strings.Contains(text, "event: complete") {
			t.Errorf("the feed tells %s", text)
		}
	})
	t.Run("a canceled execution's step is interrupted", func(t *testing.T) {
		url, came, left := holding(t)
		run := one.trigger(one.deploy(callsDefinition(url, "a")), "{}")
		key := <-came
		if key != domain.DeriveID("step", run, "callA") {
			t.Errorf("the call has key %s", key)
		}
		other.call(`mutation($i: ID!) { cancelExecution(input: {id: $i}) { errors { field messages } } }`,
			map[string]any{"i": run})
		if gone := <-left; gone != key { // the step's own time ends only after that of this test
			t.Errorf("call %s was interrupted", gone)
		}
		if result := one.ended(run); at(result, "resultType") != "CANCELED" {
			t.Errorf("ended with %v", result)
		}
	})
	t.Run("those who look at a draft see each other", func(t *testing.T) { c.presence(t) })
	t.Run("an older process meets newer events", func(t *testing.T) { c.newerEvents(t, trigger) })
	c.stop()
}

// presence has two people look at one draft through two processes: each sees the other come, move and go.
func (c *cluster) presence(t *testing.T) {
	draft := fmt.Sprint(at(c.apis[0].call(`mutation($d: String!) { importIntegration(input: {definition: $d}) { integration { id } errors { field messages } } }`,
		map[string]any{"d": callsDefinition("http://127.0.0.1:1", "a")}), "importIntegration.integration.id"))
	first, leave := c.looks(t, c.apis[0], draft, "first")
	defer leave()
	first(`"first"`)
	c.must(until("the draft's being known everywhere", func() bool {
		answer, err := ask(c.apis[1].url, testToken, `query($i: ID!) { draft(id: $i) { id } }`,
			map[string]any{"i": draft})
		c.must(err)
		return at(answer, "data.draft.id") != nil
	}))
	second, gone := c.looks(t, c.apis[1], draft, "second")
	second(`"first"`, `"second"`)
	first(`"first"`, `"second"`)
	c.apis[1].call(`mutation($i: ID!) { movePresence(input: {draft: $i, session: "first", part: "there"}) { errors { messages } } }`, map[string]any{"i": draft})
	second(`"first","part":"there"`, `"second"`)
	gone()
	first(`"first","part":"there"`)
}

// looks opens the presence of a session; seen waits until it is told of just the parts given.
func (c *cluster) looks(t *testing.T, h *harness, draft, session string) (seen func(parts ...string), leave func()) {
	body, err := json.Marshal(map[string]any{"query": `subscription($i: ID!, $s: ID!) { draftPresence(id: $i, session: $s) { presences { session part } } }`,
		"variables": map[string]any{"i": draft, "s": session}})
	c.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/api", bytes.NewReader(body))
	c.must(err)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"},
		"Authorization": {"Bearer " + h.token}}
	response, err := web.Do(r)
	c.must(err)
	lines := bufio.NewScanner(response.Body)
	return func(parts ...string) {
			t.Helper()
			for lines.Scan() {
				matches := strings.Count(lines.Text(), `"session"`) == len(parts)
				for _, part := range parts {
					matches = matches && strings.Contains(lines.Text(), `"session":`+part)
				}
				if matches {
					return
				}
			}
			t.Fatalf("%s never saw %v: %v", session, parts, lines.Err())
		}, func() {
			cancel()
			_ = response.Body.Close()
		}
}

// workerURL is where a worker itself listens; what it is told of is its log.
func (c *cluster) workerURL(i int) string {
	c.Helper()
	for line := range strings.Lines(c.workers[i].stderr.String()) {
		var ready struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &ready) == nil && ready.Msg == "ready" {
			return "http://" + ready.Listen
		}
	}
	c.Fatal("the worker does not say where it listens")
	return ""
}

// newerEvents appends, as a newer version does during a rolling update, events of kinds that nobody here
// knows to every kind of stream that there is: all processes live, start again and go on.
func (c *cluster) newerEvents(t *testing.T, trigger string) {
	log, err := eventstore.Open(c.logURL, slog.New(slog.DiscardHandler))
	c.must(err)
	defer func() { _ = log.Close() }()
	last := map[string]store.Recorded{}
	for r, err := range log.Follow(t.Context(), 0, store.Filter{}) {
		c.must(err)
		if r.Mark() {
			break
		}
		last[r.Stream] = r
	}
	for stream, r := range last {
		id := uuid.Must(uuid.NewV7())
		meta, err := json.Marshal(domain.Meta{ID: id, Organization: domain.DeriveID("first organization"),
			Actor: "system", Time: time.Now()})
		c.must(err)
		_, err = log.Append(t.Context(), stream, r.Revision, store.Event{ID: id, Kind: "ToldByANewerVersion",
			Meta: meta, Data: []byte(`{"new":[1]}`)})
		c.must(err)
	}
	check := func() {
		t.Helper()
		for _, h := range c.apis {
			if result := h.ended(h.trigger(trigger, "{}")); at(result, "resultType") != "COMPLETED" {
				t.Errorf("ended with %v", result)
			}
		}
	}
	check()
	for _, h := range slices.Concat(c.workers, c.apis) {
		if !strings.Contains(h.stderr.String(), "ToldByANewerVersion") {
			t.Error("a process does not say what it skips")
		}
		h.must(h.kill())
		h.start()
	}
	check()
}

func (c *cluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}
