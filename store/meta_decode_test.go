package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"heddle/domain"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// TestMetaOf compares with encoding/json, for meta of any content and for broken text.
func TestMetaOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-z0-9:.-]{0,12}`), rapid.String())
		m := domain.Meta{
			ID:           uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			Organization: text.Draw(t, "organization"), Actor: text.Draw(t, "actor"), Token: text.Draw(t, "token"),
			Remote: text.Draw(t, "remote"), Time: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC(),
			Correlation: text.Draw(t, "correlation"), Causation: text.Draw(t, "causation"),
			Trace: text.Draw(t, "trace"), Previous: text.Draw(t, "previous"),
		}
		stored := m.Encode()
		var decoded, encoded any
		marshaled, err := json.Marshal(m)
		if err := errors.Join(err, json.Unmarshal(stored, &decoded), json.Unmarshal(marshaled, &encoded)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(encoded, decoded); diff != "" {
			t.Fatalf("stored as %s:\n%s", stored, diff)
		}
		if rapid.Bool().Draw(t, "broken") {
			i := rapid.IntRange(0, len(stored)-1).Draw(t, "at")
			stored[i] = rapid.SampledFrom([]byte("\"{}:,\\ ax\x00\x1f\x7f\x80\xff")).Draw(t, "byte")
		}
		var want domain.Meta
		wantErr := json.Unmarshal(stored, &want)
		want.Aggregate = "1"
		got, err := MetaOf(Recorded{Stream: "draft-1", Event: Event{Meta: stored}})
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s: got %v, encoding/json says %v", stored, err, wantErr)
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Fatalf("%s:\n%s", stored, diff)
		}
	})
}

// FuzzMeta reads stored meta: both ways alike, and Heddle's own without loss.
func FuzzMeta(f *testing.F) {
	id := uuid.Must(uuid.NewV7())
	for _, seed := range []string{"", "{}", "null", `{"id":"1"}`, `{"id":"` + id.String() + `"}`,
		string(domain.Meta{ID: id, Organization: "o", Actor: "a\"\\"}.Encode()),
		`{"id":"` + id.String() + `","time":"2026-01-02T03:04:05+01:00"}`, `{"$correlationId":"x"}`, `{"id":`,
		"\xff\xfe", `{"id":"` + id.String() + `","organization":"` + strings.Repeat("x", 9000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, meta []byte) {
		r := Recorded{Stream: "draft-1", Event: Event{ID: id, Kind: "K", Meta: meta}}
		got, err := MetaOf(r)
		var want domain.Meta
		if plain := json.Unmarshal(meta, &want); (err == nil) != (plain == nil) {
			t.Fatalf("%v, and by encoding/json %v", err, plain)
		}
		if want.Aggregate = "1"; err == nil && (got.ID != want.ID || got.Organization != want.Organization ||
			!got.Time.Equal(want.Time) || got.Previous != want.Previous) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if r.Own() && !strings.Contains(string(meta), id.String()) && !strings.Contains(strings.ToLower(string(meta)),
			id.String()) {
			t.Fatalf("%s is taken for Heddle's", meta)
		}
		_ = (&verifying{streams: map[string]verifiedStream{}}).next(r) // it refuses, or does not
	})
}

// TestPlain puts each byte at each index of a word and of the rest after the last one.
func TestPlain(t *testing.T) {
	for c := range 256 {
		want := c >= ' ' && c < 0x80 && c != '\\'
		for _, around := range []byte{' ', '[', ']', '~', 0x7f} {
			for i := range 21 {
				text := bytes.Repeat([]byte{around}, 21)
				text[i] = byte(c)
				if got := plain(text); got != want {
					t.Fatalf("%q is plain: %v", text, got)
				}
			}
		}
	}
}

func TestMetaOfIsQuick(t *testing.T) {
	m, err := Author{Organization: "org", Actor: "ann",
		trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}.meta(strings.Repeat("0a", 32))
	if err != nil {
		t.Fatal(err)
	}
	stored := m.Encode()
	if _, ok := quickMeta(stored); !ok {
		t.Errorf("%s is not read the quick way", stored)
	}
}
