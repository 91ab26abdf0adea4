package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heddle/domain"
)

// heldLog counts reads, and holds the first ones until it is released.
type heldLog struct {
	Log
	reads atomic.Int32
	begun chan struct{} // receives for each held one
	hold  chan struct{}
	fails atomic.Int32 // so many of the held ones fail
}

func (l *heldLog) Read(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error] {
	l.reads.Add(1)
	select {
	case l.begun <- struct{}{}:
		<-l.hold
		if l.fails.Add(-1) >= 0 {
			return func(yield func(Recorded, error) bool) { yield(Recorded{}, errors.New("broken")) }
		}
	default:
	}
	return l.Log.Read(ctx, stream, from)
}

func newHeldLog(t *testing.T, held int) *heldLog {
	l := &heldLog{Log: NewMemory(), begun: make(chan struct{}, held), hold: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// waitingLoads returns how many wait for a read that has not begun.
func waitingLoads(log Log) int {
	shared, n := log.shared(), 0
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, l := range shared.loads {
		n += l.sharers
	}
	return n
}

func awaitLoads(log Log, n int) {
	for waitingLoads(log) != n {
		time.Sleep(time.Millisecond)
	}
}

func customerNamed(t *testing.T, log Log, name string) {
	t.Helper()
	ctx := As(t.Context(), Author{Organization: "org", Actor: "ann"})
	_, _, err := Change(ctx, log, domain.Customers, "1",
		func(c domain.Customer) (domain.Changes[domain.Customer], error) {
			return domain.Changes[domain.Customer]{domain.CustomerCreated{Name: name}}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

// A caller that loads a stream during another read waits for the next read, with all others who do, and sees
// everything appended before its call.
func TestLoadsAreShared(t *testing.T) {
	const callers = 100
	log := newHeldLog(t, 1)
	customerNamed(t, log.Log, "old") // straight into it: the change's own read is not held
	names := make(chan string, callers+1)
	var all sync.WaitGroup
	load := func() {
		all.Go(func() {
			c, _, err := Load(t.Context(), log, domain.Customers, "1")
			names <- fmt.Sprint(c.Name, err)
		})
	}
	load()
	<-log.begun
	customerNamed(t, log.Log, "new")
	log.begun <- struct{}{} // no other is held
	for range callers {
		load()
	}
	awaitLoads(log, callers)
	close(log.hold)
	all.Wait()
	close(names)
	count := map[string]int{}
	for name := range names {
		count[name]++
	}
	if count["new<nil>"] < callers || log.reads.Load() != 2 {
		t.Errorf("after %d readings: %v", log.reads.Load(), count)
	}
	if n := waitingLoads(log); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

// A caller that gives up takes nobody along, and one whose read fails leaves it to the others.
func TestLoadsThatEndEarly(t *testing.T) {
	log := newHeldLog(t, 2)
	log.fails.Store(2)
	customerNamed(t, log.Log, "ann")
	answers := make(chan error, 10)
	ctx, cancel := context.WithCancel(t.Context())
	load := func(ctx context.Context) {
		c, _, err := Load(ctx, log, domain.Customers, "1")
		if err == nil && c.Name != "ann" {
			err = fmt.Errorf("loaded %q", c.Name)
		}
		answers <- err
	}
	go load(t.Context())
	<-log.begun
	go load(ctx)
	awaitLoads(log, 1)
	cancel()
	if err := <-answers; !errors.Is(err, context.Canceled) || waitingLoads(log) != 0 {
		t.Errorf("who gives up gets %v", err)
	}
	for range 3 {
		go load(t.Context())
	}
	awaitLoads(log, 3)
	close(log.hold)
	failed := 0
	for range 4 {
		if err := <-answers; err != nil {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("%d of 4 have failed, of 2 readings that do", failed)
	}
}
