package worker

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connection makes the Redis clients that Asynq asks for, all through one gate.
type connection struct {
	make  func() redis.UniversalClient
	gate  *gate
	close func()
}

// MakeRedisClient implements [asynq.RedisConnOpt].
func (c *connection) MakeRedisClient() any {
	client := c.make()
	client.AddHook(c.gate)
	return client
}

// connect understands "embedded" and the addresses that Asynq does.
func connect(address string) (*connection, error) {
	if address == "embedded" {
		return embedded(), nil
	}
	opt, err := asynq.ParseRedisURI(address)
	if err != nil { // neither the address nor the error is shown: there may be a password in them
		return nil, errors.New("HEDDLE_REDIS is no Redis address; give embedded, redis://, rediss://, redis-socket:// or redis-sentinel://")
	}
	return &connection{gate: newGate(), close: func() {}, make: func() redis.UniversalClient {
		return opt.MakeRedisClient().(redis.UniversalClient)
	}}, nil
}

// embedded is a Redis inside this process, reached through in-memory connections only. Its clock is
// moved by hand: following the wall clock would cost more with every task that waits.
func embedded() *connection {
	server := miniredis.NewMiniRedis()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				server.FastForward(time.Second)
			case <-done:
				return
			}
		}
	})
	return &connection{
		gate: newGate(),
		close: func() {
			close(done)
			wg.Wait()
			server.Close()
		},
		make: func() redis.UniversalClient {
			return redis.NewClient(&redis.Options{
				Dialer:                   func(context.Context, string, string) (net.Conn, error) { return server.Dial() },
				Protocol:                 2,
				DisableIdentity:          true,
				MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			})
		},
	}
}

// hold is how long a dequeue that found nothing waits for a wake-up before it answers so.
const hold = time.Second

// gate is a go-redis hook that holds dequeues which find nothing until something is enqueued, in
// place of Asynq's polling: work starts at once, and waiting for it costs nothing.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed and replaced by open
	closed chan struct{}
	once   sync.Once
}

func newGate() *gate { return &gate{opened: make(chan struct{}), closed: make(chan struct{})} }

// open wakes every held dequeue.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened = make(chan struct{})
}

// close stops holding for good.
func (g *gate) close() { g.once.Do(func() { close(g.closed) }) }

// DialHook implements [redis.Hook].
func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isDequeue(cmd) {
			return next(ctx, cmd)
		}
		g.mu.Lock()
		opened := g.opened // taken before looking, so that what comes in from now on is not missed
		g.mu.Unlock()
		err := next(ctx, cmd)
		if !errors.Is(err, redis.Nil) {
			return err
		}
		timer := time.NewTimer(hold)
		defer timer.Stop()
		select {
		case <-opened:
		case <-timer.C: // something may have come in through another process
		case <-ctx.Done():
			return ctx.Err()
		case <-g.closed:
			return err
		}
		return next(ctx, cmd)
	}
}

// isDequeue recognises Asynq's dequeue script by its keys: pending, paused, active and lease.
func isDequeue(cmd redis.Cmder) bool {
	args := cmd.Args()
	if len(args) < 7 || (cmd.Name() != "evalsha" && cmd.Name() != "eval") {
		return false
	}
	pending, _ := args[3].(string)
	paused, _ := args[4].(string)
	lease, _ := args[6].(string)
	return strings.HasSuffix(pending, ":pending") && strings.HasSuffix(paused, ":paused") && strings.HasSuffix(lease, ":lease")
}
