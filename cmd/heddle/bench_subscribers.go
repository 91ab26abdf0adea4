package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

type benchSubscribersCmd struct {
	Subscribers int    `default:"1000" help:"How many follow the same integration, each over a WebSocket of its own."`
	Changes     int    `default:"20" help:"How often it is changed; the next change waits until all know of the last."`
	Fields      string `default:"id name description draftRevision flows { nodes { id name } }" help:"What each asks for."`
}

// told is when a subscriber heard of a change.
type told struct {
	change int
	at     time.Time
}

// openAtOnce is how many subscribers connect at the same time.
const openAtOnce = 50

// Run opens the subscriptions, changes what they are of and prints how long it took until each was told,
// counted from before the change was asked for.
func (b *benchSubscribersCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	return onBench(ctx, s, func(server *benchServer) error { return b.changes(ctx, s, server, stdout) })
}

func (b *benchSubscribersCmd) changes(ctx context.Context, s *settings, server *benchServer, stdout io.Writer) error {
	integration, err := server.imports(ctx, benchDefinition)
	if err != nil {
		return err
	}
	idle := server.memory()
	ctx, end := context.WithCancel(ctx)
	listening, ctx := errgroup.WithContext(ctx)
	heard := make(chan told, b.Subscribers)
	began := time.Now()
	err = b.open(ctx, listening, server, integration, heard)
	if err == nil {
		fmt.Fprintf(stdout, "log %s, %d cores, the subscribers included\n", withoutSecrets(s.Log), runtime.NumCPU())
		fmt.Fprintf(stdout, "%d subscriptions opened in %s, server RSS %d MiB before, %d MiB after\n", b.Subscribers,
			time.Since(began).Round(time.Millisecond), idle>>20, server.memory()>>20)
		err = b.measure(ctx, server, integration, heard, stdout)
	}
	end()
	if failed := listening.Wait(); err == nil && failed != nil && ctx.Err() == nil {
		err = failed
	}
	return err
}

// open opens all subscriptions and returns once each has been told the state at the beginning.
func (b *benchSubscribersCmd) open(ctx context.Context, listening *errgroup.Group, server *benchServer,
	integration string, heard chan told) error {
	slots := make(chan struct{}, openAtOnce)
	for range b.Subscribers {
		listening.Go(func() error { return b.follow(ctx, server, integration, slots, heard) })
	}
	return b.all(ctx, heard, 0, nil)
}

// all waits until every subscriber has heard of a change.
func (b *benchSubscribersCmd) all(ctx context.Context, heard <-chan told, change int, each func(time.Time)) error {
	for n := 0; n < b.Subscribers; {
		select {
		case t := <-heard:
			if t.change != change {
				continue
			}
			if n++; each != nil {
				each(t.at)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// measure makes the changes.
func (b *benchSubscribersCmd) measure(ctx context.Context, server *benchServer, integration string, heard <-chan told,
	stdout io.Writer) error {
	var took []time.Duration
	peak, before := 0, server.processor()
	for change := 1; change <= b.Changes; change++ {
		begin := time.Now()
		document := fmt.Sprintf(`mutation($v: ID!) { updateIntegration(input: {id: $v, description: "change %d."}) { integration { id } } }`, change)
		if err := server.ask(ctx, document, integration, &struct{}{}); err != nil {
			return err
		}
		if err := b.all(ctx, heard, change, func(at time.Time) { took = append(took, at.Sub(begin)) }); err != nil {
			return err
		}
		peak = max(peak, server.memory())
	}
	at := quantiles(took, 100*time.Microsecond)
	fmt.Fprintln(stdout, "subscribers   changes       p50       p95       p99       max   server CPU/change   server RSS")
	_, err := fmt.Fprintf(stdout, "%11d %9d %9s %9s %9s %9s %19s %8d MiB\n", b.Subscribers, b.Changes, at(.5), at(.95),
		at(.99), at(1),
		((server.processor() - before) / time.Duration(b.Changes)).Round(time.Millisecond), peak>>20)
	return err
}

// follow is one subscriber: it tells of each state that it is sent.
func (b *benchSubscribersCmd) follow(ctx context.Context, server *benchServer, integration string, slots chan struct{},
	heard chan<- told) error {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	conn, err := server.socket(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	query := "subscription($i: ID!) { integrationChanged(id: $i) { " + b.Fields + " } }"
	subscribe, err := json.Marshal(map[string]any{"id": "1", "type": "subscribe",
		"payload": map[string]any{"query": query, "variables": map[string]any{"i": integration}}})
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	for first, written := true, [][]byte{[]byte(`{"type":"connection_init"}`), subscribe}; ; {
		if len(written) > 0 {
			if err := conn.Write(ctx, websocket.MessageText, written[0]); err != nil {
				return fmt.Errorf("opening a subscription: %w", err)
			}
			written = written[1:]
		}
		_, message, err := conn.Read(ctx)
		t := told{at: time.Now()}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("following an integration: %w", err)
		case bytes.Contains(message, []byte(`"connection_ack"`)):
			continue
		case !bytes.Contains(message, []byte(`"next"`)) || bytes.Contains(message, []byte(`"errors"`)):
			return fmt.Errorf("a subscriber was told %s", message)
		}
		if _, after, changed := bytes.Cut(message, []byte(`"change `)); changed {
			_, _ = fmt.Sscanf(string(after), "%d.", &t.change) // one that is none counts for no change
		}
		if first {
			first = false
			<-slots
		}
		select {
		case heard <- t:
		case <-ctx.Done():
			return nil
		}
	}
}
