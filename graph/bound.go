package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
)

// maxAnswer is how many fields the lists of an answer may have in all. Lists inside lists multiply:
// six of them, within every limit of the document, come to 10^12.
const maxAnswer = 100_000

// spent counts the fields of an answer's lists.
type spent struct{ atomic.Int64 }

type spentKey struct{}

var errTooMuch = errors.New("the answer is too large")

// bounded gives a request its count.
func bounded(ctx context.Context) context.Context {
	return context.WithValue(ctx, spentKey{}, new(spent))
}

func (s *spent) over() bool { return s.Load() > maxAnswer }

// bound counts each list before its elements are resolved. Once there are too many, nothing more is.
func bound(ctx context.Context, next graphql.Resolver) (any, error) {
	s := ctx.Value(spentKey{}).(*spent)
	if s.over() {
		return nil, errTooMuch
	}
	v, err := next(ctx)
	if err != nil {
		return nil, err
	}
	if page, ok := v.(interface{ size() int }); ok { // it took work to make, even if none of it is looked at
		s.Add(int64(page.size()))
	} else if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
		s.Add(int64(list.Len() * max(1, len(graphql.GetFieldContext(ctx).Field.Selections))))
	}
	if s.over() {
		return nil, errTooMuch
	}
	return v, nil
}

func (p *Page[T]) size() int { return len(p.Nodes) }

// enough answers once for all that was not resolved.
func enough(ctx context.Context, response *graphql.Response) *graphql.Response {
	if !ctx.Value(spentKey{}).(*spent).over() {
		return response
	}
	refusal := fail(fmt.Sprintf("the answer has more than %d fields; ask for fewer elements with first, or for the lists one by one", maxAnswer))
	refusal.Data = json.RawMessage("null")
	return refusal
}
