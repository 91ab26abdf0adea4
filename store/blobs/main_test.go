package blobs

import (
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"go.uber.org/goleak"

	"heddle/domain/refusal"
)

func TestMain(m *testing.M) {
	minio.DefaultRetryUnit = time.Millisecond
	goleak.VerifyTestMain(m)
}

var testDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func wantCode(t testing.TB, err error, code refusal.Code) {
	t.Helper()
	if refusal.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
}
