package builtin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMessagePack(t *testing.T) {
	file := func(b ...byte) map[string]any {
		return map[string]any{"data": b, "contentType": "application/msgpack"}
	}
	m := func(b ...byte) map[string]any { return in("message", b) }
	try(t, "messagepack", []row{
		{"decodeMessage", m(0x82, 0xa1, 'a', 0x93, 0x01, 0xc0, 0xc3, 0x02, 0xc4, 0x01, 0xff),
			map[string]any{"a": []any{1.0, nil, true}, "2": []byte{0xff}}, ""},
		{"decodeMessage", in("message", file(0xe0)), -32.0, ""},
		{"decodeMessage", m(0xcd, 0x01, 0x00), 256.0, ""}, {"decodeMessage", m(0xd1, 0xff, 0xfe), -2.0, ""},
		{"decodeMessage", m(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), -1.0, ""},
		{"decodeMessage", m(0xca, 0x3f, 0x80, 0, 0), 1.0, ""}, {"decodeMessage", m(0xd9, 0x02, 'h', 'i'), "hi", ""},
		{"decodeMessage", m(0xdc, 0x00, 0x01, 0xc2), []any{false}, ""},
		{"decodeMessage", m(0xd4, 0x05, 0x06), []byte{5, 6}, ""}, {"decodeMessage", m(0xc1), nil, "no kind of value"},
		{"decodeMessage", m(0x92, 0x01), nil, "unexpected EOF"}, {"decodeMessage", m(0xdd, 0xff, 0xff, 0xff, 0xff), nil,
			"unexpected EOF"}, {"decodeMessage", m(0xdb, 0xff, 0xff, 0xff, 0xff), nil, "unexpected EOF"},
		{"decodeMessage", m(0x01, 0x01), nil, "more behind its end"},
		{"decodeMessage", in("message", strings.Repeat("\x91", 1000)), nil, "too deep"},
		{"decodeMessage", in("message", []any{}), nil, "must be binary data"},
		{"encodeMessage", in("data", map[string]any{"b": []any{-1.0, 200.0}, "a": "x"}),
			file(0x82, 0xa1, 'a', 0xa1, 'x', 0xa1, 'b', 0x92, 0xff, 0xd3, 0, 0, 0, 0, 0, 0, 0, 200), ""},
		{"encodeMessage", in("data", []any{make(chan int)}), nil, "a chan int has no MessagePack"},
	})
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.StringN(0, 400, -1), func(v string) any { return v }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 300), func(v []byte) any { return v }))
	values := rapid.Map(rapid.MapOfN(rapid.String(),
		rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(leaf, 0, 20), func(v []any) any { return v })), 0, 20),
		func(v map[string]any) any { return v })
	rapid.Check(t, func(rt *rapid.T) {
		v := values.Draw(rt, "value")
		packed, err := newStep(t).perform("messagepack", "encodeMessage", in("data", v))
		if err != nil {
			rt.Fatal(err)
		}
		back, err := newStep(t).perform("messagepack", "decodeMessage", in("message", packed.Data))
		if diff := cmp.Diff(v, back.Data); diff != "" || err != nil {
			rt.Fatal(err, diff)
		}
	})
}
