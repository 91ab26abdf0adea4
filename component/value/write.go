package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"heddle/domain/refusal"
)

// writer writes values as JSON, to the byte as encoding/json does with its HTML escapes off. Every step's
// result goes through it, so it makes no tree for encoding/json first.
type writer struct {
	marked bool // binary data is marked so that it can be read back
	limit  int  // bytes
	out    json.RawMessage
	keys   []string // of the objects under construction, each object's after those of the one around it
}

// writers keeps the memory of writers for the next values.
var writers = sync.Pool{New: func() any { return &writer{} }}

// The most memory that is kept of a writer.
const (
	maxOut  = 64 << 10 // bytes
	maxKeys = 256
)

func write(v any, marked bool, limit int) (json.RawMessage, error) {
	w := writers.Get().(*writer)
	w.marked, w.limit, w.out, w.keys = marked, limit, w.out[:0], w.keys[:0]
	err := w.value(v, 0)
	if err == nil && len(w.out) > limit {
		err = TooLarge(limit)
	}
	out := w.out
	if cap(out) > maxOut {
		w.out = nil // it is no longer the writer's
	} else {
		out = bytes.Clone(out)
	}
	if cap(w.keys) <= maxKeys {
		clear(w.keys[:cap(w.keys)]) // they may be long
		writers.Put(w)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (w *writer) value(v any, depth int) error {
	if depth > MaxDepth {
		return refusal.New(refusal.Invalid, "the value is nested deeper than %d levels or contains itself", MaxDepth)
	}
	if len(w.out) > w.limit { // one value is held by more than one place: written out, it can be any size
		return TooLarge(w.limit)
	}
	switch x := v.(type) {
	case nil:
		w.out = append(w.out, "null"...)
	case bool:
		w.out = strconv.AppendBool(w.out, x)
	case string:
		w.text(x)
	case int64:
		w.out = strconv.AppendInt(w.out, x, 10)
	case int:
		w.out = strconv.AppendInt(w.out, int64(x), 10)
	case float64:
		return w.number(x)
	case []byte:
		w.binary(x)
	case []any:
		return list(w, x, func(e any) error { return w.value(e, depth+1) })
	case []KeyValue:
		return list(w, x, func(e KeyValue) error {
			return w.value(map[string]any{"key": e.Key, "value": e.Value}, depth+1)
		})
	case map[string]any:
		return w.object(x, depth)
	default:
		return refusal.New(refusal.Invalid, "a %T is not a value that steps can pass on", v)
	}
	return nil
}

func (w *writer) number(x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		if w.marked {
			return refusal.New(refusal.Invalid, "%s is not a number that can be kept", numberText(x))
		}
		w.out = append(w.out, "null"...)
		return nil
	}
	if size := math.Abs(x); size == 0 || size >= 1e-6 && size < 1e21 {
		w.out = strconv.AppendFloat(w.out, x, 'f', -1, 64)
		return nil
	}
	w.out = strconv.AppendFloat(w.out, x, 'e', -1, 64)
	if n := len(w.out); w.out[n-4] == 'e' && w.out[n-3] == '-' && w.out[n-2] == '0' { // e-09
		w.out = append(w.out[:n-2], w.out[n-1])
	}
	return nil
}

func (w *writer) binary(x []byte) {
	if !w.marked {
		w.text(textOrBase64(x))
		return
	}
	w.out = append(w.out, `{"`+bytesKey+`":"`...)
	w.out = base64.StdEncoding.AppendEncode(w.out, x)
	w.out = append(w.out, `"}`...)
}

func list[E any](w *writer, elements []E, write func(E) error) error {
	w.out = append(w.out, '[')
	for i, e := range elements {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := write(e); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *writer) object(x map[string]any, depth int) error {
	_, looksMarked := mark(x)
	wrapped := looksMarked && w.marked
	if wrapped {
		w.out = append(w.out, `{"`+objectKey+`":`...)
	}
	from := len(w.keys)
	for key := range x {
		w.keys = append(w.keys, key)
	}
	keys := w.keys[from:]
	slices.Sort(keys)
	w.out = append(w.out, '{')
	for i, key := range keys {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.text(key)
		w.out = append(w.out, ':')
		if err := w.value(x[key], depth+1); err != nil {
			return err
		}
	}
	w.keys = w.keys[:from]
	w.out = append(w.out, '}')
	if wrapped {
		w.out = append(w.out, '}')
	}
	return nil
}

// short are the escapes that have a letter of their own.
var short = [utf8.RuneSelf]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// plain are the bytes that stand for themselves.
var plain = func() (is [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

func (w *writer) text(s string) {
	const hex = "0123456789abcdef"
	w.out = append(w.out, '"')
	from := 0 // start of the unwritten part
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		c, size := utf8.DecodeRuneInString(s[i:])
		invalid := c == utf8.RuneError && size == 1
		if c >= utf8.RuneSelf && c != '\u2028' && c != '\u2029' && !invalid {
			i += size
			continue
		}
		w.out = append(w.out, s[from:i]...)
		if c < utf8.RuneSelf && short[c] != 0 {
			w.out = append(w.out, '\\', short[c])
		} else {
			w.out = append(w.out, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		}
		i += size
		from = i
	}
	w.out = append(append(w.out, s[from:]...), '"')
}
