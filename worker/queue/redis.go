package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// redisConn connects to the queue's Redis.
type redisConn struct {
	make     func() redis.UniversalClient
	gate     *gate
	enqueue  func(offer func() error) error // runs around each offer
	close    func()
	embedded *embeddedRedis // nil for a real one
}

// client makes the client for all of Asynq.
func (c *redisConn) client() redis.UniversalClient {
	client := c.make()
	client.AddHook(c.gate)
	if c.embedded != nil {
		client.AddHook(c.embedded) // after the gate, which decides when scripts run
	} else {
		client.AddHook(&group{pipeline: client.Pipeline}) // after the gate, too: a held dequeue must not hold others
	}
	return client
}

// SetLogger sends the Redis client's own messages to the server's log.
func SetLogger(logger *slog.Logger) { redis.SetLogger(redisLogger{logger.With("part", "redis")}) }

type redisLogger struct{ *slog.Logger }

// Printf implements the client's logger.
func (l redisLogger) Printf(_ context.Context, format string, args ...any) {
	l.Warn(fmt.Sprintf(format, args...))
}

// NewRedis returns a client of the Redis at an address other than "embedded".
func NewRedis(address string) (redis.UniversalClient, error) {
	conn, err := connect(address)
	if err != nil {
		return nil, err
	}
	return conn.make(), nil
}

// connect parses "embedded" and the addresses that Asynq accepts.
func connect(address string) (*redisConn, error) {
	if address == "embedded" {
		return embedded(), nil
	}
	opt, err := asynq.ParseRedisURI(address)
	if err != nil { // neither the address nor the error is shown: there may be a password in them
		return nil, errors.New("HEDDLE_REDIS is no Redis address; give embedded, redis://, rediss://, redis-socket:// or redis-sentinel://")
	}
	return &redisConn{gate: newGate(), close: func() {},
		enqueue: func(offer func() error) error { return offer() },
		make: func() redis.UniversalClient {
			return opt.MakeRedisClient().(redis.UniversalClient)
		}}, nil
}

// hold is how long a dequeue waits for a wake-up after one that found nothing.
const hold = time.Second

// gate is a go-redis hook that holds dequeues until something is enqueued, in place of Asynq's
// polling: work starts at once, and waiting for it costs nothing. Each offer lets one dequeue
// through; while dequeues find tasks, none waits.
type gate struct {
	offers chan struct{} // one for each offer that no dequeue has looked for yet
	empty  atomic.Bool   // the last dequeue found nothing, or no Redis
	closed chan struct{}
	once   sync.Once
}

// maxOffers is more than there are dequeues: further offers need no wake-up.
const maxOffers = 1024

func newGate() *gate {
	return &gate{offers: make(chan struct{}, maxOffers), closed: make(chan struct{})}
}

// open lets one more dequeue look.
func (g *gate) open() {
	select {
	case g.offers <- struct{}{}:
	default:
	}
}

// close stops holding for good.
func (g *gate) close() { g.once.Do(func() { close(g.closed) }) }

// wait returns when there is a reason to look.
func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.offers:
		return nil
	default:
	}
	if !g.empty.Load() {
		return nil
	}
	timer := time.NewTimer(hold)
	defer timer.Stop()
	select {
	case <-g.offers:
	case <-timer.C: // something may have come in through another process
	case <-g.closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

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
		if err := g.wait(ctx); err != nil {
			return err
		}
		err := next(ctx, cmd)
		g.empty.Store(err != nil && !redis.HasErrorPrefix(err, "NOSCRIPT")) // that one is followed by the script itself
		return err
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
	return strings.HasSuffix(pending, ":pending") && strings.HasSuffix(paused, ":paused") &&
		strings.HasSuffix(lease, ":lease")
}
