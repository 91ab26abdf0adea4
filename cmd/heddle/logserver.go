package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"heddle/store"
	"heddle/store/eventstore"
	"heddle/store/files"
)

// logCmd has the commands on the event log that need no server.
type logCmd struct {
	Serve logServeCmd `cmd:"" help:"Serve the event log to other processes, and nothing else."`
}

type logServeCmd struct{}

// logGC is how much the heap may grow before it is collected, in percent: such a process holds little
// and allocates much.
const logGC = 400

// defaultServeLog is where EventStoreDB listens too.
const defaultServeLog = "127.0.0.1:2113"

// Run serves until ctx ends.
func (logServeCmd) Run(ctx context.Context, s *settings, logger *slog.Logger, stdout io.Writer) (err error) {
	release, err := lock(s.Data, logger)
	if err != nil {
		return err
	}
	defer release()
	debug.SetGCPercent(logGC)
	if s.ServeLog == "" {
		s.ServeLog = defaultServeLog
	}
	log, err := s.openLog(logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	serve, address, err := s.logServer(log, logger, stdout)
	if err != nil {
		return err
	}
	logger.Info("ready", "url", "esdb://"+address)
	return serve(ctx)
}

// logServer listens for those who share the event log; serve answers them until its context ends.
func (s *settings) logServer(log store.Log, logger *slog.Logger,
	stdout io.Writer) (serve func(context.Context) error, address string, err error) {
	if s.Log != "embedded" {
		return nil, "", errors.New("HEDDLE_SERVE_LOG: only the embedded event log can be served; HEDDLE_LOG is another one")
	}
	listener, err := net.Listen("tcp", s.ServeLog)
	if err != nil {
		return nil, "", fmt.Errorf("listening (HEDDLE_SERVE_LOG): %w", err)
	}
	options := eventstore.ServerOptions{User: s.LogUser, Logger: logger,
		Limits: eventstore.ServerLimits{Connections: s.LogConnections,
			ConnectionsPerAddress: s.LogConnectionsPerAddress, Calls: s.LogCalls}}
	options.TLS, err = s.logTLS(listener.Addr().(*net.TCPAddr).IP.IsLoopback())
	if err == nil {
		options.Password, err = s.logPassword(stdout)
	}
	var server *eventstore.Server
	if err == nil {
		server, err = eventstore.NewServer(log, options)
	}
	if err != nil {
		return nil, "", errors.Join(err, listener.Close())
	}
	return func(ctx context.Context) error { return server.Serve(ctx, listener) }, listener.Addr().String(), nil
}

// logPassword is the configured password, or one that is made once, shown once and kept.
func (s *settings) logPassword(stdout io.Writer) (string, error) {
	if s.LogPassword != "" {
		if len(s.LogPassword) < minLogPassword {
			return "", fmt.Errorf("HEDDLE_LOG_PASSWORD must have at least %d characters", minLogPassword)
		}
		return s.LogPassword, nil
	}
	path := filepath.Join(s.Data, "log.password")
	kept, err := files.ReadOwn(path)
	if password := strings.TrimSpace(string(kept)); password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the event log's password: %w", err)
	}
	random := make([]byte, 24)
	_, _ = rand.Read(random) // it never fails: see crypto/rand
	password := base64.RawURLEncoding.EncodeToString(random)
	if err := files.WriteNew(path, []byte(password+"\n")); err != nil {
		return "", fmt.Errorf("keeping the event log's password: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "The event log's user is %s, the password, shown this once and kept in %s:\n\n    %s\n\n", s.LogUser, path, password)
	return password, err
}

// minLogPassword is the shortest password of the event log that is accepted.
const minLogPassword = 16

// logTLS is the configured certificate; on loopback one that is made when there is none, since
// EventStoreDB's clients send no password over plain connections.
func (s *settings) logTLS(loopback bool) (*tls.Config, error) {
	certificate, key := s.LogCert, s.LogKey
	switch {
	case (certificate == "") != (key == ""):
		return nil, errors.New("HEDDLE_LOG_CERT and HEDDLE_LOG_KEY belong together: set both")
	case certificate == "" && !loopback:
		return nil, errors.New("HEDDLE_SERVE_LOG: off loopback addresses the event log is served over TLS only; set HEDDLE_LOG_CERT and HEDDLE_LOG_KEY")
	case certificate == "":
		certificate, key = filepath.Join(s.Data, "log.crt"), filepath.Join(s.Data, "log.key")
		if err := makeCertificate(certificate, key); err != nil {
			return nil, fmt.Errorf("making a certificate for the event log: %w", err)
		}
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the event log's certificate (HEDDLE_LOG_CERT, HEDDLE_LOG_KEY): %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

const certificateTime = 10 * 365 * 24 * time.Hour

// makeCertificate makes, if there is none, a certificate for this machine that signs itself.
func makeCertificate(certificate, key string) error {
	if _, err := os.Stat(certificate); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "heddle event log"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateTime),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return err
	}
	if err := files.WriteNew(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})); err != nil {
		return err
	}
	return files.WriteNew(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))
}
