package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/app/access"
)

// operation is a client's request over a transport that answers more than once.
type operation struct {
	resume   string         // the cursor that the client has seen last, if the transport knows
	readOnly bool           // it came in a way in which nothing may be changed
	readers  sync.WaitGroup // the goroutines that feed it
	mu       sync.Mutex
	failure  error    // why its feed broke off
	cursors  []string // of what has been fed and not been sent yet

	ready chan struct{} // has room for one: somebody waits for the next answer
	gate  chan struct{} // of the token: full while as many answers are made as may be
	held  bool          // a place in gate
}

// answering waits until the next answer can be made; it is not ok when nobody waits for it any more.
func (o *operation) answering(ctx context.Context) bool {
	select {
	case <-o.ready:
	case <-ctx.Done():
		return false
	}
	select {
	case o.gate <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = true
	return true
}

// answered returns the place back that the answer was made in.
func (o *operation) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held {
		o.held = false
		<-o.gate
	}
}

// placed is an element of a feed.
type placed interface{ place() string }

func (e ExecutionEvent) place() string { return e.Cursor }
func (e DraftEvent) place() string     { return e.Cursor }
func (n Notification) place() string   { return n.Cursor() }
func (e Edge[T]) place() string        { return e.Cursor }

// feeding notes the cursor of an element before it is fed.
func (o *operation) feeding(v any) {
	if p, ok := v.(placed); ok {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.cursors = append(o.cursors, p.place())
	}
}

// sent returns the cursor of the element that was fed first and not told of yet.
func (o *operation) sent() (cursor string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.cursors) > 0 {
		cursor, o.cursors = o.cursors[0], o.cursors[1:]
	}
	return cursor
}

type operationKey struct{}

func operationOf(ctx context.Context) *operation {
	return ctx.Value(operationKey{}).(*operation)
}

func (o *operation) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
}

func (o *operation) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// streaming executes operations for the transports that answer more than once.
type streaming struct {
	Options
	*connections
	present graphql.ErrorPresenterFunc
}

// perform executes one operation and hands on each response. What it returns is what ended it early:
// the errors that the client is to be told of, if any.
func (s streaming) perform(ctx context.Context, exec graphql.GraphExecutor, op *operation, params *graphql.RawParams,
	next func(payload []byte) error) (refused gqlerror.List) {
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(withBudget(context.WithValue(ctx, operationKey{},
		op))))
	defer cancel()
	defer s.recovered(ctx, &refused)
	rc, errs := exec.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		return exec.DispatchError(graphql.WithOperationContext(ctx, rc), s.unsuggested(errs)).Errors
	}
	if rc.Operation.Operation == ast.Mutation && op.readOnly {
		return fail(mutationByGet).Errors
	}
	if rc.Operation.Operation != ast.Subscription {
		return s.once(ctx, exec, rc, next)
	}
	field, refusal := oneStream(rc)
	if refusal != nil {
		return refusal.Errors
	}
	leave, ok := s.account(access.Of(ctx).Token).subscribe(s.MaxTokenSubscriptions)
	if !ok {
		return s.tooManySubscriptions().Errors
	}
	defer leave()
	s.OnStream(field, 1)
	defer s.OnStream(field, -1)
	if !sharedFields[field] {
		return s.feed(ctx, exec, rc, op, next)
	}
	key, err := sharedKey(ctx, rc)
	if err != nil {
		return gqlerror.List{s.present(ctx, err)}
	}
	return s.follow(ctx, key, func(ctx context.Context, tell func([]byte)) (refused gqlerror.List) {
		own := &operation{}
		ctx = withBudget(context.WithValue(ctx, operationKey{}, own))
		defer s.recovered(ctx, &refused)
		return s.feed(ctx, exec, rc, own, func(payload []byte) error {
			tell(payload)
			return nil
		})
	}, next)
}

// recovered returns of a panic: gqlgen recovers in resolvers only.
func (s streaming) recovered(ctx context.Context, refused *gqlerror.List) {
	if cause := recover(); cause != nil {
		*refused = gqlerror.List{s.present(ctx, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))}
	}
}

// once executes a query or mutation.
func (s streaming) once(ctx context.Context, exec graphql.GraphExecutor, rc *graphql.OperationContext,
	next func([]byte) error) gqlerror.List {
	ctx, end := context.WithTimeout(ctx, s.Timeout)
	defer end()
	responses, ctx := exec.DispatchOperation(ctx, rc)
	response := overBudget(ctx, nullWhole(responses(ctx)))
	s.inTime(ctx)
	if len(response.Data) == 0 {
		return response.Errors
	}
	_ = hand(response, next) // the client has gone; nobody is left to tell
	return nil
}

// feed executes a subscription, one answer after another.
func (s streaming) feed(ctx context.Context, exec graphql.GraphExecutor, rc *graphql.OperationContext, op *operation,
	next func([]byte) error) gqlerror.List {
	ctx, cancel := context.WithCancel(ctx)
	op.ready, op.gate = make(chan struct{}, 1), s.account(access.Of(ctx).Token).evaluating
	defer op.answered()
	defer op.readers.Wait()
	defer cancel()
	responses, ctx := exec.DispatchOperation(ctx, rc)
	for {
		op.ready <- struct{}{} // which has room: the last answer has taken it
		response := responses(ctx)
		op.answered()
		if response == nil {
			break
		}
		if len(response.Data) == 0 {
			return response.Errors // it never began
		}
		if hand(overBudget(ctx, response), next) != nil {
			return nil
		}
		ctx.Value(budgetKey{}).(*budget).Store(0) // each response may be as large as an answer may
	}
	if err := op.failed(); err != nil {
		return gqlerror.List{s.present(ctx, err)}
	}
	return nil
}

func hand(response *graphql.Response, next func([]byte) error) error {
	payload, err := json.Marshal(response)
	if err != nil {
		return err
	}
	return next(payload)
}

// oneStream returns the field that a subscription is of; it refuses one that is not of exactly one stream.
func oneStream(rc *graphql.OperationContext) (field string, refusal *graphql.Response) {
	fields := graphql.CollectFields(rc, rc.Operation.SelectionSet, []string{"Subscription"})
	if len(fields) != 1 || strings.HasPrefix(fields[0].Name, "__") {
		return "", fail("a subscription has exactly one field at its root, and not __typename")
	}
	return fields[0].Name, nil
}

// maxErrors is how many errors about a document are told.
const maxErrors = 100

// unsuggested takes out of errors about a document what they tell of the schema: it is not for
// everybody, and gqlgen's switch for it misses arguments and input fields.
func (o Options) unsuggested(errs gqlerror.List) gqlerror.List {
	errs = errs[:min(len(errs), maxErrors)]
	for _, err := range errs {
		if strings.HasPrefix(err.Message, "exceeded token limit") {
			o.OnLimit("HEDDLE_MAX_TOKENS")
		}
		err.Message, _, _ = strings.Cut(err.Message, " Did you mean ")
	}
	return errs
}

// stream starts what feeds a subscription. run sends until it returns or send says that nobody
// listens any more; its error ends the subscription.
func stream[T any](ctx context.Context, run func(ctx context.Context, send func(T) bool) error) <-chan *T {
	op, out := operationOf(ctx), make(chan *T)
	op.readers.Go(func() {
		defer close(out)
		err := run(ctx, func(v T) bool {
			if op.feeding(v); !op.answering(ctx) {
				return false
			}
			select {
			case out <- &v:
				return true
			case <-ctx.Done():
				return false
			}
		})
		if err != nil && ctx.Err() == nil {
			op.fail(err)
		}
	})
	return out
}
