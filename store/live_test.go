package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLivePublish(t *testing.T) {
	ctx := context.Background()
	l := NewLiveMemory()
	a, stopA := l.Subscribe("t")
	b, stopB := l.Subscribe("t")
	other, stopOther := l.Subscribe("u")
	defer stopOther()
	message := []byte("one")
	if err := l.Publish(ctx, "t", message); err != nil {
		t.Fatal(err)
	}
	message[0] = 'X'
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
		if err := l.Publish(ctx, "t", []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := 100 - liveBuffer; i < 100; i++ {
		if got := <-b; string(got) != fmt.Sprint(i) {
			t.Errorf("got %q, want %d", got, i)
		}
	}
	stopB()
	if len(other) != 0 || len(l.topics) != 1 {
		t.Errorf("%d messages strayed, %d topics are kept", len(other), len(l.topics))
	}
}

func TestLiveManySubscribers(t *testing.T) {
	ctx := context.Background()
	l := NewLiveMemory()
	done := make(chan struct{})
	var busy sync.WaitGroup
	for i := range 64 {
		busy.Go(func() {
			for {
				messages, stop := l.Subscribe(fmt.Sprint("t", i%4))
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
			for j := range 2000 {
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
	if len(l.topics) != 0 {
		t.Errorf("%d topics are left", len(l.topics))
	}
}

func TestLiveValuesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		l := NewLiveMemory()
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
