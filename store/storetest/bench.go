package storetest

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/store"
)

// BlankEvent has 512 bytes of data and meta, about as much as an edit.
func BlankEvent() store.Event {
	return store.Event{ID: uuid.Must(uuid.NewV7()), Kind: "StepFinished", Meta: bytes.Repeat([]byte("m"), 256),
		Data: bytes.Repeat([]byte("d"), 256)}
}

// RawSync is the lower bound of a durable append: writing the bytes to a file and fsync.
func RawSync(b *testing.B, events, rounds int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	data := bytes.Repeat([]byte("x"), events*(512+16+12))
	start := time.Now()
	for range rounds {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / time.Duration(rounds)
}

// ProcessorTime returns the processor time of this process so far. Under other load it is the steadier figure.
func ProcessorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Report reports the number of operations a second, and a second of processor time.
func Report(b *testing.B, things int, what string, before time.Duration) {
	b.ReportMetric(float64(things)/b.Elapsed().Seconds(), what+"/s")
	b.ReportMetric(float64(things)/(ProcessorTime(b)-before).Seconds(), what+"/cpu-s")
}
