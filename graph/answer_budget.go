package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// maxAnswer is how many fields the lists of an answer may have in all. Lists inside lists multiply:
// six of them, within every limit of the document, come to 10^12. What takes longer to make than to show
// counts for more: a field stands for about 5 µs.
const (
	maxAnswer  = 100_000
	listFields = 20   // of any list
	textBytes  = 40   // of a definition that is written, for each field
	readFields = 100  // of a definition that is read, and more for each part
	partFields = 4    // of a part of a definition that is read or compared
	longBytes  = 1024 // of any text, for each field
)

// budget counts the fields of an answer's lists.
type budget struct {
	atomic.Int64
	labouring sync.Mutex
}

type budgetKey struct{}

var errTooMuch = errors.New("the answer is too large")

// withBudget returns a context in which the fields of an answer are counted.
func withBudget(ctx context.Context) context.Context {
	return context.WithValue(ctx, budgetKey{}, new(budget))
}

func (s *budget) exceeded() bool { return s.Load() > maxAnswer }

// charge does work that counts for as many fields as it says: one after another for each request, so that
// nothing more is begun once there was too much. Mutations are not cut off midway.
func charge[T any](ctx context.Context, work func() (v T, fields int, err error)) (v T, err error) {
	s, counted := ctx.Value(budgetKey{}).(*budget)
	if !counted || graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		v, _, err = work()
		return v, err
	}
	s.labouring.Lock()
	defer s.labouring.Unlock()
	if s.exceeded() {
		return v, errTooMuch
	}
	v, fields, err := work()
	if s.Add(int64(fields)); err == nil && s.exceeded() {
		err = errTooMuch
	}
	return v, err
}

// limitAnswer counts each list before its elements are resolved. Once there are too many, nothing more is.
func limitAnswer(ctx context.Context, next graphql.Resolver) (any, error) {
	s := ctx.Value(budgetKey{}).(*budget)
	if s.exceeded() {
		return nil, errTooMuch
	}
	v, err := next(ctx)
	if err != nil {
		return nil, err
	}
	if page, ok := v.(interface{ size() int }); ok { // it took work to make, even if none of it is looked at
		s.Add(int64(listFields + page.size()))
	} else if text, ok := v.(string); ok {
		s.Add(int64(len(text) / longBytes))
	} else if text, ok := v.(*string); ok && text != nil {
		s.Add(int64(len(*text) / longBytes))
	} else if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
		s.Add(int64(list.Len() * max(1, len(graphql.GetFieldContext(ctx).Field.Selections))))
	}
	if s.exceeded() {
		return nil, errTooMuch
	}
	return v, nil
}

func (p *Page[T]) size() int { return len(p.Nodes) }

// overBudget answers once for all that was not resolved.
func overBudget(ctx context.Context, response *graphql.Response) *graphql.Response {
	if !ctx.Value(budgetKey{}).(*budget).exceeded() {
		return response
	}
	refusal := fail(fmt.Sprintf("the answer has more than %d fields or %d bytes of text; ask for fewer elements with first, for the lists one by one, "+
		"or for large results by their resultsUrl", maxAnswer, maxAnswer*longBytes))
	refusal.Data = json.RawMessage("null")
	return refusal
}
