package eventstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"heddle/store"
)

// MaxAppend is the size limit of one append through a [Server], data and meta together.
const MaxAppend = 16 << 20 // bytes

const (
	maxMessage = MaxAppend + 1<<20 // bytes of one message, with what surrounds the events

	// How much callers may send before it is read. By default gRPC measures the connection for this, by a ping
	// and its answer beside each append.
	streamWindow, connWindow = 256 << 10, 4 << 20 // bytes

	pingTime  = 10 * time.Second // after which a silent client is asked for a sign of life, and until it is given up
	drainTime = 3 * time.Second  // that calls under way have when the server stops
)

// Server serves a log over EventStoreDB's own gRPC protocol, as a cluster of one node: several
// processes share an embedded log through it, and other programs read and write it with
// EventStoreDB's clients.
type Server struct {
	log     store.ServedLog
	logger  *slog.Logger
	grant   string // the authorization header that is accepted
	tls     *tls.Config
	limits  *limits
	bounds  ServerLimits
	calls   atomic.Int64
	appends chan struct{} // holds a token for each append that is being received
	groups  *groups
	stop    chan struct{}
	stopped sync.Once
}

// ServerOptions are the credentials and limits of a [Server].
type ServerOptions struct {
	User, Password string
	TLS            *tls.Config  // nil serves plain connections, on loopback addresses only
	Limits         ServerLimits // the zero value stands for DefaultServerLimits
	Logger         *slog.Logger
}

// NewServer makes a server for an embedded log, which the caller closes after it.
func NewServer(log store.Log, o ServerOptions) (*Server, error) {
	l, ok := log.(store.ServedLog)
	if !ok {
		return nil, errors.New("only an embedded event log can be served")
	}
	if o.User == "" || o.Password == "" {
		return nil, errors.New("an event log is served to those with a user name and a password only: set both")
	}
	s := &Server{log: l, logger: o.Logger, tls: o.TLS, stop: make(chan struct{}),
		limits: &limits{streams: map[string]limit{}}, bounds: cmp.Or(o.Limits, DefaultServerLimits),
		appends: make(chan struct{}, appendsAtOnce),
		grant:   "Basic " + base64.StdEncoding.EncodeToString([]byte(o.User+":"+o.Password))}
	if err := s.loadLimits(context.Background()); err != nil {
		return nil, fmt.Errorf("reading the metadata of streams: %w", err)
	}
	s.groups = newGroups(s)
	if err := s.groups.load(); err != nil {
		return nil, fmt.Errorf("reading the persistent subscriptions: %w", err)
	}
	return s, nil
}

// Serve answers on a listener until ctx ends, and closes it. Off loopback addresses it needs TLS.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	defer s.groups.close()
	address, ok := listener.Addr().(*net.TCPAddr)
	loopback := ok && address.IP.IsLoopback()
	if s.tls == nil && !loopback {
		return errors.Join(
			fmt.Errorf("the event log is served in plain on loopback addresses only; %s needs a certificate",
				listener.Addr()), listener.Close())
	}
	server := grpc.NewServer(grpc.Creds(&transport{secure: s.tls, plain: loopback}),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.InTapHandle(s.authenticate), grpc.UnaryInterceptor(s.countCall), grpc.StreamInterceptor(s.countStream),
		grpc.ConnectionTimeout(handshakeTime), grpc.MaxConcurrentStreams(callsEach), grpc.MaxHeaderListSize(maxHeaders),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingTime, Timeout: pingTime}))
	streams.RegisterStreamsServer(server, &streamsService{Server: s})
	registerOpen(server, serverfeatures.ServerFeatures_ServiceDesc.ServiceName, "GetSupportedMethods", supported)
	persistent.RegisterPersistentSubscriptionsServer(server, &groupsService{Server: s})
	if ok {
		registerOpen(server, gossip.Gossip_ServiceDesc.ServiceName, "Read", func(context.Context) proto.Message {
			return oneNode(address)
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		s.stopped.Do(func() { close(s.stop) })
		late := time.AfterFunc(drainTime, server.Stop)
		defer late.Stop()
		server.GracefulStop()
	}()
	err := server.Serve(&guard{Listener: listener, peers: store.Peers{Most: s.bounds.Connections,
		Each: s.bounds.ConnectionsPerAddress}, logger: s.logger})
	if ctx.Err() == nil {
		return err
	}
	<-done
	return nil
}

// until derives a context that also ends when the server stops.
func (s *Server) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.stop:
			cancel(store.ErrClosed)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// transport accepts TLS connections, and plain ones if allowed: the first byte decides.
type transport struct {
	secure *tls.Config
	plain  bool
}

// ServerHandshake implements [credentials.TransportCredentials].
func (t *transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn := &peeked{Conn: raw}
	const handshake = 0x16
	if n, err := raw.Read(conn.first[:]); n == 0 {
		return nil, nil, errors.Join(err, raw.Close())
	}
	switch {
	case conn.first[0] == handshake && t.secure != nil:
		secure, _, err := credentials.NewTLS(t.secure).ServerHandshake(conn)
		if err != nil {
			return nil, nil, errors.Join(err, raw.Close())
		}
		return secure, connInfoOf(raw, credentials.PrivacyAndIntegrity), nil
	case conn.first[0] == handshake || !t.plain:
		return nil, nil, errors.Join(errors.New("a connection without the TLS that is asked for, or the reverse"),
			raw.Close())
	}
	return conn, connInfoOf(raw, credentials.NoSecurity), nil
}

// ClientHandshake implements [credentials.TransportCredentials]; there are no clients of it.
func (t *transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info implements [credentials.TransportCredentials].
func (t *transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls or plain"}
}

// Clone implements [credentials.TransportCredentials].
func (t *transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName implements [credentials.TransportCredentials].
func (t *transport) OverrideServerName(string) error { return nil }

func connInfoOf(raw net.Conn, level credentials.SecurityLevel) connInfo {
	conn, _ := raw.(*guarded)
	return connInfo{credentials.CommonAuthInfo{SecurityLevel: level}, conn}
}

// peeked is a connection whose first byte has been read already.
type peeked struct {
	net.Conn
	first [1]byte
	given bool
}

// Read implements [net.Conn].
func (p *peeked) Read(b []byte) (int, error) {
	if !p.given && len(b) > 0 {
		p.given = true
		b[0] = p.first[0]
		return 1, nil
	}
	return p.Conn.Read(b)
}
