package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// logHouse is a data folder whose log is served by a process of its own.
func logHouse(t *testing.T) (serve func(listen string) *process, address func(*process) string) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	serve = func(listen string) *process {
		p, err := start(command(dir, []string{"HEDDLE_DATA=" + data, "HEDDLE_SERVE_LOG=" + listen}, "log", "serve"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.kill() })
		return p
	}
	address = func(p *process) string {
		password, err := os.ReadFile(filepath.Join(data, "log.password"))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("esdb://heddle:%s@%s?tlsCAFile=%s", strings.TrimSpace(string(password)),
			strings.TrimPrefix(p.url, "esdb://"), filepath.Join(data, "log.crt"))
	}
	return serve, address
}

// TestServedLog has a server work on a log that another process serves, which is killed and comes back:
// the server goes on, and nothing that it said is lost.
func TestServedLog(t *testing.T) {
	hook := newHook()
	defer hook.Close()
	serve, address := logHouse(t)
	logs := serve("127.0.0.1:0")
	if shown := logs.printed(); !strings.Contains(address(logs),
		":"+strings.Fields(shown)[len(strings.Fields(shown))-1]+"@") {
		t.Errorf("the password is not shown: %s", shown)
	}
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1", "HEDDLE_LOG="+address(logs))
	h.start()
	trigger := h.deploy(callsDefinition(hook.URL, "a", "b"))
	first := h.trigger(trigger, "{}")
	h.ended(first)

	h.must(logs.kill())
	again := serve(strings.TrimPrefix(logs.url, "esdb://"))
	if again.printed() != "" {
		t.Errorf("a kept password is shown again: %s", again.printed())
	}
	second := h.trigger(trigger, "{}")
	h.ended(second)
	if _, err := hook.got(4); err != nil {
		t.Error(err)
	}
	if strings.Contains(h.stderr.String(), strings.Split(address(again), ":")[2]) {
		t.Error("the password is in the server's log")
	}
	h.must(h.stop())
	out, err := command(h.dir, append(h.env, "HEDDLE_LOG="+address(again)), "verify").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"digest"`) {
		t.Errorf("verify: %v %s", err, out)
	}
	h.must(again.stop())
}
