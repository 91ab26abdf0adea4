package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
)

func TestEventStoreDBLog(t *testing.T) {
	for name, embedded := range map[string]func(t *testing.T) Log{
		"memory": func(*testing.T) Log { return NewMemory() },
		"SQLite": func(t *testing.T) Log { return openTestLog(t, filepath.Join(t.TempDir(), "events.db")) },
	} {
		t.Run(name, func(t *testing.T) {
			testLog(t, func(t *testing.T) Log { return openEventStoreDB(t, serveTestLog(t, embedded(t))) })
		})
	}
}

// serveTestLog serves a log until the test ends and returns its address.
func serveTestLog(t testing.TB, log Log) string { return serveTestLogOver(t, log, nil) }

func serveTestLogOver(t testing.TB, log Log, secure *tls.Config) string {
	t.Helper()
	server, err := NewServer(log, ServerOptions{User: "ann", Password: "p@ss", TLS: secure, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("esdb://ann:p%%40ss@%s?tls=false", listener.Addr())
}

func openEventStoreDB(t testing.TB, address string) *EventStoreDB {
	t.Helper()
	log, err := OpenEventStoreDB(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}
