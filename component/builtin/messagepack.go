package builtin

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"slices"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func init() {
	register(component.Component{
		Key: "messagepack", Label: "MessagePack", Category: "Data",
		Description: "Reads and writes MessagePack, a compact form of data.", Actions: []component.Action{
			component.NewAction("decodeMessage", "Decode",
				"Reads a MessagePack message. Keys become text; extensions are binary data.",
				pure(func(budget *value.Budget, in messageInputs) (any, error) {
					text, rest, isText := textOf(in.Message)
					if !isText {
						return nil, refusal.ForField(refusal.Invalid, "message", "Message must be binary data, not %s",
							shape(rest))
					}
					r := &packReader{rest: text, budget: budget}
					value, err := r.value(0)
					if err == nil && r.rest != "" {
						err = errors.New("there is more behind its end")
					}
					if err != nil {
						return nil, refusal.ForField(refusal.Invalid, "message", "Message is not MessagePack: %v", err)
					}
					return value, nil
				})),
			component.NewAction("encodeMessage", "Encode",
				"Writes data as a MessagePack message, which is binary data. Keys are in alphabetical order.",
				pure(func(budget *value.Budget, in packInputs) (any, error) {
					w := packWriter{budget: budget}
					err := w.value(in.Data, 0)
					return map[string]any{"data": w.out, "contentType": "application/msgpack"}, err
				})),
		},
	})
}

type messageInputs struct {
	Message any `key:"message" label:"Message" required:"true" doc:"Binary data, or a file with data and contentType."`
}

type packInputs struct {
	Data any `key:"data" label:"Data" doc:"The value to write."`
}

const maxPackDepth = 500

var errPackDepth = errors.New("it is nested too deep")

type packReader struct {
	rest   string
	budget *value.Budget
	owed   int // bytes that lists and objects under construction still need, at least
}

// value reads one value; the first byte is its kind, and often its size.
func (r *packReader) value(depth int) (any, error) {
	first, err := r.take(1)
	if err != nil {
		return nil, err
	}
	if depth > maxPackDepth {
		return nil, errPackDepth
	}
	head := first[0]
	switch {
	case head < 0x80 || head >= 0xe0:
		return float64(int8(head)), nil
	case head < 0x90:
		return r.object(int(head&0x0f), depth)
	case head < 0xa0:
		return r.list(int(head&0x0f), depth)
	case head < 0xc0:
		return r.text(int(head & 0x1f))
	case head >= 0xcc && head <= 0xcf:
		n, err := r.number(1 << (head - 0xcc))
		return float64(n), err
	case head >= 0xd0 && head <= 0xd3:
		size := 1 << (head - 0xd0)
		n, err := r.number(size)
		return float64(int64(n<<(64-8*size)) >> (64 - 8*size)), err
	case head >= 0xd4 && head <= 0xd8:
		return r.bytes(1<<(head-0xd4) + 1) // an extension's type and data
	}
	return r.sized(head, depth)
}

func (r *packReader) sized(head byte, depth int) (any, error) {
	switch head {
	case 0xc0:
		return nil, nil
	case 0xc2, 0xc3:
		return head == 0xc3, nil
	case 0xca:
		n, err := r.number(4)
		return float64(math.Float32frombits(uint32(n))), err
	case 0xcb:
		n, err := r.number(8)
		return math.Float64frombits(n), err
	}
	width := packWidths[head]
	if width == 0 {
		return nil, errors.New("a byte stands for no kind of value")
	}
	n, err := r.number(width)
	if err != nil {
		return nil, err
	}
	switch {
	case head <= 0xc6:
		return r.bytes(int(n))
	case head <= 0xc9:
		return r.bytes(int(n) + 1)
	case head <= 0xdb:
		return r.text(int(n))
	case head <= 0xdd:
		return r.list(int(n), depth)
	}
	return r.object(int(n), depth)
}

// packWidths are the bytes of the size of a value of each kind that has any size.
var packWidths = [256]int{
	0xc4: 1, 0xc5: 2, 0xc6: 4, 0xc7: 1, 0xc8: 2, 0xc9: 4, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4,
}

