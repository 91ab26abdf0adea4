package eventstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"heddle/store"
	"heddle/store/storetest"
)

// testTLS is a certificate for 127.0.0.1, and the file that clients trust it by.
func testTLS(t testing.TB) (*tls.Config, string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: s.TLS.Certificates}, path
}

// officialClient is EventStoreDB's own client on a served log, over TLS.
func officialClient(t testing.TB, log store.Log) *esdb.Client {
	t.Helper()
	config, ca := testTLS(t)
	address := serveTestLogOver(t, log, config)
	return dialOfficial(t, strings.Replace(address, "tls=false", "tlsCAFile="+ca, 1))
}

func dialOfficial(t testing.TB, address string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(address)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// onEach runs a test with the official client on both embedded logs.
func onEach(t *testing.T, test func(*testing.T, *esdb.Client)) {
	t.Run("memory", func(t *testing.T) { test(t, officialClient(t, store.NewMemory())) })
	t.Run("SQLite", func(t *testing.T) {
		test(t, officialClient(t, storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db"))))
	})
}

func proposals(kinds ...string) []esdb.EventData {
	all := make([]esdb.EventData, len(kinds))
	for i, kind := range kinds {
		all[i] = esdb.EventData{EventID: uuid.New(), EventType: kind, ContentType: esdb.ContentTypeJson,
			Data: []byte(`{"n":` + fmt.Sprint(i) + `}`)}
	}
	return all
}

// codeOf returns the client's code of an error, -1 if it has none. The client's own function for that returns
// the opposite of its finding.
func codeOf(err error) esdb.ErrorCode {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		return e.Code()
	}
	return -1
}

func received(t *testing.T, s *esdb.ReadStream, err error) (kinds []string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		e, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return kinds
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.OriginalEvent().EventType)
	}
}

func wantKinds(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if strings.Join(got, " ") != want {
		t.Errorf("%s: got %v, want %s", what, got, want)
	}
}

func wantClientCode(t *testing.T, what string, err error, want esdb.ErrorCode) {
	t.Helper()
	if codeOf(err) != want {
		t.Errorf("%s: got %v, want code %d", what, err, want)
	}
}

func TestOfficialClientReads(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		first, err := c.AppendToStream(ctx, "orders", esdb.AppendToStreamOptions{}, proposals("A", "B", "C")...)
		if err != nil || first.NextExpectedVersion != 2 || first.CommitPosition != first.PreparePosition {
			t.Fatalf("%+v, %v", first, err)
		}
		second, err := c.AppendToStream(ctx, "other-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}},
			proposals("D", "E")...)
		if err != nil {
			t.Fatal(err)
		}
		stream := func(from esdb.StreamPosition, d esdb.Direction, n uint64) []string {
			s, err := c.ReadStream(ctx, "orders", esdb.ReadStreamOptions{From: from, Direction: d}, n)
			return received(t, s, err)
		}
		wantKinds(t, "all of a stream", stream(esdb.Start{}, esdb.Forwards, 100), "A B C")
		wantKinds(t, "two", stream(esdb.Start{}, esdb.Forwards, 2), "A B")
		wantKinds(t, "from 1", stream(esdb.Revision(1), esdb.Forwards, 100), "B C")
		wantKinds(t, "from beyond", stream(esdb.Revision(7), esdb.Forwards, 100), "")
		wantKinds(t, "back", stream(esdb.End{}, esdb.Backwards, 100), "C B A")
		wantKinds(t, "back from 1", stream(esdb.Revision(1), esdb.Backwards, 1), "B")
		all := func(from esdb.AllPosition, d esdb.Direction, n uint64) []string {
			s, err := c.ReadAll(ctx, esdb.ReadAllOptions{From: from, Direction: d}, n)
			return received(t, s, err)
		}
		at := func(w *esdb.WriteResult) esdb.Position {
			return esdb.Position{Commit: w.CommitPosition, Prepare: w.PreparePosition}
		}
		wantKinds(t, "the log", all(esdb.Start{}, esdb.Forwards, 100), "A B C D E")
		wantKinds(t, "from a position", all(at(first), esdb.Forwards, 2), "C D")
		wantKinds(t, "from the end", all(esdb.End{}, esdb.Forwards, 100), "")
		wantKinds(t, "the log back", all(esdb.End{}, esdb.Backwards, 100), "E D C B A")
		wantKinds(t, "back from a position", all(at(second), esdb.Backwards, 2), "D C")
		none, err := c.ReadStream(ctx, "none", esdb.ReadStreamOptions{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = none.Recv()
		wantClientCode(t, "a stream that does not exist", err, esdb.ErrorCodeResourceNotFound)
	})
}

