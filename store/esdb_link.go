package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"

	"heddle/domain"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// link keeps a client that works. The library's client ends for good when it finds no server, leaves
// those who wait on it hanging and its old connections open: here every client is given up at its
// first lost connection, and a new one is shared only after it has reached the server.
type link struct {
	config *esdb.Configuration
	grant  string // authorization that the library does not send over plain connections

	mu     sync.Mutex // held while a client is being connected
	client *esdb.Client
	closed bool
}

func (l *link) configure(address string, logger *slog.Logger) error {
	config, err := esdb.ParseConnectionString(address)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the address, which holds the password
	}
	if err != nil {
		return fmt.Errorf("the event log's address can't be used: %w", err)
	}
	config.Logger = func(level esdb.LogLevel, format string, args ...any) {
		at := map[esdb.LogLevel]slog.Level{esdb.LogWarn: slog.LevelWarn, esdb.LogError: slog.LevelWarn}[level] // what is an error is returned too
		if level == esdb.LogDebug || level == esdb.LogInfo {
			at = slog.LevelDebug
		}
		logger.Log(context.Background(), at, "event log client: "+fmt.Sprintf(format, args...))
	}
	config.MaxDiscoverAttempts = 1 // the tries are counted here
	l.config = config
	if host, _, err := net.SplitHostPort(config.Address); err == nil && config.DisableTLS && config.Username != "" {
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			l.grant = "Basic " + base64.StdEncoding.EncodeToString([]byte(config.Username+":"+config.Password))
		}
	}
	return nil
}

// errPrecondition is a refusal that the client has no code for.
var errPrecondition = errors.New("the stream is not as expected")

// use calls with a client and says what its error means: a refusal of the domain, a conflict, errUnknown
// for a call that may be repeated, or an error as it is.
func (l *link) use(ctx context.Context, stream string, do func(context.Context, *esdb.Client) error) error {
	c, err := l.connected()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	if err := l.guarded(ctx, c, do); err != nil {
		if err = meaning(stream, err); errors.Is(err, errUnknown) && ctx.Err() == nil {
			l.giveUp(c)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// guarded turns into an error what the library panics with when it is closed while somebody calls it.
func (l *link) guarded(ctx context.Context, c *esdb.Client, do func(context.Context, *esdb.Client) error) (err error) {
	defer func() {
		if p, ok := recover().(error); ok && strings.Contains(p.Error(), "closed channel") {
			err = fmt.Errorf("%w: %w", errUnknown, p)
		} else if p != nil {
			panic(p)
		}
	}()
	if l.grant != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", l.grant)
	}
	return do(ctx, c)
}

func (l *link) connected() (*esdb.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed
	case l.client != nil:
		return l.client, nil
	}
	c, err := esdb.NewClient(l.config)
	if err != nil {
		return nil, err
	}
	if _, err := c.GetServerVersion(); err != nil {
		_ = c.Close() // it never fails
		return nil, err
	}
	l.client = c
	return c, nil
}

// giveUp ends a client; whoever still uses it gets an error and comes back for the next one.
func (l *link) giveUp(c *esdb.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == c {
		l.client = nil
	}
	_ = c.Close() // it never fails, and may be repeated
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.client != nil {
		_ = l.client.Close() // it never fails
		l.client = nil
	}
}

// codeOf is the library's code of an error, -1 when it has none. Its own function for that is of no
// use: it tells the reverse of what it found.
func codeOf(err error) esdb.ErrorCode {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		return e.Code()
	}
	return -1
}

// meaning translates the library's errors.
func meaning(stream string, err error) error {
	if _, conflict := errors.AsType[*ConflictError](err); conflict || errors.Is(err, errUnknown) {
		return err
	}
	grpc := status.Code(err)
	if e, ok := errors.AsType[*esdb.Error](err); ok && e.Err() != nil {
		grpc = status.Code(e.Err())
	}
	switch codeOf(err) {
	case esdb.ErrorCodeStreamDeleted:
		return refuseRemoved(stream)
	case esdb.ErrorCodeResourceNotFound:
		return err
	case esdb.ErrorCodeUnauthenticated, esdb.ErrorCodeAccessDenied:
		return fmt.Errorf("%w (%w)", domain.Refuse(domain.Unavailable, "the event log's server does not accept the user name and password in its address"), err)
	}
	switch grpc {
	case codes.FailedPrecondition:
		return fmt.Errorf("%w: %w", errPrecondition, err)
	case codes.InvalidArgument:
		return fmt.Errorf("%w (%w)", domain.Refuse(domain.Invalid, "the event log's server refuses what is written to %s", stream), err)
	case codes.ResourceExhausted:
		return fmt.Errorf("%w (%w)", domain.Refuse(domain.Unavailable, "the event log's server can't write now"), err)
	case codes.Internal, codes.Unimplemented:
		return fmt.Errorf("the event log's server failed: %w", err)
	}
	return fmt.Errorf("%w: %w", errUnknown, err)
}
