package value

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// AppendMessagePack writes one of the values that steps pass on. Whole numbers become integers, since
// clients tell them apart; keys are in order, so that the same value has the same bytes.
func AppendMessagePack(b []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(b, 0xc0), nil
	case bool:
		if x {
			return append(b, 0xc3), nil
		}
		return append(b, 0xc2), nil
	case float64:
		return appendNumber(b, x), nil
	case string:
		return append(appendHead(b, len(x), 0xa0, 32, 0xd9), x...), nil
	case []byte:
		return append(appendHead(b, len(x), 0, 0, 0xc4), x...), nil
	case []any:
		b = appendHead(b, len(x), 0x90, 16, 0xdb)
		var err error
		for i := 0; i < len(x) && err == nil; i++ {
			b, err = AppendMessagePack(b, x[i])
		}
		return b, err
	case map[string]any:
		b = appendHead(b, len(x), 0x80, 16, 0xdd)
		for _, key := range slices.Sorted(maps.Keys(x)) {
			var err error
			if b, err = AppendMessagePack(b, key); err == nil {
				b, err = AppendMessagePack(b, x[key])
			}
			if err != nil {
				return b, err
			}
		}
		return b, nil
	}
	return b, fmt.Errorf("a %T has no MessagePack form", v)
}

func appendNumber(b []byte, x float64) []byte {
	switch {
	case x != math.Trunc(x) || math.Abs(x) > 1<<53:
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(x))
	case x >= 0 && x < 128, x < 0 && x >= -32:
		return append(b, byte(int8(x)))
	case math.Abs(x) < 1<<31:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(int32(x)))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(int64(x)))
}

// appendHead writes a type and a length: in one byte with the short type if the length is below
// shorter, else after the long type. Lists and maps have no form with a length of one byte, so their
// long type is one before that with two.
func appendHead(b []byte, n int, short byte, shorter int, long byte) []byte {
	switch {
	case n < shorter:
		return append(b, short|byte(n))
	case n <= math.MaxUint8 && long != 0xdb && long != 0xdd:
		return append(b, long, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, long+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, long+2), uint32(n))
}