func TestOfficialClientKeepsWhatItAppends(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		before := time.Now().Add(-time.Millisecond)
		sent := esdb.EventData{EventID: uuid.New(), EventType: "Blob", ContentType: esdb.ContentTypeBinary,
			Data: bytes.Repeat([]byte{0, 1}, 4<<20), Metadata: []byte("meta")}
		if _, err := c.AppendToStream(ctx, "blob", esdb.AppendToStreamOptions{}, sent); err != nil {
			t.Fatal(err)
		}
		s, err := c.ReadStream(ctx, "blob", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		e := got.Event
		if e.EventID != sent.EventID || e.ContentType != "application/octet-stream" ||
			!bytes.Equal(e.Data, sent.Data) || string(e.UserMetadata) != "meta" ||
			e.CreatedDate.Before(before) || e.CreatedDate.After(time.Now()) || e.StreamID != "blob" ||
			got.Commit == nil || *got.Commit != e.Position.Commit {
			t.Errorf("got %+v", e.CreatedDate)
		}
		big := proposals("Big", "Big")
		for i := range big {
			big[i].Data = make([]byte, MaxAppend/2+1)
		}
		if _, err := c.AppendToStream(ctx, "blob", esdb.AppendToStreamOptions{},
			big...); status.Code(errors.Unwrap(err)) != codes.InvalidArgument {
			t.Errorf("too much: %v", err)
		}
	})
}

func TestOfficialClientExpects(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		try := func(expected esdb.ExpectedRevision, events ...esdb.EventData) (*esdb.WriteResult, error) {
			return c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: expected}, events...)
		}
		_, err := try(esdb.StreamExists{}, proposals("A")...)
		wantClientCode(t, "a stream that must exist", err, esdb.ErrorCodeWrongExpectedVersion)
		if !strings.Contains(err.Error(), "expecting 'stream_exists' but got 'no_stream'") {
			t.Error(err)
		}
		a := proposals("A", "B")
		for name, expected := range map[string]esdb.ExpectedRevision{"any": esdb.Any{}, "none": esdb.NoStream{},
			"again": esdb.Any{}} {
			if w, err := try(expected, a...); err != nil || w.NextExpectedVersion != 1 || w.CommitPosition == 0 {
				t.Errorf("%s: %+v, %v", name, w, err)
			}
		}
		_, err = try(esdb.Revision(5), proposals("C")...)
		if !strings.Contains(fmt.Sprint(err), "expecting '5' but got '1'") {
			t.Error(err)
		}
		if w, err := try(esdb.StreamExists{}, proposals("C")...); err != nil || w.NextExpectedVersion != 2 {
			t.Errorf("%+v, %v", w, err)
		}
		if w, err := try(esdb.Revision(2)); err != nil || w.NextExpectedVersion != 2 {
			t.Errorf("nothing at the right revision: %+v, %v", w, err)
		}
		_, err = try(esdb.Revision(1))
		wantClientCode(t, "nothing at a wrong revision", err, esdb.ErrorCodeWrongExpectedVersion)
		s, err := c.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 100)
		wantKinds(t, "what is there", received(t, s, err), "A B C")
	})
}

func TestOfficialClientDeletes(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		read := func() error {
			s, err := c.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 100)
			if err == nil {
				_, err = s.Recv()
				s.Close()
			}
			return err
		}
		if _, err := c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, proposals("A", "B")...); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DeleteStream(ctx, "s",
			esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(9)}); err == nil {
			t.Error("deleted at a wrong revision")
		}
		if _, err := c.DeleteStream(ctx, "s",
			esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(1)}); err != nil {
			t.Fatal(err)
		}
		wantClientCode(t, "a deleted stream", read(), esdb.ErrorCodeResourceNotFound)
		w, err := c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}},
			proposals("C")...)
		if err != nil || w.NextExpectedVersion != 2 {
			t.Fatalf("after deletion a stream goes on: %+v, %v", w, err)
		}
		m, err := c.GetStreamMetadata(ctx, "s", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}})
		if err != nil || m.TruncateBefore() == nil || *m.TruncateBefore() != 2 {
			t.Errorf("%+v, %v", m, err)
		}
		if _, err := c.TombstoneStream(ctx, "s",
			esdb.TombstoneStreamOptions{ExpectedRevision: esdb.NoStream{}}); err == nil {
			t.Error("removed at a wrong revision")
		}
		if _, err := c.TombstoneStream(ctx, "s",
			esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			t.Fatal(err)
		}
		wantClientCode(t, "reading a removed stream", read(), esdb.ErrorCodeStreamDeleted)
		_, err = c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, proposals("D")...)
		wantClientCode(t, "appending to a removed stream", err, esdb.ErrorCodeStreamDeleted)
		_, err = c.TombstoneStream(ctx, "s", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		wantClientCode(t, "removing a removed stream", err, esdb.ErrorCodeStreamDeleted)
		_, err = c.SubscribeToStream(ctx, "s", esdb.SubscribeToStreamOptions{From: esdb.End{}})
		wantClientCode(t, "subscribing to a removed stream", err, esdb.ErrorCodeStreamDeleted)
	})
}

