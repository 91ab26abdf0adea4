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

// embeddedRedis is a Redis inside this process, reached through in-memory connections only; scripts,
// which are nearly all that Asynq asks, are called without any.
type embeddedRedis struct {
	server  atomic.Pointer[scriptedRedis]
	mu      sync.RWMutex // held for writing while the server is replaced, for reading during an offer
	offered atomic.Int64 // tasks that the server has seen
	lost    func()       // what the server held is to be offered again; may be nil
}

// replaceAfter is how many tasks the embedded Redis has seen when it is replaced by an empty one: it
// remembers about 100 bytes of each for ever. That is done when it holds none, and at the latest
// after replaceAtLast; what it held then is offered again, like all that a Redis may lose.
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
				PoolSize: pool, MaxRetries: pool + 1, MinRetryBackoff: -1, // when the server is replaced, each connection has to fail
				Dialer:                   func(context.Context, string, string) (net.Conn, error) { return e.dial() },
				Protocol:                 2,
				DisableIdentity:          true,
				MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			})
		},
	}
}

// dial makes a connection to the server that there is now.
func (e *embeddedRedis) dial() (net.Conn, error) {
	c, err := e.server.Load().Dial()
	return embeddedConn{c}, err
}

// embeddedConn tells of a server that has gone as a network does, so that clients ask again on a new
// connection, and do not take it for an error.
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

// tick moves the server's clock by hand: following the wall clock would cost more with every task that waits.
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

// empty tells whether no task waits or is worked on.
func (e *embeddedRedis) empty() bool {
	for _, list := range []string{"pending", "active", "retry", "scheduled"} {
		if e.server.Load().Exists("asynq:{" + Name + "}:" + list) {
			return false
		}
	}
	return true
}

// onLoss has a function called whenever the server is replaced.
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
