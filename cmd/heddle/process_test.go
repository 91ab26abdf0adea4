package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come. It is no measure: on a busy machine it
// must still be enough.
const patience = 60 * time.Second

// process is a heddle server in a process of its own.
type process struct {
	cmd    *exec.Cmd
	stdout *os.File // not a capture: what was written before a line of stderr is in it by then
	stderr *capture
	url    string
	exited chan struct{}
	err    error // of waiting, once exited is closed
}

// command is heddle as another process, see TestMain. Only what env says reaches it.
func command(dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("heddle", args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir()}, env)
	return cmd
}

// launch starts a server and does not wait.
func launch(cmd *exec.Cmd) (*process, error) {
	stdout, err := os.CreateTemp(cmd.Dir, "stdout-*")
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdout: stdout, stderr: newCapture(), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, stdout.Close())
	}
	go func() {
		defer close(p.exited)
		p.err = errors.Join(cmd.Wait(), stdout.Close())
	}()
	return p, nil
}

// start starts a server and waits for the line of its log that tells its URL.
func start(cmd *exec.Cmd) (*process, error) {
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case p.url = <-p.stderr.ready:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("the server ended (%v) before it was ready:\n%s", p.err, p.stderr)
	case <-time.After(patience):
		return nil, errors.Join(fmt.Errorf("the server is not ready:\n%s", p.stderr), p.kill())
	}
}

// stop asks the server to end and tells how it did.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return p.err
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("the server does not stop:\n%s", p.stderr), p.kill())
	}
}

// kill ends the server as a loss of power does, for what the process can lose by that.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.exited
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// printed is what the server wrote to its standard output.
func (p *process) printed() string {
	text, err := os.ReadFile(p.stdout.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// capture keeps what a process writes and finds in it the line that tells that the server is ready.
type capture struct {
	mu     sync.Mutex
	text   []byte
	looked int // so many bytes of text were searched
	ready  chan string
}

func newCapture() *capture { return &capture{ready: make(chan string, 1)} }

// Write implements [io.Writer].
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	for {
		end := bytes.IndexByte(c.text[c.looked:], '\n')
		if end < 0 {
			return len(p), nil
		}
		var line struct{ Msg, URL string }
		if json.Unmarshal(c.text[c.looked:c.looked+end], &line) == nil && line.Msg == "ready" {
			c.ready <- line.URL
		}
		c.looked += end + 1
	}
}

// String implements [fmt.Stringer].
func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// harness is a data folder and how servers are started on it, for tests in Go.
type harness struct {
	testing.TB
	dir   string
	env   []string
	token string // the administrator's
	path  string // of the trigger, where a test has one
	*process
}

// testToken is the administrator's token in tests that do not care.
const testToken = "the administrator's token of a test"

// newHarness makes an empty data folder; env is the configuration besides listen address, folder and token.
func newHarness(t testing.TB, env ...string) *harness {
	h := &harness{TB: t, dir: t.TempDir(), token: testToken}
	h.env = slices.Concat([]string{"HEDDLE_LISTEN=127.0.0.1:0", "HEDDLE_DATA=" + filepath.Join(h.dir, "data")}, env)
	t.Cleanup(func() {
		if h.process == nil {
			return
		}
		_ = h.kill()
		if t.Failed() {
			t.Logf("the server wrote:\n%s", h.stderr)
		}
	})
	return h
}

// start starts a server on the folder.
func (h *harness) start() {
	h.Helper()
	p, err := start(command(h.dir, append(h.env, "HEDDLE_ADMIN_TOKEN="+h.token), "serve"))
	if err != nil {
		h.Fatal(err)
	}
	h.process = p
}

// must is for what a test needs and does not test.
func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// variables are the names of all settings in the environment.
func variables() (names []string) {
	new(settings).each(func(_ string, f reflect.StructField, _ reflect.Value) {
		names = append(names,
			f.Tag.Get("env"))
	})
	return append(names, "HEDDLE_CONFIG")
}

// until waits for a condition, looking again and again.
func until(what string, condition func() bool) error {
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain for %s", what)
		}
	}
	return nil
}