func TestOfficialClientMetadata(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		set := func(change func(*esdb.StreamMetadata)) {
			t.Helper()
			var m esdb.StreamMetadata
			m.AddCustomProperty("colour", "red")
			change(&m)
			if _, err := c.SetStreamMetadata(ctx, "s", esdb.AppendToStreamOptions{}, m); err != nil {
				t.Fatal(err)
			}
		}
		read := func() []string {
			s, err := c.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			return received(t, s, nil)
		}
		add := func(kinds ...string) {
			t.Helper()
			if _, err := c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, proposals(kinds...)...); err != nil {
				t.Fatal(err)
			}
		}
		add("A", "B", "C", "D", "E")
		set(func(m *esdb.StreamMetadata) { m.SetTruncateBefore(1) })
		wantKinds(t, "truncated", read(), "B C D E")
		set(func(m *esdb.StreamMetadata) { m.SetMaxCount(3) })
		wantKinds(t, "three are kept", read(), "C D E")
		add("F")
		wantKinds(t, "three are kept", read(), "D E F")
		set(func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Hour) })
		add("G")
		wantKinds(t, "an hour is kept", read(), "D E F G")
		got, err := c.GetStreamMetadata(ctx, "s", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}})
		if err != nil || got.MaxAge() == nil || *got.MaxAge() != time.Hour || got.MaxCount() != nil ||
			got.CustomProperty("colour") != "red" {
			t.Errorf("%+v, %v", got, err)
		}
		set(func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Second) })
		time.Sleep(1100 * time.Millisecond)
		s, err := c.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 100)
		if err == nil {
			_, err = s.Recv()
		}
		wantClientCode(t, "all is too old", err, esdb.ErrorCodeResourceNotFound)
		add("H")
		wantKinds(t, "what is new", read(), "H")
	})
}

// TestOfficialClientRepeats repeats an append without an expected revision after a restart of the server.
func TestOfficialClientRepeats(t *testing.T) {
	path, events := filepath.Join(t.TempDir(), "events.db"), proposals("A", "B")
	for round := range 2 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			c := officialClient(t, storetest.SQLite(t, path))
			for range 2 {
				if w, err := c.AppendToStream(context.Background(), "s", esdb.AppendToStreamOptions{},
					events...); err != nil || w.NextExpectedVersion != 1 {
					t.Errorf("%+v, %v", w, err)
				}
			}
		})
	}
}

// subscribed reads events, checkpoints and so on from a subscription until as many events have come.
func subscribed(t *testing.T, s *esdb.Subscription, err error, until string) (all []string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for {
		e := s.Recv()
		switch {
		case e.SubscriptionDropped != nil:
			t.Fatalf("dropped: %v after %v", e.SubscriptionDropped.Error, all)
		case e.EventAppeared != nil:
			all = append(all, e.EventAppeared.OriginalEvent().EventType)
		case e.CaughtUp != nil:
			all = append(all, "caughtUp")
		case e.CheckPointReached != nil && until == "checkpoint":
			return append(all, "checkpoint")
		}
		if strings.Join(all, " ") == until || len(all) > 50 {
			return all
		}
	}
}

