package value

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"heddle/domain/refusal"
)

// Limits bound the memory of a step while it reads and makes values, and its result.
type Limits struct {
	Output int // HEDDLE_MAX_STEP_OUTPUT: bytes of a step's result
	Memory int // HEDDLE_MAX_STEP_MEMORY: bytes of what is read or made for it, as estimated
}

// DefaultLimits are the default limits.
var DefaultLimits = Limits{Output: 64 << 20, Memory: 256 << 20}

// MaxDepth is how deep lists and objects may be nested. It stops a value that contains itself, is far above any
// sane nesting, and below the depth that encoding/json refuses.
const MaxDepth = 1000

type limitsKey struct{}

// WithLimits returns a context in which components work within these limits.
func WithLimits(ctx context.Context, limits Limits) context.Context {
	return context.WithValue(ctx, limitsKey{}, limits)
}

// Budget is the allowance of one use of a component. Bytes from outside are counted against it before they are
// held. After the first refusal it refuses everything, so that a long computation needs to ask only once.
type Budget struct {
	ctx    context.Context
	limits Limits
	held   int
	rest   int // of the bytes to process before the context is checked again
	err    error
}

// look is how many bytes are processed between two checks of the context.
const look = 1 << 20

// NewBudget returns a full budget by the limits of the context, which also ends it.
func NewBudget(ctx context.Context) *Budget {
	limits, ok := ctx.Value(limitsKey{}).(Limits)
	if !ok {
		limits = DefaultLimits
	}
	return &Budget{ctx: ctx, limits: limits}
}

// Err returns the first refusal.
func (b *Budget) Err() error { return b.err }

// fail keeps the first refusal and returns it.
func (b *Budget) fail(err error) error {
	if b.err == nil {
		b.err = err
	}
	return b.err
}

// Spend counts bytes that are processed. It refuses when the context has ended.
func (b *Budget) Spend(n int) error {
	if b.rest -= n; b.rest < 0 && b.err == nil {
		b.rest = look
		if b.ctx.Err() != nil {
			return b.fail(context.Cause(b.ctx))
		}
	}
	return b.err
}

// Hold counts bytes that are about to be held.
func (b *Budget) Hold(n int) error {
	if n > b.limits.Memory-b.held {
		return b.fail(refusal.Exceed("HEDDLE_MAX_STEP_MEMORY",
			"the data takes more than %d bytes of memory: give it in smaller parts, or ask for a higher limit",
			b.limits.Memory))
	}
	b.held += n
	return b.Spend(n)
}

// Room refuses a text of so many bytes if it is larger than a step's result may be.
func (b *Budget) Room(bytes int) error {
	if bytes > b.limits.Output {
		return b.fail(TooLarge(b.limits.Output))
	}
	return b.err
}

// TooLarge refuses a step's result that has more bytes than it may.
func TooLarge(limit int) error {
	return refusal.Exceed("HEDDLE_MAX_STEP_OUTPUT",
		"the result is larger than %d bytes: make it in smaller parts, or ask for a higher limit", limit)
}

// Encode is the function [Encode] within the size of a result.
func (b *Budget) Encode(v any) (json.RawMessage, error) { return b.written(v, true) }

// JSON is the function [JSON] within the size of a result.
func (b *Budget) JSON(v any) ([]byte, error) { return b.written(v, false) }

func (b *Budget) written(v any, marked bool) (json.RawMessage, error) {
	if b.err != nil {
		return nil, b.err
	}
	raw, err := write(v, marked, b.limits.Output)
	if refusal.LimitOf(err) != "" {
		return nil, b.fail(err)
	}
	if over := b.Spend(len(raw)); over != nil {
		return nil, over
	}
	return raw, err
}

// Text is the function [Text] within the size of a result; beyond it, it is empty and the budget refuses.
func (b *Budget) Text(v any) string {
	switch v.(type) {
	case []any, []KeyValue, map[string]any:
		if raw, err := b.JSON(v); err == nil {
			return string(raw)
		}
		if b.err != nil {
			return ""
		}
	}
	return Text(v)
}

// ParseJSON is the function [ParseJSON] within the budget.
func (b *Budget) ParseJSON(raw []byte) (any, error) {
	if err := b.AllowJSON(raw); err != nil {
		return nil, err
	}
	return parseJSON(raw)
}

// AllowJSON refuses JSON that would take too much memory once it was read, or is nested too deep.
func (b *Budget) AllowJSON(raw []byte) error {
	m := MeasureJSON(raw)
	if m.Depth > MaxDepth {
		return b.fail(refusal.New(refusal.Invalid,
			"lists and objects are nested deeper than %d levels; that is more than can be read", MaxDepth))
	}
	return b.Hold(m.Bytes)
}

// Reader returns a reader of a text that ends with the context.
func (b *Budget) Reader(text string) io.Reader { return &budgetReader{b, strings.NewReader(text)} }

type budgetReader struct {
	budget *Budget
	text   *strings.Reader
}

// Read implements [io.Reader].
func (r *budgetReader) Read(p []byte) (int, error) {
	if err := r.budget.Spend(len(p)); err != nil {
		return 0, err
	}
	return r.text.Read(p)
}

// Output collects a text no larger than a step's result may be. It does not write anything beyond that. It
// keeps pieces, so that no more than the text is held until it is complete.
type Output struct {
	budget *Budget
	pieces [][]byte
	size   int
}

// The sizes of an output's first piece and of its largest.
const (
	firstPiece = 512
	lastPiece  = 1 << 20
)

// NewOutput returns an empty text.
func (b *Budget) NewOutput() *Output { return &Output{budget: b} }

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	piece, err := o.piece(len(p))
	if err != nil {
		return 0, err
	}
	*piece = append(*piece, p...)
	return len(p), nil
}

// WriteString implements [io.StringWriter].
func (o *Output) WriteString(s string) (int, error) {
	piece, err := o.piece(len(s))
	if err != nil {
		return 0, err
	}
	*piece = append(*piece, s...)
	return len(s), nil
}

// piece returns one with room for n bytes.
func (o *Output) piece(n int) (*[]byte, error) {
	if n > o.budget.limits.Output-o.size {
		return nil, o.budget.fail(TooLarge(o.budget.limits.Output))
	}
	if err := o.budget.Spend(n); err != nil {
		return nil, err
	}
	o.size += n
	last := len(o.pieces) - 1
	if last < 0 {
		o.pieces, last = append(o.pieces, make([]byte, 0, max(n, firstPiece))), 0
	} else if have := o.pieces[last]; n > cap(have)-len(have) {
		o.pieces, last = append(o.pieces, make([]byte, 0, max(n, min(2*cap(have), lastPiece)))), last+1
	}
	return &o.pieces[last], nil
}

// Result returns the whole text.
func (o *Output) Result() (string, error) {
	if o.budget.err != nil {
		return "", o.budget.err
	}
	var text strings.Builder
	text.Grow(o.size)
	for _, piece := range o.pieces {
		text.Write(piece)
	}
	return text.String(), nil
}
