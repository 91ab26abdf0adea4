package value

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"heddle/domain/refusal"
)

func TestMeasureJSON(t *testing.T) {
	slot, text := SlotBytes, TextBytes
	for raw, want := range map[string]Measure{
		"":                              {},
		"1":                             {slot + 8, 1, 0},
		` "a\"[{\\" `:                   {slot + text + 8, 1, 0},
		`[]`:                            {slot + ListBytes, 1, 1},
		`[1, true,[null]]`:              {5*slot + 2*ListBytes + 3*8, 5, 2},
		`{}`:                            {slot + ObjectBytes(0), 1, 1},
		`{"a":1,"b":{"c":[]}}`:          {7*slot + 3*(text+2) + 8 + ListBytes + ObjectBytes(2) + ObjectBytes(1), 4, 3},
		`]`:                             {},
		`"unfinished`:                   {slot + text + 11, 1, 0},
		`"\`:                            {slot + text + 2, 1, 0},
		strings.Repeat("[", MaxDepth+9): {MaxDepth * slot, MaxDepth, MaxDepth + 1},
	} {
		if got := MeasureJSON([]byte(raw)); got != want {
			t.Errorf("%.40s: got %v, want %v", raw, got, want)
		}
	}
}

func TestBudget(t *testing.T) {
	small := WithLimits(t.Context(), Limits{Output: 10, Memory: 500})
	told := func(what string, err error, limit string) {
		t.Helper()
		if refusal.LimitOf(err) != limit || refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v, want %s", what, err, limit)
		}
	}
	b := NewBudget(small)
	if err := b.Hold(500); err != nil || b.Err() != nil {
		t.Error(err)
	}
	told("one more", b.Hold(1), "HEDDLE_MAX_STEP_MEMORY")
	told("from then on", b.Spend(0), "HEDDLE_MAX_STEP_MEMORY")
	told("result", NewBudget(small).Room(11), "HEDDLE_MAX_STEP_OUTPUT")
	told("far too much", NewBudget(small).Hold(int(^uint(0)>>1)), "HEDDLE_MAX_STEP_MEMORY")

	b = NewBudget(small)
	if got := b.Text([]any{1.0, "x"}); got != `[1,"x"]` || b.Err() != nil {
		t.Errorf("got %q, %v", got, b.Err())
	}
	if got := b.Text([]any{1.0, "long enough"}); got != "" {
		t.Errorf("got %q", got)
	}
	told("text", b.Err(), "HEDDLE_MAX_STEP_OUTPUT")
	if _, err := NewBudget(small).ParseJSON([]byte(strings.Repeat("[1]", 50))); true {
		told("JSON", err, "HEDDLE_MAX_STEP_MEMORY")
	}
	if got, err := NewBudget(small).ParseJSON([]byte(`{"a":1}`)); err != nil || fmt.Sprint(got) != "map[a:1]" {
		t.Errorf("got %v, %v", got, err)
	}

	out := NewBudget(small).NewOutput()
	_, _ = io.WriteString(out, "01234")
	_, _ = out.Write([]byte("56789"))
	if got, err := out.Result(); got != "0123456789" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := io.WriteString(out, "x")
	told("output", err, "HEDDLE_MAX_STEP_OUTPUT")
	_, err = out.Result()
	told("whole output", err, "HEDDLE_MAX_STEP_OUTPUT")

	over := errors.New("over")
	ctx, cancel := context.WithCancelCause(t.Context())
	reader := NewBudget(ctx).Reader(strings.Repeat("x", 3*look))
	cancel(over)
	if _, err := io.ReadAll(reader); !errors.Is(err, over) {
		t.Errorf("got %v", err)
	}
}

// An output is the same text in however many pieces it came.
func TestOutputPieces(t *testing.T) {
	out := NewBudget(t.Context()).NewOutput()
	var want strings.Builder
	for i := range 3000 {
		part := strings.Repeat(string(rune('a'+i%26)), i)
		want.WriteString(part)
		if _, err := io.WriteString(out, part); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := out.Result(); got != want.String() || err != nil {
		t.Errorf("got %d bytes of %d, %v", len(got), want.Len(), err)
	}
}

// A value whose parts are referenced several times can be any size when it is written out.
func TestEncodeWithin(t *testing.T) {
	var v any = "x"
	for range 60 {
		v = []any{v, v}
	}
	if _, err := EncodeWithin(v, 1000); refusal.LimitOf(err) != "HEDDLE_MAX_STEP_OUTPUT" {
		t.Errorf("got %v", err)
	}
	if got, err := EncodeWithin("12345678", 10); err != nil || string(got) != `"12345678"` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := EncodeWithin("123456789", 10); refusal.LimitOf(err) != "HEDDLE_MAX_STEP_OUTPUT" {
		t.Errorf("got %v", err)
	}
}

// The measured size of JSON is its real size, within a factor, so that the limit means what it says.
func BenchmarkParseJSON(b *testing.B) {
	for name, raw := range map[string]string{
		"numbers": "[" + strings.Repeat("1,", 1<<20) + "1]",
		"records": "[" + strings.Repeat(`{"id":12,"name":"Someone","mail":"someone@example.test","active":true},`,
			10_000) + "1]",
		"objects": "[" + strings.Repeat(`{"a":1},`, 1<<17) + "1]",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseJSON(json.RawMessage(raw)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(MeasureJSON([]byte(raw)).Bytes), "told-B/op")
		})
	}
}
