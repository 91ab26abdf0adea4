package queue

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// embeddedRedis is a Redis inside this process. Its connections are in memory, and scripts, which are nearly all
// that Asynq calls, need none.
type embeddedRedis struct {
	server  atomic.Pointer[scriptedRedis]
	mu      sync.RWMutex // held for writing while the server is replaced, for reading during an offer
	offered atomic.Int64 // tasks that the server has seen
	lost    func()       // called when the server has lost its tasks; may be nil
}

// replaceAfter is the number of tasks after which an empty Redis replaces the embedded one, which remembers about
// 100 bytes of each for ever. That happens when it holds no task, and at the latest after replaceAtLast; the tasks
// that it holds then are offered again, as after any loss.
const (
	replaceAfter  = 25_000
	replaceAtLast = 8 * replaceAfter
)

func embedded() *redisConn {
	e := &embeddedRedis{}
	e.server.Store(newScriptedRedis())
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { e.tick(done) })
	return &redisConn{
		gate: newGate(), embedded: e,
		enqueue: func(offer func() error) error {
			e.mu.RLock()
			defer e.mu.RUnlock()
			e.offered.Add(1)
			return offer()
		},
		close: func() {
			close(done)
			wg.Wait()
			e.server.Load().Close()
		},
		make: func() redis.UniversalClient {
			pool := 10 * runtime.GOMAXPROCS(0)
			return redis.NewClient(&redis.Options{
				// when the server is replaced, each connection has to fail
				PoolSize: pool, MaxRetries: pool + 1, MinRetryBackoff: -1,
				Dialer:                   func(context.Context, string, string) (net.Conn, error) { return e.dial() },
				Protocol:                 2,
				DisableIdentity:          true,
				MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			})
		},
	}
}

// dial connects to the current server.
func (e *embeddedRedis) dial() (net.Conn, error) {
	c, err := e.server.Load().Dial()
	return embeddedConn{c}, err
}

// embeddedConn reports a server that has gone as a network does, so that clients retry on a new connection instead
// of failing.
type embeddedConn struct{ net.Conn }

// Read implements [net.Conn].
func (c embeddedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, gone(err)
}

// Write implements [net.Conn].
func (c embeddedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, gone(err)
}

// SetReadDeadline implements [net.Conn].
func (c embeddedConn) SetReadDeadline(t time.Time) error { return gone(c.Conn.SetReadDeadline(t)) }

// SetWriteDeadline implements [net.Conn].
func (c embeddedConn) SetWriteDeadline(t time.Time) error { return gone(c.Conn.SetWriteDeadline(t)) }

func gone(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return io.EOF
	}
	return err
}

// tick advances the server's clock by hand: following the wall clock would cost more with every waiting task.
func (e *embeddedRedis) tick(done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.server.Load().FastForward(time.Second)
			if n := e.offered.Load(); n >= replaceAtLast || n >= replaceAfter && e.empty() {
				e.replace()
			}
		case <-done:
			return
		}
	}
}

// empty reports whether no task waits or is worked on.
func (e *embeddedRedis) empty() bool {
	for _, list := range []string{"pending", "active", "retry", "scheduled"} {
		if e.server.Load().Exists("asynq:{" + Name + "}:" + list) {
			return false
		}
	}
	return true
}

// onLoss sets a function to call whenever the server is replaced.
func (e *embeddedRedis) onLoss(lost func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost = lost
}

func (e *embeddedRedis) replace() {
	e.mu.Lock()
	old := e.server.Swap(newScriptedRedis())
	e.offered.Store(0)
	if e.lost != nil {
		e.lost()
	}
	e.mu.Unlock()
	old.Close() // its clients connect again, to the new one
}

// DialHook implements [redis.Hook].
func (e *embeddedRedis) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (e *embeddedRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (e *embeddedRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if script, ok := cmd.(*redis.Cmd); ok {
			if called, err := e.server.Load().call(script); called {
				return err
			}
		}
		return next(ctx, cmd)
	}
}
