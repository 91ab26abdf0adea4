package queue

import (
	"context"
	"runtime"
	"sync"

	"github.com/redis/go-redis/v9"
)

// group is a go-redis hook that sends Asynq's scripts together: while some are under way, further ones wait, and
// then go as one pipeline. A single script goes alone, at once. A pipeline whose connection is lost is sent again,
// as a script alone would be. The client's own AutoPipeline is experimental, and its pipelines would bypass the
// gate.
type group struct {
	pipeline func() redis.Pipeliner

	mu      sync.Mutex
	sending bool
	waiting *batch // nil for none
}

// batch is a group of scripts that go as one pipeline. They are copies: their callers may have left meanwhile.
type batch struct {
	scripts  []*redis.Cmd
	answered chan struct{} // closed when they are
}

// DialHook implements [redis.Hook].
func (g *group) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (g *group) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (g *group) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		script, ok := cmd.(*redis.Cmd)
		if !ok || cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		b, own := g.join(script)
		if b == nil {
			defer g.sent()
			return next(ctx, cmd)
		}
		select {
		case <-b.answered:
			script.SetVal(own.Val())
			script.SetErr(own.Err())
		case <-ctx.Done(): // it is sent nevertheless
			script.SetErr(ctx.Err())
		}
		return script.Err()
	}
}

// join adds a copy of a script to the waiting batch; it returns no batch if the script may go at once.
func (g *group) join(script *redis.Cmd) (b *batch, own *redis.Cmd) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.sending {
		g.sending = true
		return nil, nil
	}
	if g.waiting == nil {
		g.waiting = &batch{answered: make(chan struct{})}
	}
	own = redis.NewCmd(context.Background(), script.Args()...)
	g.waiting.scripts = append(g.waiting.scripts, own)
	return g.waiting, own
}

// sent sends the scripts that have come while one was under way, and those that come meanwhile.
func (g *group) sent() {
	b := g.next()
	if b == nil {
		return
	}
	go func() {
		for ; b != nil; b = g.next() {
			b.send(g.pipeline())
			runtime.Gosched() // those who were answered come again: a larger batch costs both sides less
		}
	}()
}

// next takes the waiting batch; if there is none, nothing is under way any more.
func (g *group) next() *batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.waiting
	g.waiting, g.sending = nil, b != nil
	return b
}

func (b *batch) send(p redis.Pipeliner) {
	defer close(b.answered)
	ctx := context.Background() // not a caller's: the others' answers depend on it
	for _, script := range b.scripts {
		_ = p.Process(ctx, script) // that only notes it
	}
	_, _ = p.Exec(ctx) // each script has its own error
}
