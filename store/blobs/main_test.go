package blobs

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"heddle/domain/refusal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func wantCode(t testing.TB, err error, code refusal.Code) {
	t.Helper()
	if refusal.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
}
