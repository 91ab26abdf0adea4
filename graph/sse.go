package graph

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"heddle/app/access"
)

const eventStream = "text/event-stream"

// sse is the transport over server-sent events, one connection for each operation, by POST or by
// the GET of a browser's EventSource. Source: the graphql-sse protocol, distinct connections mode.
type sse struct{ streaming }

var _ graphql.Transport = sse{}

// Supports implements [graphql.Transport].
func (sse) Supports(r *http.Request) bool {
	return (r.Method == http.MethodPost || r.Method == http.MethodGet) && accepted(r) == eventStream
}

// Do implements [graphql.Transport].
func (t sse) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	params, status, refusal := t.read(w, r)
	if refusal != nil {
		answer(w, status, plainJSON, refusal)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	p := access.Of(ctx)
	a := t.account(p.Token)
	if p.User == "" {
		defer t.anonymous.admit(r.RemoteAddr, t.Options, cancel)()
	} else if gone, ok := a.open(t.MaxStreams); ok {
		defer gone()
	} else {
		answer(w, http.StatusTooManyRequests, plainJSON, t.tooManyStreams())
		return
	}
	ctx, leave, ok := t.enter(ctx)
	if !ok {
		answer(w, http.StatusServiceUnavailable, plainJSON, fail(stoppingReason))
		return
	}
	defer leave()
	o := &outlet{w: w, control: http.NewResponseController(w), options: t.Options, account: a}
	o.line.cut = func() {
		cancel()
		o.cut.Store(true)
		_ = o.control.SetWriteDeadline(time.Now()) // it fails where nothing is written any more
	}
	if o.open() != nil {
		return // the client has gone; nobody is left to tell
	}
	t.serve(ctx, o, exec, params, &operation{resume: r.Header.Get("Last-Event-ID"),
		readOnly: r.Method == http.MethodGet})
}

// serve runs the operation, while others keep the connection open and watch the caller's right.
func (t sse) serve(ctx context.Context, o *outlet, exec graphql.GraphExecutor, params *graphql.RawParams,
	op *operation) {
	ctx, cancel := context.WithCancel(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	owned.Go(func() {
		if access.Of(ctx).User != "" && t.revoked(ctx) {
			cancel()
		}
	})
	owned.Go(func() { o.keepOpen(ctx, cancel, t.KeepAlive) })
	errs := t.perform(ctx, exec, op, params, func(payload []byte) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return o.write(event(op.sent(), payload))
	})
	if len(errs) > 0 && ctx.Err() == nil {
		_ = hand(&graphql.Response{Errors: errs}, func(payload []byte) error {
			return o.write(event("", payload))
		}) // what can't be written ends here anyway
	}
	_ = o.write("event: complete\ndata:\n\n")
}

// outlet writes events to a client.
type outlet struct {
	w       http.ResponseWriter
	control *http.ResponseController
	options Options
	account *account
	line    line
	cut     atomic.Bool
	mu      sync.Mutex
}

func (o *outlet) open() error {
	h := o.w.Header()
	h.Set("Content-Type", eventStream+"; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	if err := o.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return o.write(":\n\n")
}

// write waits for a slow client no longer than it may take.
func (o *outlet) write(text string) error {
	defer o.options.sending(o.account, &o.line, len(text))()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.control.SetWriteDeadline(time.Now().Add(o.options.WriteTimeout)); err != nil {
		return err
	}
	if o.cut.Load() {
		return errLetGo
	}
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	return o.control.Flush()
}

// keepOpen sends a comment now and then, for what is in between, and to find out that the client has
// vanished; then it ends the operation.
func (o *outlet) keepOpen(ctx context.Context, cancel context.CancelFunc, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if o.write(":\n\n") != nil {
			cancel()
		}
	}
}

// event is a response as the protocol writes it. JSON has no line breaks.
func event(cursor string, payload []byte) string {
	id := ""
	if cursor != "" {
		id = "id: " + cursor + "\n"
	}
	return fmt.Sprintf("event: next\n%sdata: %s\n\n", id, payload)
}
