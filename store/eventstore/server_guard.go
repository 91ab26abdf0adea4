package eventstore

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	"heddle/store"
)

// A caller without the password holds next to nothing: a connection for a moment, of few from one address, on
// which no message is read.

// ServerLimits bound the resources that callers of a [Server] can hold.
type ServerLimits struct {
	Connections           int // at once
	ConnectionsPerAddress int // of those, from one address
	Calls                 int // at once, subscriptions included
}

// DefaultServerLimits are more than a large installation needs.
var DefaultServerLimits = ServerLimits{Connections: 512, ConnectionsPerAddress: 128, Calls: 8192}

const (
	handshakeTime = 10 * time.Second // for TLS and HTTP/2 to begin
	strangerTime  = 10 * time.Second // between the connection and the password
	strangerTries = 16               // calls that are refused before the connection is closed
	maxHeaders    = 16 << 10         // bytes of one call's headers
	callsEach     = 2048             // calls at once on one connection
)

// guard counts the connections of a server.
type guard struct {
	net.Listener
	peers  store.Peers
	logger *slog.Logger
	told   time.Time // when the last refusal was logged
}

// Accept implements [net.Listener]: connections over the limits are closed at once.
func (g *guard) Accept() (net.Conn, error) {
	for {
		raw, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, alone := g.peers.Enter(raw.RemoteAddr().String())
		if leave == nil {
			g.tell(raw, alone)
			_ = raw.Close() // the client was told nothing
			continue
		}
		c := &guarded{Conn: raw, leave: leave}
		c.timer = time.AfterFunc(never, c.expire)
		c.timer.Reset(strangerTime)
		return c, nil
	}
}

// tell warns of a refused connection, once a minute.
func (g *guard) tell(refused net.Conn, alone bool) {
	if time.Since(g.told) <= time.Minute {
		return
	}
	g.told = time.Now()
	g.logger.Warn(
		"connections to the served event log are refused: there are too many (HEDDLE_LOG_CONNECTIONS, HEDDLE_LOG_CONNECTIONS_PER_ADDRESS)",
		"address", refused.RemoteAddr().String(), "from_there_alone", alone)
}

// guarded is a connection that is closed unless the password comes on it in time.
type guarded struct {
	net.Conn
	leave    func()
	timer    *time.Timer
	admitted atomic.Bool
	refused  atomic.Int32
}

// Close implements [net.Conn].
func (c *guarded) Close() error {
	c.timer.Stop()
	c.leave()
	return c.Conn.Close()
}

func (c *guarded) expire() {
	if !c.admitted.Load() {
		_ = c.Close() // the client has been told nothing
	}
}

func (c *guarded) admit() {
	if !c.admitted.Swap(true) {
		c.timer.Stop()
	}
}

// refuse closes a connection after too many refused calls: of each call something stays in gRPC until then.
func (c *guarded) refuse() {
	if c.refused.Add(1) == strangerTries && !c.admitted.Load() {
		c.timer.Reset(time.Second) // so that the last answer arrives; further calls get no more time
	}
}

// connInfo returns the connection of a call.
type connInfo struct {
	credentials.CommonAuthInfo
	conn *guarded
}

// AuthType implements [credentials.AuthInfo].
func (connInfo) AuthType() string { return "plain or tls" }

// open are the methods that need no password: clients call them before they send it. The request of such a call
// is not read.
var open = map[string]bool{
	serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName: true,
	gossip.Gossip_Read_FullMethodName:                                true,
}

// authenticate lets calls in by their headers, before anything else of them is held.
func (s *Server) authenticate(ctx context.Context, call *tap.Info) (context.Context, error) {
	p, _ := peer.FromContext(ctx)
	info, _ := p.AuthInfo.(connInfo)
	header := call.Header["authorization"]
	switch {
	case info.conn == nil:
		return ctx, status.Error(codes.Internal, "a call without a connection")
	case len(header) == 1 && subtle.ConstantTimeCompare([]byte(header[0]), []byte(s.grant)) == 1:
		info.conn.admit()
		return ctx, nil
	case open[call.FullMethodName]:
		return ctx, nil
	}
	info.conn.refuse()
	return ctx, status.Error(codes.Unauthenticated, "user name and password are missing or wrong")
}

// begin counts a call; over the limit it is refused.
func (s *Server) begin() (end func(), err error) {
	if s.calls.Add(1) > int64(s.bounds.Calls) {
		s.calls.Add(-1)
		return nil, status.Error(codes.ResourceExhausted, "there are too many calls at once (HEDDLE_LOG_CALLS)")
	}
	return func() { s.calls.Add(-1) }, nil
}

func (s *Server) countCall(ctx context.Context, req any, _ *grpc.UnaryServerInfo,
	handle grpc.UnaryHandler) (any, error) {
	end, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	return handle(ctx, req)
}

func (s *Server) countStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo,
	handle grpc.StreamHandler) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	return handle(srv, stream)
}

// registerOpen serves a method without reading its empty request.
func registerOpen(server *grpc.Server, service, method string, answer func(context.Context) proto.Message) {
	server.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: method, ServerStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return stream.SendMsg(answer(stream.Context())) },
		}}}, struct{}{})
}