func TestOfficialClientSubscribes(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		add := func(stream string, kinds ...string) {
			t.Helper()
			if _, err := c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{},
				proposals(kinds...)...); err != nil {
				t.Fatal(err)
			}
		}
		add("s-1", "A", "B")
		add("t-1", "X", "Y")
		var m esdb.StreamMetadata
		m.SetMaxCount(100)
		if _, err := c.SetStreamMetadata(ctx, "s-1", esdb.AppendToStreamOptions{}, m); err != nil {
			t.Fatal(err)
		}
		type started struct {
			s          *esdb.Subscription
			then, what string
		}
		var all []started
		stream := func(what string, from esdb.StreamPosition, first, then string) {
			s, err := c.SubscribeToStream(ctx, "s-1", esdb.SubscribeToStreamOptions{From: from})
			wantKinds(t, what, subscribed(t, s, err, first), first)
			all = append(all, started{s, then, what})
		}
		whole := func(what string, o esdb.SubscribeToAllOptions, first, then string) {
			s, err := c.SubscribeToAll(ctx, o)
			wantKinds(t, what, subscribed(t, s, err, first), first)
			all = append(all, started{s, then, what})
		}
		stream("a stream", esdb.Start{}, "A B caughtUp", "C D")
		stream("a stream after 0", esdb.Revision(0), "B caughtUp", "C D")
		stream("a stream from its end", esdb.End{}, "caughtUp", "C D")
		whole("all", esdb.SubscribeToAllOptions{From: esdb.Start{}}, "A B X Y $metadata caughtUp", "C Z D")
		whole("all after 2", esdb.SubscribeToAllOptions{From: esdb.Position{Commit: 2, Prepare: 2}},
			"X Y $metadata caughtUp", "C Z D")
		whole("from the end", esdb.SubscribeToAllOptions{From: esdb.End{}}, "caughtUp", "C Z D")
		filter := func(t esdb.FilterType, regex string, prefixes ...string) esdb.SubscribeToAllOptions {
			return esdb.SubscribeToAllOptions{From: esdb.Start{},
				Filter: &esdb.SubscriptionFilter{Type: t, Regex: regex, Prefixes: prefixes}}
		}
		whole("without the system's", esdb.SubscribeToAllOptions{From: esdb.Start{},
			Filter: esdb.ExcludeSystemEventsFilter()}, "A B X Y caughtUp", "C Z D")
		whole("a category", filter(esdb.StreamFilterType, "", "s-"), "A B caughtUp", "C D")
		whole("two prefixes", filter(esdb.StreamFilterType, "", "s", "t-"), "A B X Y caughtUp", "C Z D")
		whole("streams by regex", filter(esdb.StreamFilterType, "^t-[0-9]+$"), "X Y caughtUp", "Z")
		whole("kinds by prefix", filter(esdb.EventFilterType, "", "A", "Z"), "A caughtUp", "Z")
		whole("kinds by regex", filter(esdb.EventFilterType, "^[CX]$"), "X caughtUp", "C")
		add("s-1", "C")
		add("t-1", "Z")
		add("s-1", "D")
		for _, one := range all {
			wantKinds(t, one.what+", later", subscribed(t, one.s, nil, one.then), one.then)
		}
		last := all[len(all)-1].s
		wantKinds(t, "what does not match", subscribed(t, last, nil, "checkpoint"), "checkpoint")
		for _, one := range all {
			if err := one.s.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.SubscribeToAll(ctx,
			filter(esdb.EventFilterType,
				"(")); status.Code(errors.Unwrap(errors.Unwrap(err))) != codes.InvalidArgument {
			t.Errorf("a broken regex: %v", err)
		}
	})
}

func TestServedToThoseWhoMay(t *testing.T) {
	config, ca := testTLS(t)
	address := strings.Replace(serveTestLogOver(t, store.NewMemory(), config), "tls=false", "tlsCAFile="+ca, 1)
	right := dialOfficial(t, address)
	if v, err := right.GetServerVersion(); err != nil || v.Major != 24 {
		t.Errorf("%+v, %v", v, err)
	}
	for _, wrong := range []string{strings.Replace(address, "p%40ss", "wrong", 1),
		strings.Replace(address, "ann:p%40ss@", "", 1), strings.Replace(address, "tlsCAFile="+ca, "tls=false", 1)} {
		client := dialOfficial(t, wrong)
		_, err := client.DeleteStream(context.Background(), "s", esdb.DeleteStreamOptions{})
		if e, ok := errors.AsType[*esdb.Error](err); !ok || e.Code() != esdb.ErrorCodeUnauthenticated {
			t.Errorf("deleting without the right password: %v", err)
		}
		_, err = client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{})
		wantClientCode(t, "without the right password", err, esdb.ErrorCodeUnauthenticated)
	}
	log := openClient(t, strings.Replace(address, "p%40ss", "wrong", 1))
	_, err := log.Append(context.Background(), "draft-1", store.NoStream, storetest.Event("A"))
	storetest.WantUnavailable(t, err)
	if _, err := NewServer(store.NewMemory(),
		ServerOptions{User: "ann", Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("served without a password")
	}
	for name, bad := range map[string]string{"path": "esdb://localhost/x", "scheme": "http://localhost",
		"port": "esdb://ann:hunter2@localhost:port"} {
		if _, err := Open(bad, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
