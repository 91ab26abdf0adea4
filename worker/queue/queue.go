// Package queue offers runs to workers through Asynq, on an embedded Redis or a real one. It may lose everything: the
// log has it all.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Name is the one Asynq queue.
const Name = "runs"

// A process has several Asynq servers, as each dequeues one task at a time: more where Redis is a round
// trip away, which the servers' dequeues then share.
const (
	serversEmbedded = 2
	serversReal     = 8
)

// Lookers is how many dequeues look for the offers of other processes; as long as they find tasks, they continue.
const Lookers = 2

// neverArchive is more retries than a task ever makes: the engine ends runs, the queue never does.
const neverArchive = 1 << 30

// Wait is a handler's request to be called again later. It is not a failure.
type Wait struct {
	After  time.Duration
	Reason error
}

func (w *Wait) Error() string { return fmt.Sprintf("again in %s: %v", w.After, w.Reason) }
func (w *Wait) Unwrap() error { return w.Reason }

// Queue offers runs to workers through Asynq. It may lose everything: the log has it all.
type Queue struct {
	conn     *redisConn
	client   *asynq.Client
	redis    redis.UniversalClient
	servers  []*asynq.Server
	shutdown time.Duration
	config   asynq.Config
	handlers []int // of each server
}

// Open connects to the queue on a Redis, which is "embedded" or an address. As many tasks as concurrency are
// handled at once.
func Open(address string, concurrency int, shutdown time.Duration, logger *slog.Logger) (*Queue, error) {
	conn, err := connect(address)
	if err != nil {
		return nil, err
	}
	client := conn.client()
	q := &Queue{conn: conn, client: asynq.NewClientFromRedisClient(client), redis: client, shutdown: shutdown}
	q.handlers = share(max(1, concurrency), serversReal)
	if conn.embedded != nil {
		q.handlers = share(max(1, concurrency), serversEmbedded)
	}
	q.config = asynq.Config{
		Queues:                   map[string]int{Name: 1},
		TaskCheckInterval:        time.Millisecond, // the gate holds dequeues that find nothing
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          shutdown,
		Logger:                   queueLogger{logger.With("part", "queue")},
		LogLevel:                 asynq.WarnLevel,
		IsFailure:                func(err error) bool { return !waits(err) },
		RetryDelayFunc: func(n int, err error, _ *asynq.Task) time.Duration {
			if w, ok := errors.AsType[*Wait](err); ok {
				return w.After
			}
			return 0 // a lost lease: somebody else may go on at once
		},
	}
	return q, nil
}

// share divides handlers among at most so many servers.
func share(handlers, servers int) []int {
	shares := make([]int, min(handlers, servers))
	for i := range handlers {
		shares[i%len(shares)]++
	}
	return shares
}

// waits reports whether an error of a handler is no failure of the task.
func waits(err error) bool {
	_, ok := errors.AsType[*Wait](err)
	return ok || errors.Is(err, asynq.ErrLeaseExpired) || errors.Is(err, context.Canceled)
}

// TaskID names the task of a run at a claim.
func TaskID(run string, claims int) string { return run + "/" + strconv.Itoa(claims) }

