package eventstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"

	"heddle/store"
	"heddle/store/storetest"
)

// BenchmarkServedAppend has callers append through EventStoreDB's own client to a log that another process
// serves, each to a stream of its own, one event after another. As in store.BenchmarkAppend a bare write and
// fsync is measured beside it: %raw is its share of the time of one append. A log in memory shows the cost of
// the protocol alone in both processes, and so the most that any log could reach.
func BenchmarkServedAppend(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			benchServed(b, callers, filepath.Join(b.TempDir(), "events.db"), benchClient)
		})
		b.Run(fmt.Sprint("callers=", callers, ",log=memory"), func(b *testing.B) {
			benchServed(b, callers, "", benchClient)
		})
		b.Run(fmt.Sprint("callers=", callers, ",client=heddle"), func(b *testing.B) {
			benchServed(b, callers, filepath.Join(b.TempDir(), "events.db"),
				func(b *testing.B, address string) func(string, int64) error {
					log := openClient(b, "esdb://ann:p@"+address+"?tls=false")
					return func(stream string, at int64) error {
						_, err := log.Append(context.Background(), stream, store.Revision(at), storetest.BlankEvent())
						return err
					}
				})
		})
	}
}

func benchServed(b *testing.B, callers int, path string, dial func(b *testing.B, address string) func(stream string,
	at int64) error) {
	server, address := startServer(b, path, "127.0.0.1:0")
	client := dial(b, address)
	raw := storetest.RawSync(b, 1, 200)
	var started atomic.Int64
	begin, before := time.Now(), storetest.ProcessorTime(b)
	b.ResetTimer()
	var appending sync.WaitGroup
	for range callers {
		stream := "run-" + uuid.NewString()
		appending.Go(func() {
			for at := int64(-1); started.Add(1) <= int64(b.N); at++ {
				if err := client(stream, at); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	appending.Wait()
	b.StopTimer()
	storetest.Report(b, b.N, "events", before)
	took := time.Since(begin)
	killServer(b, server)
	used := server.ProcessState.UserTime() + server.ProcessState.SystemTime()
	b.ReportMetric(float64(b.N)/used.Seconds(), "events/server-cpu-s")
	raw = (raw + storetest.RawSync(b, 1, 200)) / 2
	b.ReportMetric(1/raw.Seconds(), "fsyncs/s")
	b.ReportMetric(100*raw.Seconds()*float64(b.N)/took.Seconds(), "%raw")
}

// benchClient appends one event of about 512 bytes at a revision.
func benchClient(b *testing.B, address string) func(stream string, at int64) error {
	client := dialOfficial(b, "esdb://"+address+"?tls=false")
	asAnn := metadata.AppendToOutgoingContext(context.Background(), "authorization", plainGrant("ann", "p"))
	if _, err := client.GetServerVersion(); err != nil {
		b.Fatal(err)
	}
	return func(stream string, at int64) error {
		e := storetest.BlankEvent()
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		if at >= 0 {
			expected = esdb.Revision(uint64(at))
		}
		_, err := client.AppendToStream(asAnn, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected},
			esdb.EventData{EventID: e.ID, EventType: e.Kind, ContentType: esdb.ContentTypeJson, Data: e.Data,
				Metadata: e.Meta})
		return err
	}
}

// plainGrant sends the password over plain connections, which EventStoreDB's client does not.
func plainGrant(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
