package live

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// eachLive runs a test on a Live of one process, and on Redis if HEDDLE_TEST_REDIS says that redis-server is
// installed: there publishers and subscribers are two processes' Lives.
func eachLive(t *testing.T, test func(t *testing.T, publisher, subscriber Live)) {
	t.Run("memory", func(t *testing.T) {
		l := NewMemory()
		test(t, l, l)
		if len(l.topics) != 0 {
			t.Errorf("%d topics are left", len(l.topics))
		}
	})
	t.Run("Redis", func(t *testing.T) {
		r := startRedis(t)
		publisher, subscriber := r.live(), r.live()
		test(t, publisher, subscriber)
		if len(subscriber.topics) != 0 || len(subscriber.here.topics) != 0 {
			t.Errorf("%d and %d topics are left", len(subscriber.topics), len(subscriber.here.topics))
		}
	})
}

func TestLivePublish(t *testing.T) { eachLive(t, testLivePublish) }

func testLivePublish(t *testing.T, publisher, subscriber Live) {
	ctx := t.Context()
	publish := func(topic, message string) {
		t.Helper()
		data := []byte(message)
		if err := publisher.Publish(ctx, topic, data); err != nil {
			t.Fatal(err)
		}
		data[0] = 'X'
	}
	a, stopA := subscriber.Subscribe("t")
	b, stopB := subscriber.Subscribe("t")
	other, stopOther := subscriber.Subscribe("u")
	defer stopOther()
	publish("t", "one")
	for _, messages := range []<-chan []byte{a, b} {
		if got := <-messages; string(got) != "one" {
			t.Errorf("got %q", got)
		}
	}
	stopA()
	stopA() // is harmless
	if _, open := <-a; open {
		t.Error("a stopped subscription goes on")
	}
	for i := range 100 { // b is slow: it misses the oldest, and nobody waits for it
		publish("t", fmt.Sprint(i))
	}
	publish("u", "end")
	if got := <-other; string(got) != "end" { // all others have arrived before
		t.Errorf("%q strayed", got)
	}
	for i := 100 - liveBuffer; i < 100; i++ {
		if got := <-b; string(got) != fmt.Sprint(i) {
			t.Errorf("got %q, want %d", got, i)
		}
	}
	stopB()
	again, stopAgain := subscriber.Subscribe("t")
	defer stopAgain()
	publish("t", "again")
	if got := <-again; string(got) != "again" {
		t.Errorf("got %q", got)
	}
}

func TestLiveValues(t *testing.T) { eachLive(t, testLiveValues) }

func testLiveValues(t *testing.T, one, other Live) {
	ctx := t.Context()
	get := func(key string) string {
		t.Helper()
		v, found, err := other.Get(ctx, key)
		if err != nil || found != (v != nil) {
			t.Fatalf("%s: %q, %v, %v", key, v, found, err)
		}
		return string(v)
	}
	if v := get("a"); v != "" {
		t.Errorf("a was never set and is %q", v)
	}
	for key, ttl := range map[string]time.Duration{"a": time.Minute, "b": 20 * time.Millisecond} {
		if err := one.Set(ctx, key, []byte(key+"\x00"), ttl); err != nil {
			t.Fatal(err)
		}
	}
	if v := get("a"); v != "a\x00" {
		t.Errorf("a is %q", v)
	}
	for get("b") != "" { // it ends, or the test does not
		time.Sleep(time.Millisecond)
	}
	for range 2 {
		if err := one.Delete(ctx, "a"); err != nil || get("a") != "" {
			t.Errorf("a was deleted: %v", err)
		}
	}
}

func TestLiveManySubscribers(t *testing.T) { eachLive(t, testLiveManySubscribers) }

func testLiveManySubscribers(t *testing.T, l, subscriber Live) {
	ctx := t.Context()
	done := make(chan struct{})
	var busy sync.WaitGroup
	for i := range 64 {
		busy.Go(func() {
			for {
				messages, stop := subscriber.Subscribe(fmt.Sprint("t", i%4))
				for range 5 {
					select {
					case <-messages:
					case <-done:
						stop()
						return
					}
				}
				stop()
			}
		})
	}
	var publishing sync.WaitGroup
	for i := range 8 {
		publishing.Go(func() {
			for j := range 500 {
				topic := fmt.Sprint("t", (i+j)%4)
				if err := l.Publish(ctx, topic, []byte(topic)); err != nil {
					t.Error(err)
				}
				if err := l.Set(ctx, topic, []byte{byte(j)}, time.Minute); err != nil {
					t.Error(err)
				}
				if _, _, err := l.Get(ctx, topic); err != nil {
					t.Error(err)
				}
				if j%10 == 0 {
					if err := l.Delete(ctx, topic); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	publishing.Wait()
	close(done)
	busy.Wait()
}

func TestLiveValuesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		l := NewMemory()
		has := func(key string) bool {
			v, found, err := l.Get(ctx, key)
			if err != nil || found && string(v) != "v" {
				t.Errorf("%s: %q, %v", key, v, err)
			}
			return found
		}
		if has("a") {
			t.Error("a was never set")
		}
		for key, ttl := range map[string]time.Duration{"a": time.Second, "b": time.Minute, "c": time.Hour} {
			if err := l.Set(ctx, key, []byte("v"), ttl); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if has("a") || !has("b") {
			t.Error("after a second, a is gone and b is not")
		}
		if err := l.Set(ctx, "b", []byte("v"), time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if !has("b") {
			t.Error("setting again did not prolong b")
		}
		if err := l.Delete(ctx, "b"); err != nil || has("b") {
			t.Error("b was deleted", err)
		}
		for i := range 3000 {
			if err := l.Set(ctx, fmt.Sprint(i), []byte("v"), time.Second); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if len(l.values) > 1100 || !has("c") {
			t.Errorf("%d values are kept, of which 100 have not expired", len(l.values))
		}
	})
}
