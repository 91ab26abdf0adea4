package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// benchCmd measures a server on this machine.
type benchCmd struct {
	Run benchRunCmd `cmd:"" help:"Start a server on an empty folder, drive one synchronous flow and print how fast it was."`

	Abuse benchAbuseCmd `cmd:"" help:"Start a server on an empty folder, send it the dearest requests that it takes from anybody and print what each costs."`

	Editors benchEditorsCmd `cmd:"" help:"Start a server on an empty folder, have many edit one draft and print how soon each is told of all edits."`

	Subscribers benchSubscribersCmd `cmd:"" help:"Start a server on an empty folder, have many follow one integration and print how soon they are told of changes."`
}

type benchRunCmd struct {
	Callers []int         `default:"1,16,64" help:"How many call at once, one measurement each."`
	For     time.Duration `default:"10s" help:"How long each measurement takes."`
	Warm    time.Duration `default:"2s" help:"How long it is driven before each measurement."`
	Idle    time.Duration `help:"How long to watch it idle, before and after."`
	Profile string        `help:"File for a CPU profile of the server; none when empty."`
}

// Run measures and prints a line for each number of callers.
func (b *benchRunCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	if b.Profile != "" {
		path, err := filepath.Abs(b.Profile)
		if err != nil {
			return fmt.Errorf("naming the profile: %w", err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil { // the server, which writes it, would tell nobody
			return fmt.Errorf("making the profile: %w", err)
		}
		if err := os.Setenv(profileVariable, path); err != nil {
			return fmt.Errorf("asking for the profile: %w", err)
		}
	}
	return onBench(ctx, s, func(server *benchServer) error { return b.measure(ctx, s, server, stdout) })
}

func (b *benchRunCmd) measure(ctx context.Context, s *settings, server *benchServer, stdout io.Writer) error {
	urls, err := server.deploy(ctx, benchDefinition)
	if err != nil {
		return err
	}
	if err := b.idle(ctx, server, stdout, "nothing has run"); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "log %s, redis %s, %d cores, the callers included\n", withoutSecrets(s.Log),
		withoutSecrets(s.Redis), runtime.NumCPU())
	fmt.Fprintln(stdout, "callers    runs/s       p50       p95       p99   server CPU/run   server RSS")
	runs := 0
	for _, callers := range b.Callers {
		warm, err := drive(ctx, urls["Main"], callers, b.Warm)
		if err != nil {
			return err
		}
		before := server.processor()
		took, err := drive(ctx, urls["Main"], callers, b.For)
		if err != nil {
			return err
		}
		runs += len(warm) + len(took)
		at := quantiles(took, 10*time.Microsecond)
		fmt.Fprintf(stdout, "%7d %9.0f %9s %9s %9s %16s %9d MiB\n", callers, float64(len(took))/b.For.Seconds(), at(.5),
			at(.95), at(.99),
			((server.processor() - before) / time.Duration(len(took))).Round(time.Microsecond), server.memory()>>20)
	}
	return b.idle(ctx, server, stdout, fmt.Sprint(runs, " runs are done"))
}

// idle watches a server that has nothing to do.
func (b *benchRunCmd) idle(ctx context.Context, server *benchServer, stdout io.Writer, when string) error {
	if b.Idle == 0 {
		return nil
	}
	before := server.processor()
	select {
	case <-time.After(b.Idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	fmt.Fprintf(stdout, "idle for %s when %s: %.1f %% of a core, %d MiB\n", b.Idle, when,
		100*(server.processor()-before).Seconds()/b.Idle.Seconds(), server.memory()>>20)
	return nil
}

// drive calls the trigger again and again and returns how long each call took.
func drive(ctx context.Context, trigger string, callers int, length time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var group sync.WaitGroup
	var failed atomic.Pointer[error]
	each := make([][]time.Duration, callers)
	for i := range each {
		group.Go(func() {
			took, err := call(ctx, trigger)
			if err != nil {
				failed.Store(&err)
				cancel()
			}
			each[i] = took
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return slices.Concat(each...), nil
}

// call is one caller: a connection of its own, one request after another.
func call(ctx context.Context, trigger string) (took []time.Duration, err error) {
	u, err := url.Parse(trigger)
	if err != nil {
		return nil, fmt.Errorf("reading the trigger's URL: %w", err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("calling the trigger: %w", err)
	}
	defer func() { _ = conn.Close() }()
	const body = `{"order":{"id":"o-1","total":129.5},"kind":"large"}`
	request := []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", u.Path, u.Host, len(body), body))
	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		start := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, fmt.Errorf("calling the trigger: %w", err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return nil, fmt.Errorf("calling the trigger: %w", err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("o-1")) {
			return nil, fmt.Errorf("the trigger answered %s %s %w", answer.Status, text, err)
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}
