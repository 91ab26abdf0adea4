package component

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component/value"
)

// Payloads in the log last: what is written now must be to the byte what was, and read back as it was.
func TestDeliveryForm(t *testing.T) {
	none := map[string]any{}
	for want, d := range map[string]Delivery{
		`{"contentType":"text/plain","data":"<x>","headers":{"X-A":"b"},"method":"POST","pathFragment":"a/b","queryParameters":{"q":"1"}}`: {
			Method: "POST", Headers: map[string]any{"X-A": "b"}, QueryParameters: map[string]any{"q": "1"},
			PathFragment: "a/b",
			ContentType:  "text/plain", Data: "<x>"},
		`{"contentType":"application/octet-stream","data":{"$bytes":"/w=="},"headers":{},"method":"POST","pathFragment":"","queryParameters":{}}`: {
			Method: "POST", Headers: none, QueryParameters: none, ContentType: "application/octet-stream",
			Data: []byte{255}},
		`{"contentType":"","data":null,"headers":{},"method":"","pathFragment":"","queryParameters":{},"scheduledAt":"2026-01-01T00:00:00Z"}`: {
			Headers: none, QueryParameters: none, ScheduledAt: "2026-01-01T00:00:00Z"},
	} {
		got, err := d.Encode()
		if err != nil || string(got) != want {
			t.Errorf("encoded %s, want %s, %v", got, want, err)
		}
		stored, err := value.Decode(got)
		if err != nil {
			t.Fatal(err)
		}
		if read, ok := ReadDelivery(stored); !ok || !cmp.Equal(read, d) {
			t.Errorf("read back %+v, want %+v", read, d)
		}
	}
	if _, ok := ReadDelivery(map[string]any{"method": "GET"}); ok {
		t.Error("a value without data is taken for a delivery")
	}
}
