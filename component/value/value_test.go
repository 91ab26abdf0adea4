package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heddle/domain/refusal"
)

// values draws any value of the model, with the codec's own keys more often than chance would.
func values() *rapid.Generator[any] {
	key := rapid.OneOf(rapid.SampledFrom([]string{bytesKey, objectKey, "data", "a"}), rapid.String())
	leaf := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(v []byte) any { return v }),
	)
	var deep func(n int) *rapid.Generator[any]
	deep = func(n int) *rapid.Generator[any] {
		if n == 0 {
			return leaf
		}
		inner := deep(n - 1)
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(v []any) any { return v }),
			rapid.Map(rapid.MapOfN(key, inner, 0, 3), func(v map[string]any) any { return v }),
		)
	}
	return deep(4)
}

func TestValuesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values().Draw(t, "value")
		raw, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(v, got); diff != "" {
			t.Fatalf("%s: %s", raw, diff)
		}
	})
}

func TestEncode(t *testing.T) {
	for want, v := range map[string]any{
		`{"$bytes":"AP8="}`:                         []byte{0, 255},
		`{"$bytes":""}`:                             []byte(nil),
		`{"$object":{"$bytes":"x"}}`:                map[string]any{"$bytes": "x"},
		`{"$object":{"$object":{"$bytes":"AA=="}}}`: map[string]any{"$object": []byte{0}},
		`{"$bytes":"x","a":1}`:                      map[string]any{"$bytes": "x", "a": 1.0},
		`[]`:                                        []any(nil),
		`{}`:                                        map[string]any(nil),
		`[9007199254740993,5]`:                      []any{int64(9007199254740993), 5},
		`[{"key":"k","value":true}]`:                []KeyValue{{Key: "k", Value: true}},
		`"<&>` + "\u2028" + `"`:                     nil,
		`"\ufffd"`:                                  "\xff",
	} {
		if strings.HasPrefix(want, `"<`) { // no HTML escapes, but the line separators stay escaped
			v, want = "<&>\u2028", `"<&>\u2028"`
		}
		got, err := Encode(v)
		if string(got) != want || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	itself := map[string]any{}
	itself["a"] = []any{itself}
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"NaN":      {math.NaN(), "NaN is not a number that can be kept"},
		"infinity": {[]any{math.Inf(-1)}, "-Infinity is not a number that can be kept"},
		"channel":  {map[string]any{"a": make(chan int)}, "a chan int is not a value that steps can pass on"},
		"function": {func() {}, "a func() is not a value that steps can pass on"},
		"struct":   {struct{}{}, "a struct {} is not a value that steps can pass on"},
		"pairs":    {[]KeyValue{{Value: make(chan int)}}, "a chan int is not a value that steps can pass on"},
		"itself":   {itself, "the value is nested deeper than 1000 levels or contains itself"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Encode(c.value); err == nil || err.Error() != c.want ||
				refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, raw := range []string{``, `{`, `1 2`, `{"$bytes":1}`, `[{"$bytes":"*"}]`, `{"a":{"$object":1}}`,
		`{"$object":{"a":{"$bytes":null}}}`} {
		if v, err := Decode(json.RawMessage(raw)); err == nil {
			t.Errorf("%s: got %v, want an error", raw, v)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, ""}, {"x", "x"}, {[]byte("ä"), "ä"}, {true, "true"}, {false, "false"},
		{1.0, "1"}, {-1.5, "-1.5"}, {0.30000000000000004, "0.30000000000000004"},
		{100000000000000000000.0, "100000000000000000000"}, {1e21, "1e+21"}, {1.5e300, "1.5e+300"},
		{0.000001, "0.000001"}, {0.0000001, "1e-7"}, {-1.25e-9, "-1.25e-9"}, {math.Copysign(0, -1), "0"},
		{math.NaN(), "NaN"}, {math.Inf(1), "Infinity"}, {math.Inf(-1), "-Infinity"},
		{int64(-9007199254740993), "-9007199254740993"}, {7, "7"},
		{map[string]any{"b": []any{1.0, nil, "<"}, "a": map[string]any{}}, `{"a":{},"b":[1,null,"<"]}`},
		{map[string]any{"data": []byte("text"), "raw": []byte{255}}, `{"data":"text","raw":"/w=="}`},
		{map[string]any{"$bytes": 1.0}, `{"$bytes":1}`}, {[]any{math.NaN()}, "[null]"},
		{[]KeyValue{{Key: "k", Value: 1.0}}, `[{"key":"k","value":1}]`},
		{make(chan int), "[chan int]"},
	} {
		if got := Text(c.value); got != c.want {
			t.Errorf("Text(%#v) = %q, want %q", c.value, got, c.want)
		}
	}
}

func TestBody(t *testing.T) {
	data, contentType, ok := Body(map[string]any{"data": "a=b", "contentType": "text/plain"})
	if data != "a=b" || contentType != "text/plain" || !ok {
		t.Errorf("got %v, %v, %v", data, contentType, ok)
	}
	for _, v := range []any{
		nil, "text", map[string]any{"data": 1.0}, map[string]any{"data": 1.0, "contentType": 5.0},
		map[string]any{"data": 1.0, "type": ""}, map[string]any{"data": 1.0, "contentType": "", "more": 1.0},
	} {
		if _, _, ok := Body(v); ok {
			t.Errorf("%v is no body", v)
		}
	}
}

// The output equals that of encoding/json.
func TestJSONIsTheLibrarys(t *testing.T) {
	text := rapid.Map(rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.ByteRange(0, 0x7f))), func(b []byte) any {
		return string(b)
	})
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(values(), text, rapid.Map(rapid.Int64(), func(n int64) any { return n })).Draw(t, "value")
		got, err := JSON(v)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(withoutBytes(v)); err != nil {
			t.Fatal(err)
		}
		if string(got)+"\n" != want.String() {
			t.Fatalf("got %s, want %s", got, want.String())
		}
	})
}