// take returns the next n bytes.
func (r *packReader) take(n int) (string, error) {
	if n > len(r.rest) {
		return "", io.ErrUnexpectedEOF
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken, nil
}

func (r *packReader) number(width int) (n uint64, err error) {
	taken, err := r.take(width)
	for i := range len(taken) {
		n = n<<8 | uint64(taken[i])
	}
	return n, err
}

func (r *packReader) bytes(n int) ([]byte, error) {
	taken, err := r.take(n)
	if err == nil {
		err = r.budget.Hold(value.ListBytes + n)
	}
	if err != nil {
		return nil, err
	}
	return []byte(taken), nil
}

func (r *packReader) text(n int) (any, error) {
	taken, err := r.take(n)
	if err == nil {
		err = r.budget.Hold(value.TextBytes) // its bytes are those of the message
	}
	return taken, err
}

// owe notes that n values are to come, each of which takes a byte at least. If the size of each list were
// believed on its own, nested ones could claim all the rest again and again.
func (r *packReader) owe(n, bytes int) error {
	if r.owed += n; r.owed > len(r.rest) {
		return io.ErrUnexpectedEOF
	}
	return r.budget.Hold(bytes)
}

func (r *packReader) list(n, depth int) (any, error) {
	if err := r.owe(n, value.ListBytes+n*value.SlotBytes); err != nil {
		return nil, err
	}
	list := make([]any, n)
	for i := range list {
		var err error
		r.owed--
		if list[i], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *packReader) object(n, depth int) (any, error) {
	if err := r.owe(2*n, value.ObjectBytes(n)); err != nil {
		return nil, err
	}
	object := make(map[string]any, n)
	for range n {
		r.owed--
		key, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		switch key.(type) {
		case []any, map[string]any: // their text inside other text would double at each level
			return nil, errors.New("a key is a list or an object; only text, numbers and the like can be keys")
		}
		r.owed--
		if object[value.Text(key)], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// packWriter writes values in the shortest form of each kind, integers as such.
type packWriter struct {
	budget *value.Budget
	out    []byte
}

func (w *packWriter) value(v any, depth int) error {
	if depth > maxPackDepth {
		return refusal.ForField(refusal.Invalid, "data", "Data is nested deeper than %d", maxPackDepth)
	}
	if err := cmp.Or(w.budget.Room(len(w.out)), w.budget.Spend(1)); err != nil {
		return err
	}
	switch x := plain(v).(type) {
	case nil:
		w.out = append(w.out, 0xc0)
	case bool:
		w.out = append(w.out, map[bool]byte{false: 0xc2, true: 0xc3}[x])
	case float64:
		w.number(x)
	case string:
		w.head(len(x), 0xa0, 32, 0xd9, 0xda, 0xdb)
		w.out = append(w.out, x...)
	case []byte:
		w.head(len(x), 0, 0, 0xc4, 0xc5, 0xc6)
		w.out = append(w.out, x...)
	case []any:
		w.head(len(x), 0x90, 16, 0, 0xdc, 0xdd)
		for _, element := range x {
			if err := w.value(element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		w.head(len(x), 0x80, 16, 0, 0xde, 0xdf)
		for _, key := range slices.Sorted(maps.Keys(x)) {
			if err := errors.Join(w.value(key, depth+1), w.value(x[key], depth+1)); err != nil {
				return err
			}
		}
	default:
		return refusal.ForField(refusal.Invalid, "data", "a %T has no MessagePack", v)
	}
	return nil
}

func (w *packWriter) number(x float64) {
	switch {
	case x != math.Trunc(x) || math.Abs(x) > 1<<53 || x == 0 && math.Signbit(x):
		w.out = binary.BigEndian.AppendUint64(append(w.out, 0xcb), math.Float64bits(x))
	case x >= -32 && x < 128:
		w.out = append(w.out, byte(int8(x)))
	default:
		w.out = binary.BigEndian.AppendUint64(append(w.out, 0xd3), uint64(int64(x)))
	}
}

// head writes the kind and size: in one byte below a limit, else with the size in 1, 2 or 4 more. A kind of 0
// does not exist.
func (w *packWriter) head(n int, short byte, limit int, kind8, kind16, kind32 byte) {
	switch {
	case n < limit:
		w.out = append(w.out, short|byte(n))
	case n < 1<<8 && kind8 != 0:
		w.out = append(w.out, kind8, byte(n))
	case n < 1<<16:
		w.out = binary.BigEndian.AppendUint16(append(w.out, kind16), uint16(n))
	default:
		w.out = binary.BigEndian.AppendUint32(append(w.out, kind32), uint32(n))
	}
}
