package eventstore

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"heddle/store"
)

// A clock that is ahead hides records past a stream's $maxAge, and drops nothing; records that are old compared
// with newer ones go.
func TestAgesOfAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := store.NewMemory()
		s, err := NewServer(log, ServerOptions{User: "ann", Password: "p@ss", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		at := store.NoStream
		put := func() {
			if _, err := log.Append(t.Context(), "orders-1", at,
				store.Event{ID: uuid.New(), Kind: "Ordered", Data: json.RawMessage(`{}`)}); err != nil {
				t.Fatal(err)
			}
			at++
		}
		kept := func() (n int) {
			if err := s.trim(context.Background(), "orders-1"); err != nil {
				t.Fatal(err)
			}
			for _, err := range log.Read(t.Context(), "orders-1", 0) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			return n
		}
		s.limits.streams["orders-1"] = limit{age: time.Hour}
		put()
		put()
		time.Sleep(40 * 24 * time.Hour) // the clock is ahead
		if n := kept(); n != 2 {
			t.Errorf("a clock that is ahead left %d of 2", n)
		}
		put()
		if n := kept(); n != 1 {
			t.Errorf("beside a newer record %d are left", n)
		}
	})
}
