package builtin

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"heddle/component"
)

func TestMath(t *testing.T) {
	n := func(v any) map[string]any { return in("number", v) }
	list := func(v ...any) map[string]any { return in("numbers", v) }
	try(t, "math", []row{
		{"add", list("1", 2.5, -1.0), 2.5, ""},
		{"add", list("007", ".5", "+0x10", " 1. "), nil, `element 2 is "+0x10", not a number`}, // as JavaScript has it
		{"add", list("007", ".5", "0x10", " 1. "), 24.5, ""},
		{"add", list([]any{1.0, "2"}), 3.0, ""},
		{"add", list(""), nil, `element 0 is "", not a number`},
		{"add", list(), 0.0, ""},
		{"add", in("numbers", ""), 0.0, ""},
		{"add", list("x"), nil, `numbers: element 0 is "x", not a number`},
		{"add", in("numbers", 5.0), nil, "a list is needed"},
		{"subtract", list(5.0, 2.0, 1.0), 2.0, ""},
		{"multiply", list(5.0, "2"), 10.0, ""},
		{"divide", list(9.0, 2.0), 4.5, ""},
		{"divide", list(9.0, 0.0), nil, ""},
		{"max", in("numbers", []any{1.0}, "dynamicNumbers", "[3, 9]"), 9.0, ""},
		{"max", list(), nil, ""},
		{"min", list(3.0, -9.0), -9.0, ""},
		{"hypot", list(3.0, 4.0), 5.0, ""},
		{"abs", n("-2"), 2.0, ""},
		{"abs", n("two"), nil, "must be a number"},
		{"abs", n(""), nil, "Number is required"},
		{"ceil", n(1.2), 2.0, ""}, {"floor", n(-1.2), -2.0, ""}, {"trunc", n(-1.7), -1.0, ""},
		{"round", n(2.5), 3.0, ""}, {"round", n(-2.5), -2.0, ""}, {"round", n(0.49999999999999994), 0.0, ""},
		{"fround", n(5.5), 5.5, ""}, {"cbrt", n(27.0), 3.0, ""}, {"sqrt", n(-1.0), nil, ""}, {"sqrt", n(9.0), 3.0, ""},
		{"exp", n(0.0), 1.0, ""}, {"naturalLog", n(1.0), 0.0, ""}, {"naturalLog", n(0.0), nil, ""},
		{"sin", n(0.0), 0.0, ""}, {"cos", n(0.0), 1.0, ""}, {"tan", n(0.0), 0.0, ""}, {"asin", n(0.0), 0.0, ""}, {"acos", n(1.0), 0.0, ""}, {"atan", n(0.0), 0.0, ""},
		{"sinh", n(0.0), 0.0, ""}, {"cosh", n(0.0), 1.0, ""}, {"tanh", n(0.0), 0.0, ""}, {"asinh", n(0.0), 0.0, ""}, {"acosh", n(1.0), 0.0, ""}, {"atanh", n(0.0), 0.0, ""},
		{"log", in("number", 8.0, "base", "2"), 3.0, ""},
		{"log", in("number", 100.0, "base", ""), 2.0, ""},
		{"pow", in("base", "2", "exponent", "10"), 1024.0, ""},
		{"random", in("min", 2.0, "max", 2.0), 2.0, ""},
		{"random", in("min", 2.0, "max", 1.0), nil, "Max must not be less"},
		{"randomInt", in("min", 7.0, "max", 7.0), 7.0, ""},
		{"randomInt", in("min", 7.5, "max", 8.0), nil, "whole numbers"},
		{"randomInt", in("min", 2.0, "max", 1.0), nil, "Max must not be less"},
		{"evaluate", in("expression", "Math.toMath.constructor"), nil, "may hold numbers"},
		{"evaluate", in("expression", "process.exit()"), nil, "may hold numbers"}, // the rest is tested where the script engine is
	})
}

