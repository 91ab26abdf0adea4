package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"heddle/worker/queue/redistest"
)

// heldRedis is a go-redis hook below a group, which holds the script that comes alone.
type heldRedis struct {
	held, release chan struct{}
	pipelines     []int // how many scripts each had
}

func (h *heldRedis) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *heldRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			h.held <- struct{}{}
			<-h.release
		}
		return next(ctx, cmd)
	}
}

func (h *heldRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "evalsha" { // the client says hello by pipelines too
			h.pipelines = append(h.pipelines, len(cmds))
		}
		return next(ctx, cmds)
	}
}

// groupedClient has its scripts grouped, on a real Redis and on the server of an embedded one.
func groupedClient(t *testing.T, address string) (*redisConn, redis.UniversalClient, *group) {
	conn, err := connect(address)
	if err != nil {
		t.Fatal(err)
	}
	client := conn.make()
	t.Cleanup(func() {
		_ = client.Close()
		conn.close()
	})
	g := &group{pipeline: client.Pipeline}
	client.AddHook(g)
	return conn, client, g
}

func (g *group) wait(t *testing.T, scripts int) {
	for n := 0; n != scripts; runtime.Gosched() {
		if t.Context().Err() != nil {
			t.Fatalf("%d scripts wait", n)
		}
		g.mu.Lock()
		if n = 0; g.waiting != nil {
			n = len(g.waiting.scripts)
		}
		g.mu.Unlock()
	}
}

// What waits goes as one pipeline, and each gets its own answer; who leaves disturbs nobody.
func TestGroup(t *testing.T) {
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		_, client, g := groupedClient(t, r.Address)
		echo, fails, nothing := redis.NewScript("return ARGV[1]"),
			redis.NewScript("return redis.error_reply('NO luck')"), redis.NewScript("return nil")
		for _, s := range []*redis.Script{echo, fails, nothing} {
			if err := s.Load(t.Context(), client).Err(); err != nil {
				t.Fatal(err)
			}
		}
		held := &heldRedis{held: make(chan struct{}), release: make(chan struct{})}
		client.AddHook(held)
		var asking sync.WaitGroup
		ask := func(ctx context.Context, s *redis.Script, arg, want string, is error) {
			asking.Go(func() {
				got, err := s.EvalSha(ctx, client, []string{"key"}, arg).Text()
				if got != want || (is == nil) != (err == nil) || err != nil && !errors.Is(err, is) &&
					err.Error() != is.Error() {
					t.Errorf("%s: %q, %v", arg, got, err)
				}
			})
		}
		ask(t.Context(), echo, "alone", "alone", nil)
		<-held.held
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- echo.EvalSha(ctx, client, nil, "left").Err() }()
		g.wait(t, 1) // it is the first of the pipeline
		ask(t.Context(), redis.NewScript("return 'not known'"), "unknown", "", redis.ErrNoScript)
		ask(t.Context(), fails, "fails", "", errors.New("NO luck"))
		ask(t.Context(), nothing, "nothing", "", redis.Nil)
		for i := range 7 {
			ask(t.Context(), echo, fmt.Sprint(i), fmt.Sprint(i), nil)
		}
		g.wait(t, 11)
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil { // no script: it does not wait
			t.Error(err)
		}
		close(held.release)
		asking.Wait()
		if !slices.Equal(held.pipelines, []int{11}) {
			t.Errorf("sent %v", held.pipelines)
		}
		go func() { <-held.held }()
		if got, err := echo.Run(t.Context(), client, nil, "later").Text(); got != "later" || err != nil {
			t.Errorf("later: %q, %v", got, err)
		}
	})
}

// Many at once each get their own answers, also where the scripts are not known yet, and while a real
// Redis is killed or the embedded one replaced.
func TestGroupLosesRedis(t *testing.T) {
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		conn, client, _ := groupedClient(t, r.Address)
		echo := redis.NewScript("return ARGV[1]")
		ask := func(arg string, mayFail bool) {
			if got, err := echo.Run(t.Context(), client, nil, arg).Text(); err == nil && got != arg ||
				err != nil && !mayFail {
				t.Errorf("%s: %q, %v", arg, got, err)
			}
		}
		many := func(asked int, mayFail bool) *sync.WaitGroup {
			var asking sync.WaitGroup
			for i := range 16 {
				asking.Go(func() {
					for j := range asked {
						ask(fmt.Sprint(i, "/", j), mayFail)
					}
				})
			}
			return &asking
		}
		many(50, false).Wait()
		asking := many(200, true)
		if !r.Embedded() {
			r.Kill()
			r.Start()
		} else {
			conn.embedded.replace()
		}
		asking.Wait()
		ask("the first may find a connection that is lost", true)
		many(50, false).Wait()
	})
}