// Enqueue offers a task, which names a run and the claim it stands at. A task that is offered already stays so.
func (q *Queue) Enqueue(ctx context.Context, task string) error {
	err := q.conn.enqueue(func() error {
		err := q.put(ctx, task, task)
		if errors.Is(err, asynq.ErrTaskIDConflict) {
			err = q.replace(ctx, task)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("enqueueing run %s: %w", task, err)
	}
	q.conn.gate.open()
	return nil
}

func (q *Queue) put(ctx context.Context, id, task string) error {
	_, err := q.client.EnqueueContext(ctx, asynq.NewTask("run", []byte(task)),
		asynq.TaskID(id), asynq.Queue(Name), asynq.MaxRetry(neverArchive), asynq.Timeout(24*time.Hour))
	return err
}

// clockSkew is how far apart the clocks of processes on one Redis may be.
const clockSkew = 5 * time.Second

// replace offers a task under another id if its worker was killed: its lease, of 30 s, has run out. Asynq itself
// would hand it to another worker a minute or more after that.
func (q *Queue) replace(ctx context.Context, task string) error {
	lease, err := q.redis.ZScore(ctx, "asynq:{"+Name+"}:lease", task).Result()
	if errors.Is(err, redis.Nil) {
		return nil // it waits, or is done
	}
	if err != nil || time.Since(time.Unix(int64(lease), 0)) < clockSkew {
		return err
	}
	err = q.put(ctx, fmt.Sprintf("%s@%d", task, int64(lease)), task)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

// Waiting returns how many tasks wait.
func (q *Queue) Waiting(ctx context.Context) (int, error) {
	n, err := q.redis.LLen(ctx, "asynq:{"+Name+"}:pending").Result()
	if err != nil {
		return 0, fmt.Errorf("asking how many runs wait in the queue: %w", err)
	}
	return int(n), nil
}

// Shared reports whether other processes use the same Redis.
func (q *Queue) Shared() bool { return q.conn.embedded == nil }

// NewClient returns another client of the queue's Redis.
func (q *Queue) NewClient() redis.UniversalClient { return q.conn.make() }

// Woken receives once for each dequeue that is to look for a task.
func (q *Queue) Woken() <-chan struct{} { return q.conn.gate.offers }

// OnLoss sets a function to call whenever an embedded Redis has lost its tasks.
func (q *Queue) OnLoss(lost func()) {
	if e := q.conn.embedded; e != nil {
		e.onLoss(lost)
	}
}

// Replace replaces an embedded Redis by an empty one. It happens now and then: the tasks of the old one are offered
// again.
func (q *Queue) Replace() {
	if e := q.conn.embedded; e != nil {
		e.replace()
	}
}

// Look lets this process's waiting dequeues poll once.
func (q *Queue) Look() {
	for range Lookers {
		q.conn.gate.open()
	}
}

// Serve handles tasks until ctx ends, then lets handlers finish for the shutdown timeout, then calls
// stop, which ends the engine's context, so that they hand back.
func (q *Queue) Serve(ctx, engine context.Context, stop func(), handle func(context.Context, string) error) error {
	q.config.BaseContext = func() context.Context { return engine }
	var handling sync.RWMutex // read-locked by each handler: Asynq does not wait for those that it abandons
	handler := asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		handling.RLock()
		defer handling.RUnlock()
		return handle(ctx, string(t.Payload()))
	})
	config := q.config
	for _, handlers := range q.handlers {
		config.Concurrency = handlers
		s := asynq.NewServerFromRedisClient(q.redis, config)
		config.DelayedTaskCheckInterval = time.Hour // one server does that for all
		if err := s.Start(handler); err != nil {
			return fmt.Errorf("starting queue server: %w", err)
		}
		q.servers = append(q.servers, s)
	}
	<-ctx.Done()
	q.conn.gate.close()
	timer := time.AfterFunc(q.shutdown, stop)
	defer timer.Stop()
	var wg sync.WaitGroup
	for _, s := range q.servers {
		wg.Go(s.Shutdown)
	}
	wg.Wait()
	stop()
	handling.Lock() // waits for them; one that begins only now finds its context ended
	defer handling.Unlock()
	return ctx.Err()
}

// Close ends the connections. An embedded Redis ends with them.
func (q *Queue) Close() {
	q.conn.gate.close()
	_ = q.redis.Close()
	q.conn.close()
}

// queueLogger passes Asynq's messages to slog.
type queueLogger struct{ *slog.Logger }

func (l queueLogger) Debug(args ...any) { l.Logger.Debug(fmt.Sprint(args...)) }
func (l queueLogger) Info(args ...any)  { l.Logger.Info(fmt.Sprint(args...)) }
func (l queueLogger) Warn(args ...any)  { l.Logger.Warn(fmt.Sprint(args...)) }
func (l queueLogger) Error(args ...any) { l.Logger.Error(fmt.Sprint(args...)) }
func (l queueLogger) Fatal(args ...any) { l.Logger.Error(fmt.Sprint(args...)) }