func TestDateTime(t *testing.T) {
	d := func(v any, more ...any) map[string]any { return in(append([]any{"dateTimeInput", v}, more...)...) }
	synctest.Test(t, func(t *testing.T) {
		try(t, "datetime", []row{
			{"adjustDateTime", d("2026-01-31T12:00:00Z", "daysInput", "7", "hoursInput", "-12", "minutesInput", "", "secondsInput", "1.5"), "2026-02-07T00:00:01.500Z", ""},
			{"adjustDateTime", d("never"), nil, `dateTimeInput: "never" is no date`},
			{"adjustDateTime", d("2026-01-01", "daysInput", "1e6"), nil, "250 years"},
			{"convertToISOString", d("2026-01-01T12:00:00+02:00"), "2026-01-01T10:00:00.000Z", ""},
			{"convertToISOString", d(0.5), "1970-01-01T00:00:00.500Z", ""},
			{"convertToLocalISOString", d("2026-07-01T12:00:00Z", "timezoneInput", "Europe/Berlin"), "2026-07-01T14:00:00.000+02:00", ""},
			{"convertToLocalISOString", d("2026-07-01", "timezoneInput", "Middle/Earth"), nil, "timezoneInput: there is no time zone"},
			{"convertToEpoch", d("1970-01-01T00:00:01.5Z"), 1500.0, ""},
			{"convertToEpoch", d("1970-01-01T00:00:01.5Z", "displayEpochInSeconds", "true"), 1.0, ""},
			{"convertFromEpoch", in("epochInput", "1500"), "1970-01-01T00:00:01.500Z", ""},
			{"convertFromEpoch", in("epochInput", 2.0, "epochInSeconds", true), "1970-01-01T00:00:02.000Z", ""},
			{"convertFromEpoch", in("epochInput", 1e11, "epochInSeconds", true), "5138-11-16T09:46:40.000Z", ""},
			{"convertFromEpoch", in("epochInput", 1e300), nil, "epochInput"},
			{"formatDateTime", d("2026-01-02T15:04:05.006Z", "timezoneInput", "etc/UTC"), "2026-01-02T15:04:05.006+00:00", ""},
			{"formatDateTime", d("2026-01-02T15:04:05Z", "formatInput", "DD.MM.YYYY hh:mm A, ok"), "02.01.2026 03:04 PM, ok", ""},
			{"formatDateTime", d("2026-01-02T15:04:05Z", "formatInput", "dddd, MMMM D, YY [at] h:m a; ddd d/M H:s yyyy-MM-dd"), "Friday, January 2, 26 at 3:4 pm; Fri d/1 15:5 2026-01-02", ""},
			{"getCurrentDateTime", nil, "2000-01-01T00:00:00.000Z", ""},
			{"getCurrentDateTime", in("displayEpochInSeconds", "true"), 946684800.0, ""},
		})
	})
}

func TestCSV(t *testing.T) {
	try(t, "csv", []row{
		{"parse", in("csv", "a;b\n\"1;\";2\n", "delimiter", ";"), []any{[]any{"a", "b"}, []any{"1;", "2"}}, ""},
		{"parse", in("csv", map[string]any{"data": []byte("a\tb"), "contentType": "text/csv"}, "delimiter", `\t`), []any{[]any{"a", "b"}}, ""},
		{"parse", in("csv", "a\n1", "ignoreHeaders", "true"), []any{[]any{"1"}}, ""},
		{"parse", in("csv", `a"b`), nil, "csv: this is not CSV"},
		{"parse", in("csv", "a", "delimiter", "ab"), nil, "one character"},
		{"generateFromObject", in("inputArray", []any{map[string]any{"b": 1.0, "a": "x,y"}, map[string]any{"c": nil}}), "a,b,c\n\"x,y\",1,\n,,\n", ""},
		{"generateFromObject", in("inputArray", `[{"a":1}]`, "includeHeader", "false", "delimiter", ";"), "1\n", ""},
		{"generateFromObject", in("inputArray", []any{}), "", ""},
		{"generateFromObject", in("inputArray", []any{[]any{"a"}, []any{""}, []any{nil}, []any{"b"}}), "a\n\"\"\n\"\"\nb\n", ""},
		{"generateFromObject", in("inputArray", "x"), nil, "inputArray: a list is needed"},
		{"generateFromObject", in("inputArray", []any{}, "delimiter", `"`), nil, "one character"},
	})
}

