package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"heddle/domain"
)

// TestCrashAnywhere kills servers at random moments while triggers come in and runs go on: whatever
// was answered 200 ends exactly once, and no call is made again once its step is in the log.
func TestCrashAnywhere(t *testing.T) {
	t.Run("embedded Redis", func(t *testing.T) { crashAnywhere(t, nil) })
	t.Run("real Redis", func(t *testing.T) {
		if os.Getenv("HEDDLE_TEST_REDIS") == "" {
			t.Skip("HEDDLE_TEST_REDIS is not set: not run on a real redis-server")
		}
		r := &realRedis{TB: t, socket: filepath.Join(shortFolder(t), "s")}
		r.start()
		t.Cleanup(r.kill)
		crashAnywhere(t, r)
	})
}

func crashAnywhere(t *testing.T, redis *realRedis) {
	const leastRuns, leastKills, mostPerRound = 300, 30, 12
	hook := newHook()
	defer hook.Close()
	env := []string{"HEDDLE_ALLOW_HOSTS=127.0.0.1", "HEDDLE_MAX_CLAIMS=100"} // no run ends its process here
	if redis != nil {
		env = append(env, "HEDDLE_REDIS=redis-socket://"+redis.socket)
	}
	h := newHarness(t, env...)
	h.start()
	paths := []string{"a", "b", "c", "d"}
	trigger := h.deploy(callsDefinition(hook.URL, paths...))
	var runs []string
	settled := map[string]int{} // how often a call had been made when its step was in the log
	kills := 0
	for ; kills < leastKills || len(runs) < leastRuns; kills++ {
		accepted := make(chan []string)
		url := h.url + trigger
		go func() { accepted <- post(url, mostPerRound) }()
		// A random moment is the point here: nothing is waited for.
		time.Sleep(10*time.Millisecond + time.Duration(rand.Int64N(int64(80*time.Millisecond))))
		if redis != nil && kills%2 == 1 {
			redis.kill()
			time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
			redis.start()
		}
		h.must(h.kill())
		runs = append(runs, <-accepted...)
		settle(t, h, hook, settled)
		h.start()
	}
	inTime := len(settled)
	for _, run := range runs {
		if result := h.ended(run); at(result, "resultType") != "COMPLETED" ||
			len(finishedSteps(result)) != len(paths)+1 {
			t.Errorf("run %s ended with %v", run, result)
		}
	}
	h.must(h.stop())
	ends := endings(t, h)
	for _, run := range runs {
		if ends[run] != 1 {
			t.Errorf("run %s ended %d times", run, ends[run])
		}
	}
	again, most := 0, 0
	for key, n := range hook.counts() {
		again, most = again+n-1, max(most, n-1)
		if then, is := settled[key]; is && n != then {
			t.Errorf("call %s was made %d times, although its step had finished when it had been made %d times", key, n,
				then)
		}
	}
	if most > kills {
		t.Errorf("a call was made %d times more than once after %d kills", most, kills)
	}
	t.Logf("%d kills, %d runs accepted of %d calls each; %d calls had their step in the log at a kill; %d were in flight and made again, none more than %d times",
		kills, len(runs), len(paths), inTime, again, most)
}

// post triggers until the server is gone, or often enough, and tells what was accepted.
func post(url string, most int) (runs []string) {
	for range most {
		status, _, body, err := send(http.MethodPost, url, http.Header{"Content-Type": {"application/json"}},
			[]byte("{}"))
		if err != nil {
			return runs
		}
		var accepted struct{ ExecutionID string }
		if status == http.StatusOK && json.Unmarshal(body, &accepted) == nil && accepted.ExecutionID != "" {
			runs = append(runs, accepted.ExecutionID)
		}
	}
	return runs
}

// endings counts how often each run ended, in the log of a server that has stopped.
func endings(t *testing.T, h *harness) map[string]int {
	t.Helper()
	records, err := recorded(filepath.Join(h.dir, "data", "log.db"))
	h.must(err)
	ends := map[string]int{}
	for _, r := range records {
		if r.Category() == domain.Runs.Name && r.Kind == "RunFinished" {
			ends[r.AggregateID()]++
		}
	}
	return ends
}

// realRedis is a redis-server of a test's own, which keeps nothing over its end.
type realRedis struct {
	testing.TB
	socket string
	server *exec.Cmd
}

// shortFolder is a folder whose path is short enough for a socket.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

func (r *realRedis) start() {
	r.Helper()
	_ = os.Remove(r.socket)
	r.server = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly", "no",
		"--dir", filepath.Dir(r.socket))
	if err := r.server.Start(); err != nil {
		r.Fatal(err)
	}
	if err := until("redis-server", func() bool { _, err := os.Stat(r.socket); return err == nil }); err != nil {
		r.Fatal(err)
	}
}

func (r *realRedis) kill() {
	_ = r.server.Process.Kill()
	_ = r.server.Wait()
}
