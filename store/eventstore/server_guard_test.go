package eventstore

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/storetest"
)

// wire speaks raw HTTP/2, as a hostile client does.
type wire struct {
	*http2.Framer
	t    *testing.T
	conn net.Conn
	next uint32
}

func dialWire(t *testing.T, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := &wire{t: t, conn: conn, next: 1}
	w.Framer = http2.NewFramer(conn, conn)
	w.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return w
}

// begin begins a call and sends the beginning of a message of 16 MiB.
func (w *wire) begin(method string, more ...string) (id uint32) {
	w.t.Helper()
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	fields := append([]string{":method", "POST", ":scheme", "http", ":path", method, ":authority", "log",
		"content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(fields); i += 2 {
		if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			w.t.Fatal(err)
		}
	}
	id = w.next
	w.next += 2
	err := w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte(block.String()),
		EndHeaders: true})
	if err == nil {
		err = w.WriteData(id, false, binary.BigEndian.AppendUint32([]byte{0}, 16<<20))
	}
	if err == nil {
		err = w.WriteData(id, false, make([]byte, 10<<10))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// status returns the status that a call ends with.
func (w *wire) status(id uint32) string {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		frame, err := w.ReadFrame()
		if err != nil {
			w.t.Fatalf("the call does not end: %v", err)
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok && h.StreamID == id {
			for _, f := range h.Fields {
				if f.Name == "grpc-status" {
					return f.Value
				}
			}
		}
	}
}

func guardedLog(t *testing.T, limits ServerLimits) string {
	t.Helper()
	server, err := NewServer(store.NewMemory(),
		ServerOptions{User: "ann", Password: "p@ss", Logger: slog.New(slog.DiscardHandler), Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, server)
}

// A caller without the password is answered without waiting for a byte of its message, let alone holding it.
func TestStrangersAreNotListenedTo(t *testing.T) {
	address := guardedLog(t, ServerLimits{})
	for method, want := range map[string]string{
		gossip.Gossip_Read_FullMethodName:                                "0",
		serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName: "0",
		streams.Streams_Append_FullMethodName:                            "16",
		streams.Streams_BatchAppend_FullMethodName:                       "16",
		streams.Streams_Delete_FullMethodName:                            "16",
		streams.Streams_Read_FullMethodName:                              "16",
		"/no.such.Service/Method":                                        "16",
	} {
		w := dialWire(t, address)
		if got := w.status(w.begin(method)); got != want {
			t.Errorf("%s ends with %s, want %s", method, got, want)
		}
	}
	w := dialWire(t, address)
	if got := w.status(w.begin(streams.Streams_Append_FullMethodName, "authorization", "Basic YW5uOnA=")); got != "16" {
		t.Errorf("with a wrong password it ends with %s", got)
	}
}

// Every method of every stateful service refuses every login but the right one.
func TestLoginsOfStrangers(t *testing.T) {
	address := guardedLog(t, ServerLimits{Connections: 1000, ConnectionsPerAddress: 1000, Calls: 1000})
	basic := func(login string) []string {
		return []string{"authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(login))}
	}
	right := basic("ann:p@ss")
	logins := map[string][]string{
		"none": nil, "empty": {"authorization", ""}, "no password": basic("ann"), "an empty password": basic("ann:"),
		"no user": basic(":p@ss"), "another user": basic("bob:p@ss"), "another password": basic("ann:p@s"),
		"a longer password": basic("ann:p@ss "), "a zero behind": basic("ann:p@ss\x00"),
		"letters of another case": basic("Ann:p@ss"), "EventStoreDB's own": basic("admin:changeit"),
		"another scheme":           {"authorization", "Bearer p@ss"},
		"no scheme":                {"authorization", strings.TrimPrefix(right[1], "Basic ")},
		"a scheme of another case": {"authorization", "basic " + strings.TrimPrefix(right[1], "Basic ")},
		"two":                      append(basic("ann:p@s"), right...),
		"another header":           {"proxy-authorization", right[1]},
		"not base64":               {"authorization", "Basic ann:p@ss"},
	}
	methods := 0
	for _, service := range []grpc.ServiceDesc{streams.Streams_ServiceDesc,
		persistent.PersistentSubscriptions_ServiceDesc} {
		var names []string
		for _, m := range service.Methods {
			names = append(names, m.MethodName)
		}
		for _, m := range service.Streams {
			names = append(names, m.StreamName)
		}
		for _, name := range names {
			methods++
			for login, header := range logins {
				w := dialWire(t, address)
				if got := w.status(w.begin("/"+service.ServiceName+"/"+name, header...)); got != "16" {
					t.Errorf("%s with %s ends with %s", name, login, got)
				}
				_ = w.conn.Close()
			}
		}
	}
	if methods < 10 {
		t.Errorf("only %d methods are looked at", methods)
	}
}

// A caller that tries again and again loses the connection; so does one that sends endless headers.
func TestStrangersAreCutOff(t *testing.T) {
	address := guardedLog(t, ServerLimits{})
	for name, annoy := range map[string]func(w *wire){
		"many tries": func(w *wire) {
			for range strangerTries {
				w.begin(streams.Streams_Read_FullMethodName, "grpc-timeout", "99999999H")
			}
		},
		"large headers": func(w *wire) {
			w.begin(gossip.Gossip_Read_FullMethodName, "x", strings.Repeat("x", maxHeaders))
		},
	} {
		w := dialWire(t, address)
		annoy(w)
		_ = w.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		for {
			frame, err := w.ReadFrame()
			if _, late := errors.AsType[net.Error](err); late && errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: the connection stays", name)
			}
			if rst, is := frame.(*http2.RSTStreamFrame); is && name == "large headers" &&
				rst.ErrCode != http2.ErrCodeNo {
				break
			}
			if err != nil {
				break
			}
		}
	}
}

// The numbers of connections, of one address and in all, and of calls are bounded; one that ends makes room.
func TestServedLogIsBounded(t *testing.T) {
	address := guardedLog(t, ServerLimits{Connections: 3, ConnectionsPerAddress: 2, Calls: 1})
	first, second := dialWire(t, address), dialWire(t, address)
	for _, w := range []*wire{first, second} {
		w.status(w.begin(gossip.Gossip_Read_FullMethodName))
	}
	refused, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = refused.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := refused.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && err == nil ||
		errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third connection is there: %v", err)
	}
	_ = second.conn.Close()
	log := openClient(t, "esdb://ann:p%40ss@"+address+"?tls=false")
	// it connects again and again until there is room
	storetest.MustAppend(t, log, "draft-1", store.NoStream, storetest.Event("A"))
	w := storetest.Follow(t, log, 0, store.Filter{})
	w.Record(t)
	c, err := log.link.connected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = streams.NewStreamsClient(c).Delete(t.Context(), &streams.DeleteReq{})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a second call ends with %v", err)
	}
	_ = w.Stop(t)
	for { // the server hears of the end a little later
		_, _, err := store.Load(t.Context(), log, domain.Customers, "1")
		if err == nil {
			return
		}
		if refusal.CodeOf(err) != refusal.Unavailable || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// A connection without a password is closed in time, one with it is not.
func TestStrangersAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, admitted := range []bool{false, true} {
			here, there := net.Pipe()
			g := &guard{Listener: oneConn{there}, peers: store.Peers{Most: 1, Each: 1},
				logger: slog.New(slog.DiscardHandler)}
			c, err := g.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if admitted {
				c.(*guarded).admit()
			}
			_ = here.SetReadDeadline(time.Now().Add(strangerTime + time.Second))
			_, err = here.Read(make([]byte, 1))
			if closed := errors.Is(err, io.EOF); closed == admitted {
				t.Errorf("admitted %t: %v", admitted, err)
			}
			_ = c.Close()
			if leave, _ := g.peers.Enter("pipe"); leave == nil {
				t.Error("it is counted after the end")
			}
		}
	})
}