func TestUUID(t *testing.T) {
	try(t, "uuid", []row{{"emptyUuid", nil, "00000000-0000-0000-0000-000000000000", ""}, {"generateUuid", in("uuidCase", "mixed"), nil, "must be one of"}})
	for inputs, length := range map[string]int{"lower": 36, "upper": 32} {
		got, err := newStep(t).perform("uuid", "generateUuid", in("uuidCase", inputs, "removeDashes", length == 32))
		text, _ := got.Data.(string)
		if _, bad := uuid.Parse(text); bad != nil || err != nil || len(text) != length || text != map[string]string{"lower": strings.ToLower(text), "upper": strings.ToUpper(text)}[inputs] {
			t.Errorf("%s: got %v, %v", inputs, got.Data, err)
		}
	}
}

func TestMessagePack(t *testing.T) {
	file := func(b ...byte) map[string]any {
		return map[string]any{"data": b, "contentType": "application/msgpack"}
	}
	m := func(b ...byte) map[string]any { return in("message", b) }
	try(t, "messagepack", []row{
		{"decodeMessage", m(0x82, 0xa1, 'a', 0x93, 0x01, 0xc0, 0xc3, 0x02, 0xc4, 0x01, 0xff), map[string]any{"a": []any{1.0, nil, true}, "2": []byte{0xff}}, ""},
		{"decodeMessage", in("message", file(0xe0)), -32.0, ""},
		{"decodeMessage", m(0xcd, 0x01, 0x00), 256.0, ""}, {"decodeMessage", m(0xd1, 0xff, 0xfe), -2.0, ""}, {"decodeMessage", m(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), -1.0, ""},
		{"decodeMessage", m(0xca, 0x3f, 0x80, 0, 0), 1.0, ""}, {"decodeMessage", m(0xd9, 0x02, 'h', 'i'), "hi", ""}, {"decodeMessage", m(0xdc, 0x00, 0x01, 0xc2), []any{false}, ""},
		{"decodeMessage", m(0xd4, 0x05, 0x06), []byte{5, 6}, ""},
		{"decodeMessage", m(0xc1), nil, "no kind of value"}, {"decodeMessage", m(0x92, 0x01), nil, "unexpected EOF"}, {"decodeMessage", m(0xdd, 0xff, 0xff, 0xff, 0xff), nil, "unexpected EOF"},
		{"decodeMessage", m(0xdb, 0xff, 0xff, 0xff, 0xff), nil, "unexpected EOF"}, {"decodeMessage", m(0x01, 0x01), nil, "more behind its end"},
		{"decodeMessage", in("message", strings.Repeat("\x91", 1000)), nil, "too deep"}, {"decodeMessage", in("message", []any{}), nil, "must be binary data"},
		{"encodeMessage", in("data", map[string]any{"b": []any{-1.0, 200.0}, "a": "x"}), file(0x82, 0xa1, 'a', 0xa1, 'x', 0xa1, 'b', 0x92, 0xff, 0xd3, 0, 0, 0, 0, 0, 0, 0, 200), ""},
		{"encodeMessage", in("data", []any{make(chan int)}), nil, "a chan int has no MessagePack"},
	})
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(v bool) any { return v }), rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.StringN(0, 400, -1), func(v string) any { return v }), rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 300), func(v []byte) any { return v }))
	values := rapid.Map(rapid.MapOfN(rapid.String(), rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(leaf, 0, 20), func(v []any) any { return v })), 0, 20), func(v map[string]any) any { return v })
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

// The engine is the worker's, where templates are tested.
func TestLiquidTemplate(t *testing.T) {
	s := newStep(t)
	s.script = func(call component.ScriptCall) (any, error) { return call.Args, nil }
	got, err := s.perform("liquid-template", "transform", in("data", `{"a":1}`, "liquidTemplate", "{{ a }}"))
	if diff := cmp.Diff([]any{"{{ a }}", map[string]any{"a": 1.0}}, got.Data); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
