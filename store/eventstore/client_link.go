package eventstore

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"heddle/domain/refusal"
	"heddle/store"
)

// link is the connection to the server. It takes the address and the protocol from EventStoreDB's Go client,
// but not its client: that one ends for good after one failed discovery, then leaves its callers hanging
// whatever their context says, leaks a connection at each rediscovery, and can't be closed while in use without
// a data race.
type link struct {
	config *esdb.Configuration
	logger *slog.Logger
	dial   []grpc.DialOption

	mu     sync.Mutex
	conn   *grpc.ClientConn // reconnects by itself; dropped when the cluster has another leader
	lost   bool             // logged as lost
	closed bool
}

func (l *link) configure(address string, logger *slog.Logger) (err error) {
	l.logger = logger
	l.config, err = esdb.ParseConnectionString(address)
	if err != nil && strings.Contains(address, "@") { // the parser's error may quote a part of the password
		err = errors.New(
			"write it as esdb://user:password@host:2113?tls=true, with %2F, %3A and %40 for /, : and @ in user and password")
	}
	if err != nil {
		return fmt.Errorf("the event log's address can't be used: %w", err)
	}
	secure, err := l.transport()
	if err != nil {
		return fmt.Errorf("the event log's address can't be used: %w", err)
	}
	l.dial = []grpc.DialOption{grpc.WithTransportCredentials(secure),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)), grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 5 * time.Second,
			Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 2, Jitter: 0.2,
				MaxDelay: 2 * time.Second}})}
	if every := l.config.KeepAliveInterval; every >= 0 {
		l.dial = append(l.dial,
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: every, Timeout: l.config.KeepAliveTimeout,
				PermitWithoutStream: true}))
	}
	if l.config.Username != "" && (!l.config.DisableTLS || isLoopback(l.config.Address)) {
		l.dial = append(l.dial, grpc.WithPerRPCCredentials(&basic{secure: !l.config.DisableTLS,
			header: "Basic " + base64.StdEncoding.EncodeToString([]byte(l.config.Username+":"+l.config.Password))}))
	}
	return nil
}