// Repeated tries do not extend a connection's time.
func TestStrangersGetNoMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		c, err := (&guard{Listener: oneConn{there}, peers: store.Peers{Most: 1, Each: 1},
			logger: slog.New(slog.DiscardHandler)}).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 10 * strangerTries {
			c.(*guarded).refuse()
			time.Sleep(strangerTime / 100)
		}
		_ = here.SetReadDeadline(time.Now())
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("still open: %v", err)
		}
	})
}

// oneConn is a listener that accepts one connection.
type oneConn struct{ net.Conn }

func (l oneConn) Accept() (net.Conn, error) { return l.Conn, nil }
func (l oneConn) Addr() net.Addr            { return l.LocalAddr() }

// An append that does not arrive is given up, and lets others in.
func TestSlowAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &streamsService{Server: &Server{appends: make(chan struct{}, 1)}}
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			r := f.receive(&silent{ctx: ctx})
			if status.Code(r.err) != codes.DeadlineExceeded {
				t.Errorf("it ends with %v", r.err)
			}
			cancel() // gRPC does so when the call ends
			synctest.Wait()
		}
	})
}

type silent struct {
	streams.Streams_AppendServer
	ctx context.Context
}

func (s *silent) Context() context.Context { return s.ctx }
func (s *silent) Recv() (*streams.AppendReq, error) {
	<-s.ctx.Done()
	return nil, s.ctx.Err()
}
