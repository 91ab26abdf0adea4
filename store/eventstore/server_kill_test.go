package eventstore

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heddle/store"
	"heddle/store/storetest"
)

// serveForever runs in the process that gets killed: it serves a log, in memory if there is no path, and prints
// its address.
func serveForever(path string) error {
	debug.SetGCPercent(400) // as heddle log serve does
	log := store.Log(store.NewMemory())
	if path != "" {
		var err error
		if log, err = store.OpenSQLite(path); err != nil {
			return err
		}
	}
	server, err := NewServer(log, ServerOptions{User: "ann", Password: "p", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", os.Getenv("HEDDLE_STORE_TEST_LISTEN"))
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return server.Serve(context.Background(), listener)
}

func startServer(t testing.TB, path, listen string) (*exec.Cmd, string) {
	t.Helper()
	cmd := storetest.Command(t, "serve", path)
	cmd.Env = append(cmd.Env, "HEDDLE_STORE_TEST_LISTEN="+listen)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := bufio.NewScanner(out)
	if !address.Scan() {
		t.Fatalf("the server did not start: %v", cmd.Wait())
	}
	return cmd, address.Text()
}

func killServer(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

// TestKilledServer kills a process that serves a log, again and again, while clients append to it and follow
// it: no append fails, acknowledged events are there once, a repeat is answered with the first position, and
// the follower sees all of it in order.
func TestKilledServer(t *testing.T) {
	const writers, each = 6, 150
	path := filepath.Join(t.TempDir(), "events.db")
	server, address := startServer(t, path, "127.0.0.1:0")
	log := openClient(t, "esdb://ann:p@"+address+"?tls=false")
	follower := storetest.Follow(t, log, 0, store.Filter{})
	type done struct {
		event    store.Event
		position store.Position
	}
	all := make([][]done, writers)
	var writing sync.WaitGroup
	var acknowledged atomic.Int64
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				e := storetest.Event("E")
				p, err := log.Append(context.Background(), fmt.Sprint("draft-", w), store.Revision(i)-1, e)
				if err != nil {
					t.Errorf("append %d to draft-%d: %v", i, w, err)
					return
				}
				all[w] = append(all[w], done{e, p})
				acknowledged.Add(1)
			}
		})
	}
	finished := make(chan struct{})
	go func() { writing.Wait(); close(finished) }()
	random, kills := rand.New(rand.NewPCG(5, 6)), 0
	for again, next := true, int64(20); again; {
		select {
		case <-finished:
			again = false
		case <-time.After(time.Duration(1+random.IntN(20)) * time.Millisecond):
			if acknowledged.Load() < next { // clients back off for a server that never stays up
				continue
			}
			next = acknowledged.Load() + int64(20+random.IntN(100))
			killServer(t, server)
			server, _ = startServer(t, path, address)
			kills++
		}
	}
	defer func() { killServer(t, server) }()
	if kills < 2 {
		t.Errorf("killed %d times only", kills)
	}
	for w, appended := range all {
		stream := fmt.Sprint("draft-", w)
		stored := storetest.ReadAll(t, log, stream, 0)
		if len(stored) != each || len(appended) != each {
			t.Fatalf("%s has %d records, %d were acknowledged, want %d", stream, len(stored), len(appended), each)
		}
		for i, a := range appended {
			if stored[i].ID != a.event.ID || stored[i].Position != a.position {
				t.Errorf("%s, revision %d: stored at %d, acknowledged at %d", stream, i, stored[i].Position, a.position)
			}
		}
		if p := storetest.MustAppend(t, log, stream, 4, appended[5].event); p != appended[5].position {
			t.Errorf("a repeat is answered with %d, the first was %d", p, appended[5].position)
		}
	}
	var last store.Position
	for seen := 0; seen < writers*each; {
		r := follower.Next(t)
		if r.Mark() {
			continue
		}
		if seen++; r.Position <= last {
			t.Fatalf("followed to %d after %d", r.Position, last)
		}
		last = r.Position
	}
	_ = follower.Stop(t)
}