func (l *link) transport() (credentials.TransportCredentials, error) {
	c := l.config
	if c.DisableTLS {
		return insecure.NewCredentials(), nil
	}
	secure := &tls.Config{RootCAs: c.RootCAs, InsecureSkipVerify: c.SkipCertificateVerification,
		MinVersion: tls.VersionTLS12}
	if c.UserCertFile != "" || c.UserKeyFile != "" {
		own, err := tls.LoadX509KeyPair(c.UserCertFile, c.UserKeyFile)
		if err != nil {
			return nil, err
		}
		secure.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(secure), nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// basic sends user and password with every call.
type basic struct {
	header string
	secure bool
}

// GetRequestMetadata implements [credentials.PerRPCCredentials].
func (b *basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": b.header}, nil
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials].
func (b *basic) RequireTransportSecurity() bool { return b.secure }

// errNotAccepted is the error for a refused password; a starting server may send it, too.
var errNotAccepted = refusal.New(refusal.Unavailable,
	"the event log's server does not accept the user name and password in its address")

// errPrecondition is a refusal because of a call's expected revision.
var errPrecondition = errors.New("the stream is not as expected")

// use makes a call and translates its error: a refusal of the domain, errPrecondition, store.ErrUnknownOutcome
// for a call that may be repeated, or the error itself. A call passes trailer to gRPC.
func (l *link) use(ctx context.Context, stream string,
	do func(c streams.StreamsClient, trailer grpc.CallOption) error) error {
	conn, err := l.connected(ctx)
	if err != nil {
		return err
	}
	var trailer metadata.MD
	err = do(streams.NewStreamsClient(conn), grpc.Trailer(&trailer))
	l.tell(err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	exception := trailer.Get("exception")
	if len(exception) == 0 {
		exception = []string{""}
	}
	if exception[0] == "not-leader" || status.Code(err) == codes.Unavailable && l.cluster() {
		l.giveUp(conn)
	}
	if exception[0] == "stream-deleted" {
		return store.RefuseRemoved(stream)
	}
	return meaning(stream, exception[0], err)
}

func meaning(stream, exception string, err error) error {
	if _, ok := status.FromError(err); !ok {
		return err
	}
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%w (%w)", errNotAccepted, err)
	case codes.FailedPrecondition:
		return fmt.Errorf("%w: %w", errPrecondition, err)
	case codes.OutOfRange:
		return fmt.Errorf("%w (%w)", store.ErrBehind, err)
	case codes.InvalidArgument:
		if stream == "" { // subscriptions name only positions
			return fmt.Errorf("%w (%w)", store.ErrBehind, err)
		}
		return fmt.Errorf("%w (%w)",
			refusal.New(refusal.Invalid, "the event log's server refuses what is written to %s", stream), err)
	case codes.ResourceExhausted:
		return fmt.Errorf("%w (%w)", refusal.New(refusal.Unavailable, "the event log's server can't write now"), err)
	case codes.NotFound:
		if exception == "not-leader" {
			break
		}
		return fmt.Errorf("the event log's server failed: %w", err)
	case codes.Internal, codes.Unimplemented:
		return fmt.Errorf("the event log's server failed: %w", err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
}

// tell logs that the server is lost, or back, once each.
func (l *link) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := status.Code(err) == codes.Unavailable
	switch {
	case l.closed || lost == l.lost || err != nil && !lost:
		return
	case lost:
		l.logger.Warn("the event log's server can't be reached", "error", err)
	default:
		l.logger.Info("the event log's server is there again")
	}
	l.lost = lost
}

func (l *link) cluster() bool { return l.config.DnsDiscover || len(l.config.GossipSeeds) > 0 }

// connected returns the connection to the server, or to a cluster's leader, that all calls share.
func (l *link) connected(ctx context.Context) (*grpc.ClientConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, store.ErrClosed
	case l.conn != nil:
		return l.conn, nil
	}
	address := l.config.Address
	if l.cluster() {
		var err error
		if address, err = l.leader(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
		}
	}
	conn, err := grpc.NewClient(address, l.dial...)
	if err != nil {
		return nil, fmt.Errorf("the event log's address can't be used: %w", err)
	}
	l.conn = conn
	return conn, nil
}

// leader asks the cluster's nodes for their leader: only the leader takes appends.
func (l *link) leader(ctx context.Context) (string, error) {
	seeds := []string{l.config.Address}
	if len(l.config.GossipSeeds) > 0 {
		seeds = nil
		for _, seed := range l.config.GossipSeeds {
			seeds = append(seeds, seed.String())
		}
	}
	err := errors.New("no node of the event log's cluster leads")
	for _, seed := range seeds {
		address, problem := l.ask(ctx, seed)
		if problem == nil && address != "" {
			return address, nil
		}
		err = errors.Join(err, problem)
	}
	return "", err
}

func (l *link) ask(ctx context.Context, seed string) (leader string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(l.config.GossipTimeout)*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(seed, l.dial...)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // it only asked
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return "", err
	}
	for _, m := range info.GetMembers() {
		if m.GetIsAlive() && m.GetState() == gossip.MemberInfo_Leader {
			return net.JoinHostPort(m.GetHttpEndPoint().GetAddress(), fmt.Sprint(m.GetHttpEndPoint().GetPort())), nil
		}
	}
	return "", nil
}

// giveUp closes a connection to a former leader; the next call finds the new one.
func (l *link) giveUp(conn *grpc.ClientConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.conn = nil
		_ = conn.Close() // its calls end, and are repeated
	}
}

func (l *link) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.conn == nil {
		return nil
	}
	conn := l.conn
	l.conn = nil
	return conn.Close()
}
