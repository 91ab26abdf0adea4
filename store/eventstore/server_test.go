package eventstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/storetest"
)

func TestEventStoreDBDouble(t *testing.T) {
	storetest.Log(t, func(t *testing.T) store.Log {
		d := NewDouble(t)
		d.MaxAppend, d.Scavenged = MaxAppend, true
		return d.Open(t)
	})
}

func TestEventStoreDBLog(t *testing.T) {
	for name, embedded := range map[string]func(t *testing.T) store.Log{
		"memory": func(*testing.T) store.Log { return store.NewMemory() },
		"SQLite": func(t *testing.T) store.Log { return storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db")) },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Log(t, func(t *testing.T) store.Log { return openClient(t, serveTestLog(t, embedded(t))) })
		})
	}
}

// serveTestLog serves a log until the test ends and returns its address.
func serveTestLog(t testing.TB, log store.Log) string { return serveTestLogOver(t, log, nil) }

func serveTestLogOver(t testing.TB, log store.Log, secure *tls.Config) string {
	t.Helper()
	server, err := NewServer(log, ServerOptions{User: "ann", Password: "p@ss", TLS: secure,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("esdb://ann:p%%40ss@%s?tls=false", serveOn(t, server))
}

// serveOn serves until the test ends and returns the address.
func serveOn(t testing.TB, server *Server) string {
	t.Helper()
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
	return listener.Addr().String()
}

func openClient(t testing.TB, address string) *Client {
	t.Helper()
	log, err := Open(address, slog.New(slog.DiscardHandler))
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

// TestServerStops has subscribers and a consumer on a server that stops: they learn it at once, and off
// loopback addresses a server without a certificate does not start.
func TestServerStops(t *testing.T) {
	server, err := NewServer(store.NewMemory(),
		ServerOptions{User: "ann", Password: "p", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	everywhere, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(context.Background(), everywhere); err == nil ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("served in plain to everybody: %v", err)
	}
	if server, err = NewServer(store.NewMemory(),
		ServerOptions{User: "ann", Password: "p", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	log := openClient(t, fmt.Sprintf("esdb://ann:p@%s?tls=false", listener.Addr()))
	storetest.MustAppend(t, log, "draft-1", store.NoStream, storetest.Event("A"))
	c := dialOfficial(t, fmt.Sprintf("esdb://%s?tls=false", listener.Addr()))
	asAnn := metadata.AppendToOutgoingContext(context.Background(), "authorization", plainGrant("ann", "p"))
	all, err := c.SubscribeToAll(asAnn, esdb.SubscribeToAllOptions{From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreatePersistentSubscription(asAnn, "draft-1", "g",
		esdb.PersistentStreamSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	consumer, err := c.SubscribeToPersistentSubscription(asAnn, "draft-1", "g",
		esdb.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	for {
		if e := all.Recv(); e.SubscriptionDropped != nil {
			if status.Code(e.SubscriptionDropped.Error) != codes.Unavailable {
				t.Errorf("a subscriber is told %v", e.SubscriptionDropped.Error)
			}
			break
		}
	}
	if e := consumer.Recv(); e.SubscriptionDropped == nil ||
		status.Code(e.SubscriptionDropped.Error) != codes.Unavailable {
		t.Errorf("a consumer is told %+v", e)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestUnreachable has no server at all: writing and reading are refused as unavailable, following waits.
func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	log := openClient(t, "esdb://ann:p@"+address+"?tls=false")
	log.tries = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	for _, err := range log.Follow(ctx, 0, store.Filter{}) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("following ends with %v", err)
		}
	}
	_, err = log.Append(context.Background(), "draft-1", store.NoStream, storetest.Event("A"))
	storetest.WantUnavailable(t, err)
	for _, err := range log.Read(context.Background(), "draft-1", 0) {
		storetest.WantUnavailable(t, err)
	}
	storetest.WantUnavailable(t, log.Remove(context.Background(), "draft-1"))
	storetest.WantUnavailable(t, log.Truncate(context.Background(), "draft-1", 1))
}

// TestClusterAddress finds the leading node by asking.
func TestClusterAddress(t *testing.T) {
	address := strings.TrimSuffix(strings.TrimPrefix(serveTestLog(t, store.NewMemory()), "esdb://ann:p%40ss@"),
		"?tls=false")
	log := openClient(t, "esdb://"+address+",127.0.0.1:1?tls=false&gossipTimeout=2")
	log.tries = 3 * time.Second
	if _, err := log.link.connected(context.Background()); err != nil || log.link.conn.Target() != address {
		t.Errorf("connected to %v, %v", log.link.conn, err)
	}
	_, err := log.Append(context.Background(), "draft-1", store.NoStream, storetest.Event("A"))
	// no password: over plain connections it is sent to this machine only
	storetest.WantCode(t, err, refusal.Unavailable)
}
