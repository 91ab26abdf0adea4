// Package redistest runs tests on the embedded Redis and on a real one.
package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is the Redis that a test runs on: embedded, or a real server of its own.
type Server struct {
	Address string
	t       testing.TB
	socket  string
	process *exec.Cmd
}

// Each runs a test on the embedded Redis, and on a real one if HEDDLE_TEST_REDIS says that
// redis-server is installed.
func Each(t *testing.T, test func(*testing.T, *Server)) {
	t.Run("embedded", func(t *testing.T) { test(t, &Server{Address: "embedded", t: t}) })
	t.Run("real", func(t *testing.T) {
		if os.Getenv("HEDDLE_TEST_REDIS") == "" {
			t.Skip("HEDDLE_TEST_REDIS is not set: not run on a real redis-server")
		}
		test(t, Real(t))
	})
}

// Real is a real server, on a socket, which ends with the test.
func Real(t testing.TB) *Server {
	folder, err := os.MkdirTemp("", "redis") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	r := &Server{t: t, socket: filepath.Join(folder, "s")}
	r.Address = "redis-socket://" + r.socket
	r.Start()
	t.Cleanup(func() {
		r.Kill()
		_ = os.RemoveAll(folder)
	})
	return r
}

// Start runs an empty server and waits until it answers.
func (r *Server) Start() {
	r.t.Helper()
	r.process = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly",
		"no", "--dir", filepath.Dir(r.socket))
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket})
	defer func() { _ = client.Close() }()
	for client.Ping(r.t.Context()).Err() != nil {
		if r.t.Context().Err() != nil {
			r.t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Kill ends the server as kill -9 does; all it held is lost.
func (r *Server) Kill() {
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
}

// Embedded reports whether the Redis ends with its process only.
func (r *Server) Embedded() bool { return r.process == nil }
