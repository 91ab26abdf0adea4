package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"heddle/domain"
)

// TestKillAnything has two processes with the role api and three workers take in a load while they, their
// Redis and their log's server are killed at random moments: whatever was answered 200 ends exactly once,
// no call is made again once its step is in the log, and each tick of a schedule begins one run.
func TestKillAnything(t *testing.T) {
	const load, callers, least = 5000, 4, 65 * time.Second // long enough for a tick
	c := newCluster(t, 2, 3)
	hook := newHook()
	t.Cleanup(hook.Close)
	paths := []string{"a", "b"}
	trigger := c.apis[0].deploy(callsDefinition(hook.URL, paths...))
	before := time.Now()
	c.apis[0].deploy(tickDefinition(hook.URL))
	after := time.Now()
	var urls urls
	for i, h := range c.apis {
		urls.set(i, h.url+trigger)
	}
	var mu sync.Mutex
	var runs []string
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(runs) >= load && time.Since(after) > least
	}
	loading, stopped := &errgroup.Group{}, make(chan struct{})
	for caller := range callers {
		loading.Go(func() error {
			for n := caller; !enough(); n++ {
				some := post(urls.get(n%len(c.apis)), 10) // it ends where the server does
				mu.Lock()
				runs = append(runs, some...)
				mu.Unlock()
				select {
				case <-stopped: // the test has
					return nil
				default:
				}
			}
			return nil
		})
	}
	t.Cleanup(func() {
		close(stopped)
		_ = loading.Wait()
	})
	kills := map[string]int{}
	for !enough() {
		// A random moment is the point here: nothing is waited for.
		time.Sleep(time.Duration(rand.Int64N(int64(400 * time.Millisecond))))
		c.killSomething(kills, func(i int) { urls.set(i, c.apis[i].url+trigger) })
	}
	c.must(loading.Wait())
	for _, run := range runs {
		if result := c.apis[0].ended(run); at(result, "resultType") != "COMPLETED" ||
			len(finishedSteps(result)) != len(paths)+1 {
			t.Errorf("run %s ended with %v", run, result)
		}
	}
	stopping := time.Now()
	c.stop()
	again, latest := c.judge(t, hook, runs)
	ticks, fewest, most := c.ticks(t), minutes(after, stopping.Add(-5*time.Second)), minutes(before, time.Now())
	if ticks < fewest || ticks > most {
		t.Errorf("%d scheduled runs in %d to %d minutes", ticks, fewest, most)
	}
	t.Logf("killed %v in %s; %d runs accepted of %d calls each and %d ticks; %d calls were in flight and made again, the latest %s after its step had finished",
		kills, stopping.Sub(after).Round(time.Second), len(runs), len(paths), ticks, again, latest)
}

// minutes counts those that begin in a time.
func minutes(from, to time.Time) int {
	return int(to.Truncate(time.Minute).Sub(from.Truncate(time.Minute)) / time.Minute)
}

// urls are where processes with the role api are reached now.
type urls struct {
	mu  sync.Mutex
	now [2]string
}

func (u *urls) set(i int, url string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now[i] = url
}

func (u *urls) get(i int) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.now[i]
}

// killSomething kills a process and starts it again. Workers are killed most often.
func (c *cluster) killSomething(kills map[string]int, moved func(api int)) {
	c.Helper()
	switch n := rand.IntN(8); {
	case n == 0:
		kills["log"]++
		c.must(c.logs.kill())
		c.logs = c.serveLog(strings.TrimPrefix(c.logs.url, "esdb://"))
	case n == 1:
		kills["Redis"]++
		c.redis.kill()
		time.Sleep(time.Duration(rand.Int64N(int64(100 * time.Millisecond))))
		c.redis.start()
	case n <= 3:
		kills["api"]++
		i := rand.IntN(len(c.apis))
		c.must(c.apis[i].kill())
		c.apis[i].start()
		moved(i)
	default:
		kills["worker"]++
		w := c.workers[rand.IntN(len(c.workers))]
		c.must(w.kill())
		w.start()
	}
}

// onItsWay is how long a call may take to its server on a busy machine.
const onItsWay = 250 * time.Millisecond

// judge looks at the whole log: each run that was accepted ended once, and no call began when its step
// was in the log. It tells how many calls came again, and when the latest.
func (c *cluster) judge(t *testing.T, hook *hook, runs []string) (again int, latest time.Duration) {
	calls := map[string][]time.Time{}
	for _, r := range hook.all() {
		calls[r.key] = append(calls[r.key], r.at)
	}
	records, err := recorded(c.logFile)
	c.must(err)
	ends, finished := map[string]int{}, map[string]bool{}
	for _, r := range records {
		switch r.Kind {
		case "RunFinished":
			ends[r.AggregateID()]++
		case "StepFinished":
			var step domain.StepFinished
			c.must(json.Unmarshal(r.Data, &step))
			key := domain.DeriveID("step", r.AggregateID(), step.Path) // as the worker makes it
			if finished[key] {
				t.Errorf("step %s of run %s finished twice", step.Path, r.AggregateID())
			}
			finished[key] = true
			for i, call := range calls[key] {
				late := call.Sub(time.UnixMicro(r.Created))
				if late > onItsWay {
					t.Errorf("call %s of run %s was made again %s after it had finished", step.Path, r.AggregateID(),
						late)
				}
				if i > 0 {
					again, latest = again+1, max(latest, late)
				}
			}
		}
	}
	for _, run := range runs {
		if ends[run] != 1 {
			t.Errorf("run %s ended %d times", run, ends[run])
		}
	}
	for key := range calls {
		if !finished[key] {
			t.Errorf("call %s was made and its step did not finish", key)
		}
	}
	return again, latest
}

// ticks counts the scheduled runs, each of which began and ended once.
func (c *cluster) ticks(t *testing.T) int {
	records, err := recorded(c.logFile)
	c.must(err)
	began, ended := map[string]int{}, map[string]int{}
	for _, r := range records {
		var q domain.RunQueued
		switch r.Kind {
		case "RunFinished":
			ended[r.AggregateID()]++
		case "RunQueued":
			c.must(json.Unmarshal(r.Data, &q))
			if q.Invoke == domain.InvokedBySchedule {
				began[r.AggregateID()]++
			}
		}
	}
	for run, n := range began {
		if n != 1 || ended[run] != 1 {
			t.Errorf("the scheduled run %s began %d times and ended %d times", run, n, ended[run])
		}
	}
	return len(began)
}

// tickDefinition is a flow that calls the hook each minute.
func tickDefinition(hook string) string {
	d := callsDefinition(hook, "tick")
	return strings.NewReplacer("name: Calls", "name: Ticks",
		"action: {key: webhook, component: {key: webhook-triggers, version: LATEST, isPublic: true}}",
		"action: {key: schedule, component: {key: schedule-triggers, version: LATEST, isPublic: true}}, schedule: {type: value, value: '* * * * *', meta: {scheduleType: custom, timeZone: ''}}").Replace(d)
}
