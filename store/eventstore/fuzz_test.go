package eventstore

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"heddle/store"
	"heddle/store/storetest"
)

// FuzzFilter has the filters of subscribers refused or used, never more.
func FuzzFilter(f *testing.F) {
	for _, seed := range [][2]string{{`^[^\$]`, ""}, {"", "draft-\nrun-"}, {"(", ""}, {"(a{1000}){1000}", ""},
		{strings.Repeat("(", 2000), ""}, {"", strings.Repeat("a\n", 300)}, {"\xff", "\x00"}} {
		f.Add(seed[0], seed[1], "draft-1", "DraftOpened")
	}
	f.Fuzz(func(t *testing.T, regex, prefixes, stream, kind string) {
		e := &streams.ReadReq_Options_FilterOptions_Expression{Regex: regex}
		if prefixes != "" {
			e.Prefix = strings.Split(prefixes, "\n")
		}
		for _, o := range []*streams.ReadReq_Options_FilterOptions{
			{Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: e}},
			{Filter: &streams.ReadReq_Options_FilterOptions_EventType{EventType: e}},
		} {
			s, err := newSelection(o)
			if err != nil {
				continue
			}
			if len(regex) > maxFilterBytes || len(e.Prefix) > maxPrefixes {
				t.Fatal("a filter over the limits is taken")
			}
			r := store.Recorded{Stream: stream, Event: store.Event{Kind: kind}}
			if takes := s.takes(r); takes && !s.Kind && !s.pushed().Takes(r) {
				t.Errorf("what the log is asked for leaves out %q", stream)
			}
		}
	})
}

// FuzzStreamMetadata reads others' metadata about how long a stream's records are kept: no limit is negative,
// or so large that it wraps.
func FuzzStreamMetadata(f *testing.F) {
	for _, seed := range []string{`{"$maxAge":86400,"$maxCount":3,"$tb":7}`,
		`{"$maxAge":-1,"$maxCount":-9223372036854775808}`, `{"$maxAge":9223372036854775807}`, `{"$tb":1e99}`,
		`[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m streamMetadata
		if json.Unmarshal(data, &m) != nil {
			return
		}
		if l := m.limit(); l.count < 0 || l.age < 0 {
			t.Errorf("%s makes %+v", data, l)
		}
	})
}

// FuzzProposed takes the messages of an append from the wire.
func FuzzProposed(f *testing.F) {
	for _, m := range appendMessages("draft-1", store.NoStream,
		[]store.Event{storetest.Event("A"), {ID: uuid.New(), Kind: "B", Binary: true, Data: []byte{0}}}) {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m streams.AppendReq
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		expected := expectedOf(m.GetOptions().GetExpectedStreamRevision())
		if expected < store.SomeStream {
			t.Errorf("it expects revision %d", expected)
		}
		p := m.GetProposedMessage()
		if e, err := eventOf(t.Context(), p); p != nil && err == nil && (e.ID == uuid.Nil || e.Kind == "") {
			t.Errorf("%+v is taken", e)
		}
	})
}

// FuzzAddress tries addresses of a log's server: an unusable one is refused without the password in the
// message.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"esdb://ann:hunter22@127.0.0.1:2113?tls=false",
		"esdb+discover://ann:hunter22@a,b,c:1", "esdb://ann:hunter22@[::1", "esdb://:@", "http://x",
		"esdb://ann:hunter22@h:1?tls=x", "esdb://ann:hunter22@h:99999999", "esdb://ann:hunter22@%zz",
		"esdb://h?keepAliveInterval=-9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if strings.Contains(address, "File") || strings.Contains(address, "userKey") ||
			strings.Contains(address, "userCert") {
			t.Skip("it reads files")
		}
		log, err := Open(address, slog.New(slog.DiscardHandler))
		if err != nil {
			if strings.Contains(address, "@") && strings.Contains(err.Error(), "hunter22") {
				t.Errorf("the password is told: %v", err)
			}
			return
		}
		if err := log.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	})
}