func withoutBytes(v any) any {
	switch x := v.(type) {
	case []byte:
		return textOrBase64(x)
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = withoutBytes(x[i])
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for key, e := range x {
			object[key] = withoutBytes(e)
		}
		return object
	}
	return v
}

// FuzzParseJSON compares with encoding/json, errors included.
func FuzzParseJSON(f *testing.F) {
	for _, raw := range []string{`{"a":1,"a":{"b":[]}}`, `"\ud800"`, "\"\xff\"", `-0`, `1e999`, `1e-999`,
		` [true,null] `, `{"a":1}x`, ``, `{"\u0024bytes":""}`, "{\"\xff\":1,\"\xfe\":2}"} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if MeasureJSON(raw).Depth > MaxDepth {
			t.Skip()
		}
		var want any
		wantErr := json.Unmarshal(raw, &want)
		got, err := ParseJSON(raw)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !cmp.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v, %v", raw, got, err, want, wantErr)
		}
	})
}

// Unmarked output reads as it stands, and marks are seen.
func TestUnmarked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values().Draw(t, "value")
		raw, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range [][]byte{raw, bytes.ReplaceAll(raw, []byte("$"), []byte(`\u0024`))} {
			plain, err := JSON(v)
			if err != nil {
				t.Fatal(err)
			}
			if Unmarked(text) && (i > 0 || !bytes.Equal(text, plain)) && !bytes.Equal(raw, plain) {
				t.Fatalf("%s is not %s", text, plain)
			}
			if got, err := Decode(text); err != nil || !cmp.Equal(got, v) {
				t.Fatalf("%s is read as %v, %v", text, got, err)
			}
		}
	})
}

// BenchmarkEncode writes, and BenchmarkDecode reads, the result of a trigger.
func BenchmarkEncode(b *testing.B) {
	v := delivered()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	raw, err := Encode(delivered())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func delivered() any {
	const url, id = "http://127.0.0.1:8080/trigger/019aa1a0c1b57c6f9f3e0d5e8a7b6c5d019aa1a0c1b57c6f9f3e0d5e8a7b6c5e",
		"019aa1a0-c1b5-7c6f-9f3e-0d5e8a7b6c5d"
	order := map[string]any{"order": map[string]any{"id": "o-1", "total": 129.5}, "kind": "large"}
	return map[string]any{
		"executionId": id, "startedAt": "2026-01-02T03:04:05.678901Z", "globalDebug": false, "invokeUrl": url,
		"customer":    map[string]any{"id": id, "externalId": "c-1", "name": "A customer"},
		"instance":    map[string]any{"id": id, "name": "Benchmark"},
		"integration": map[string]any{"id": id, "name": "Benchmark", "versionSequenceId": id, "externalVersion": "1"},
		"flow":        map[string]any{"id": id, "name": "Main", "stableId": ""},
		"user":        map[string]any{"id": "", "email": "", "name": "", "externalId": ""},
		"webhookUrls": map[string]any{"Main": url}, "webhookApiKeys": map[string]any{"Main": []any{}},
		"pathFragment": "", "method": "POST", "headers": map[string]any{"Content-Type": "application/json",
			"Content-Length": "51"}, "queryParameters": map[string]any{},
		"rawBody": map[string]any{"data": `{"order":{"id":"o-1","total":129.5},"kind":"large"}`,
			"contentType": "application/json"},
		"body": map[string]any{"data": order, "contentType": "application/json"},
	}
}
