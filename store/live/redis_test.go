package live

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// testRedis is a test's own redis-server, which persists nothing.
type testRedis struct {
	*testing.T
	socket string
	server *exec.Cmd
}

// startRedis skips the test if redis-server may be missing.
func startRedis(t *testing.T) *testRedis {
	t.Helper()
	if os.Getenv("HEDDLE_TEST_REDIS") == "" {
		t.Skip("HEDDLE_TEST_REDIS is not set: not run on a real redis-server")
	}
	folder, err := os.MkdirTemp("", "live") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	r := &testRedis{T: t, socket: filepath.Join(folder, "s")}
	r.start()
	t.Cleanup(func() {
		r.kill()
		_ = os.RemoveAll(folder)
	})
	return r
}

func (r *testRedis) start() {
	r.Helper()
	r.server = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly", "no",
		"--dir", filepath.Dir(r.socket))
	if err := r.server.Start(); err != nil {
		r.Fatal(err)
	}
	client := r.client()
	defer func() { _ = client.Close() }()
	for client.Ping(r.Context()).Err() != nil {
		if r.Context().Err() != nil {
			r.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *testRedis) kill() {
	_ = r.server.Process.Kill()
	_ = r.server.Wait()
}

func (r *testRedis) client() *redis.Client {
	return redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket})
}

// live returns a Live as another process has it.
func (r *testRedis) live() *Redis {
	l := NewRedis(r.client())
	r.Cleanup(func() {
		if err := l.Close(); err != nil {
			r.Error(err)
		}
	})
	return l
}

// An unreachable Redis refuses, delays nobody for long, and is found again, with all earlier and later
// subscriptions.
func TestLiveRedisAway(t *testing.T) {
	r := startRedis(t)
	publisher, subscriber := r.live(), r.live()
	before, stopBefore := subscriber.Subscribe("before")
	defer stopBefore()
	gone, stopGone := subscriber.Subscribe("gone")
	r.kill()
	if err := publisher.Publish(t.Context(), "before", []byte("lost")); err == nil {
		t.Error("what nobody takes is published")
	}
	if _, _, err := publisher.Get(t.Context(), "key"); err == nil {
		t.Error("a Redis that is away has no such value")
	}
	if err := publisher.Set(t.Context(), "key", []byte("value"), time.Minute); err == nil {
		t.Error("a Redis that is away keeps a value")
	}
	if err := publisher.Delete(t.Context(), "key"); err == nil {
		t.Error("a Redis that is away forgets a value")
	}
	meanwhile, stopMeanwhile := subscriber.Subscribe("meanwhile")
	defer stopMeanwhile()
	stopGone()
	if _, open := <-gone; open {
		t.Error("a stopped subscription goes on")
	}
	r.start()
	for topic, messages := range map[string]<-chan []byte{"before": before, "meanwhile": meanwhile} {
		for arrived := false; !arrived; { // until it is subscribed again, messages are lost
			if err := publisher.Publish(t.Context(), topic, []byte(topic)); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-messages:
				arrived = true
				if !bytes.Equal(got, []byte(topic)) {
					t.Errorf("got %q", got)
				}
			case <-time.After(20 * time.Millisecond):
			case <-t.Context().Done():
				t.Fatalf("%s is not subscribed to again", topic)
			}
		}
	}
}

// Many may wait for an end each: Redis is asked for all ends once, also after it was unreachable.
func TestLiveRedisEnds(t *testing.T) {
	r := startRedis(t)
	publisher, subscriber := r.live(), r.live()
	end := func(run string, want []byte) {
		t.Helper()
		ended, stop := subscriber.Subscribe(EndTopic(run))
		defer stop()
		for { // after Redis was away, some are lost
			for _, topic := range []string{EndTopic("other"), EndTopic(run)} {
				if err := publisher.Publish(t.Context(), topic, want); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case got := <-ended:
				if !bytes.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				return
			case <-time.After(20 * time.Millisecond):
			case <-t.Context().Done():
				t.Fatalf("the end of %s does not arrive", run)
			}
		}
	}
	asked := func() string {
		t.Helper()
		client := r.client()
		defer func() { _ = client.Close() }()
		stats, err := client.InfoMap(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		var calls []string
		for _, command := range []string{"psubscribe", "subscribe", "unsubscribe", "punsubscribe"} {
			told, _, _ := strings.Cut(stats["Commandstats"]["cmdstat_"+command], ",")
			calls = append(calls, command+" "+told)
		}
		return strings.Join(calls, ", ")
	}
	for range 2 {
		for i := range 100 {
			end(fmt.Sprint("run", i), []byte(fmt.Sprint(i)))
		}
		if got, want := asked(), "psubscribe calls=1, subscribe , unsubscribe , punsubscribe "; got != want {
			t.Errorf("Redis was asked %s, want %s", got, want)
		}
		if len(subscriber.here.topics) != 0 || len(publisher.topics) != 0 {
			t.Errorf("%d topics are left, and %d where nobody waits", len(subscriber.here.topics),
				len(publisher.topics))
		}
		r.kill()
		r.start()
	}
}
