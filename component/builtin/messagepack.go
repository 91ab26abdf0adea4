package builtin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"slices"

	"heddle/component"
	"heddle/domain"
)

func init() {
	register(component.Component{
		Key: "messagepack", Label: "MessagePack", Category: "Data", Description: "Reads and writes MessagePack, a compact form of data.",
		Actions: []component.Action{
			component.NewAction("decodeMessage", "Decode", "Reads a MessagePack message. Keys become text; extensions are binary data.", pure(func(in messageInputs) (any, error) {
				text, rest, isText := textOf(in.Message)
				if !isText {
					return nil, domain.RefuseField(domain.Invalid, "message", "Message must be binary data, not %s", shape(rest))
				}
				r := packReader{bytes.NewReader([]byte(text))}
				value, err := r.value(0)
				if err == nil && r.Len() > 0 {
					err = errors.New("there is more behind its end")
				}
				if err != nil {
					return nil, domain.RefuseField(domain.Invalid, "message", "Message is not MessagePack: %v", err)
				}
				return value, nil
			})),
			component.NewAction("encodeMessage", "Encode", "Writes data as a MessagePack message, which is binary data. Keys are in alphabetical order.", pure(func(in packInputs) (any, error) {
				var b bytes.Buffer
				err := pack(&b, in.Data, 0)
				return map[string]any{"data": b.Bytes(), "contentType": "application/msgpack"}, err
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

type packReader struct{ *bytes.Reader }

// value reads one value; the first byte tells its kind, and often its size.
func (r packReader) value(depth int) (any, error) {
	head, err := r.ReadByte()
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if depth > maxPackDepth {
		return nil, errPackDepth
	}
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

func (r packReader) sized(head byte, depth int) (any, error) {
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
	widths := map[byte]int{0xc4: 1, 0xc5: 2, 0xc6: 4, 0xc7: 1, 0xc8: 2, 0xc9: 4, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4}
	width, known := widths[head]
	if !known {
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

func (r packReader) number(width int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[8-width:]); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

func (r packReader) bytes(n int) ([]byte, error) {
	if n > r.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func (r packReader) text(n int) (any, error) {
	b, err := r.bytes(n)
	return string(b), err
}

func (r packReader) list(n, depth int) (any, error) {
	if n > r.Len() { // each element takes a byte at least
		return nil, io.ErrUnexpectedEOF
	}
	list := make([]any, n)
	for i := range list {
		var err error
		if list[i], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r packReader) object(n, depth int) (any, error) {
	if n > r.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	object := make(map[string]any, n)
	for range n {
		key, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if object[component.Text(key)], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// pack writes a value in the shortest form that its kind has, whole numbers as such.
func pack(b *bytes.Buffer, v any, depth int) error {
	if depth > maxPackDepth {
		return domain.RefuseField(domain.Invalid, "data", "Data is nested deeper than %d", maxPackDepth)
	}
	switch x := unquotedList(v).(type) {
	case nil:
		b.WriteByte(0xc0)
	case bool:
		b.WriteByte(map[bool]byte{false: 0xc2, true: 0xc3}[x])
	case float64:
		packNumber(b, x)
	case string:
		packHead(b, len(x), 0xa0, 32, 0xd9, 0xda, 0xdb)
		b.WriteString(x)
	case []byte:
		packHead(b, len(x), 0, 0, 0xc4, 0xc5, 0xc6)
		b.Write(x)
	case []any:
		packHead(b, len(x), 0x90, 16, 0, 0xdc, 0xdd)
		for _, element := range x {
			if err := pack(b, element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		packHead(b, len(x), 0x80, 16, 0, 0xde, 0xdf)
		for _, key := range slices.Sorted(maps.Keys(x)) {
			if err := errors.Join(pack(b, key, depth+1), pack(b, x[key], depth+1)); err != nil {
				return err
			}
		}
	default:
		return domain.RefuseField(domain.Invalid, "data", "a %T has no MessagePack", v)
	}
	return nil
}

func packNumber(b *bytes.Buffer, x float64) {
	switch {
	case x != math.Trunc(x) || math.Abs(x) > 1<<53 || x == 0 && math.Signbit(x):
		b.WriteByte(0xcb)
		_ = binary.Write(b, binary.BigEndian, x) // a buffer takes everything
	case x >= -32 && x < 128:
		b.WriteByte(byte(int8(x)))
	default:
		b.WriteByte(0xd3)
		_ = binary.Write(b, binary.BigEndian, int64(x))
	}
}

// packHead writes the kind and size: in one byte below a limit, else with the size in 1, 2 or 4 more. A
// kind of 0 does not exist.
func packHead(b *bytes.Buffer, n int, short byte, limit int, kind8, kind16, kind32 byte) {
	switch {
	case n < limit:
		b.WriteByte(short | byte(n))
	case n < 1<<8 && kind8 != 0:
		b.Write([]byte{kind8, byte(n)})
	case n < 1<<16:
		b.WriteByte(kind16)
		_ = binary.Write(b, binary.BigEndian, uint16(n))
	default:
		b.WriteByte(kind32)
		_ = binary.Write(b, binary.BigEndian, uint32(n))
	}
}
