package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// benchCmd measures a server on this machine.
type benchCmd struct {
	Run benchRunCmd `cmd:"" help:"Start a server on an empty folder, drive one synchronous flow and print how fast it was."`

	Editors benchEditorsCmd `cmd:"" help:"Start a server on an empty folder, have many edit one draft and print how soon each is told of all edits."`

	Subscribers benchSubscribersCmd `cmd:"" help:"Start a server on an empty folder, have many follow one integration and print how soon they are told of changes."`
}

type benchRunCmd struct {
	Callers []int         `default:"1,16,64" help:"How many call at once, one measurement each."`
	For     time.Duration `default:"10s" help:"How long each measurement takes."`
	Warm    time.Duration `default:"2s" help:"How long it is driven before each measurement."`
	Idle    time.Duration `help:"How long to watch it idle, before and after."`
}

//go:embed bench.yml
var benchDefinition string

// benchServer is the server under measurement: a process of its own, and its folder.
type benchServer struct {
	process *exec.Cmd
	url     string
	token   string
}

// Run measures and prints a line for each number of callers.
func (b *benchRunCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	folder, err := os.MkdirTemp("", "heddle-bench")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	server, err := startBench(ctx, s, folder)
	if err != nil {
		return err
	}
	defer server.stop()
	trigger, err := server.deploy(ctx)
	if err != nil {
		return err
	}
	if err := b.idle(ctx, server, stdout, "nothing has run"); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "log %s, redis %s, %d cores, the callers included\n", withoutPassword(s.Log), withoutPassword(s.Redis), runtime.NumCPU())
	fmt.Fprintln(stdout, "callers    runs/s       p50       p95       p99   server CPU/run   server RSS")
	runs := 0
	for _, callers := range b.Callers {
		warm, err := drive(ctx, trigger, callers, b.Warm)
		if err != nil {
			return err
		}
		before := server.processor()
		took, err := drive(ctx, trigger, callers, b.For)
		if err != nil {
			return err
		}
		slices.Sort(took)
		runs += len(warm) + len(took)
		at := func(share float64) time.Duration {
			return took[int(share*float64(len(took)-1))].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(stdout, "%7d %9.0f %9s %9s %9s %16s %9d MiB\n", callers, float64(len(took))/b.For.Seconds(), at(.5), at(.95), at(.99),
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

func startBench(ctx context.Context, s *settings, folder string) (*benchServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	address := free.Addr().String()
	_ = free.Close()
	server := &benchServer{url: "http://" + address, token: uuid.NewString(), process: exec.CommandContext(ctx, self, "serve")}
	server.process.Env = append(os.Environ(), "HEDDLE_LISTEN="+address, "HEDDLE_DATA="+folder, "HEDDLE_ADMIN_TOKEN="+server.token,
		"HEDDLE_PUBLIC_URL=", "HEDDLE_BLOBS=", "HEDDLE_LOG="+s.Log, "HEDDLE_REDIS="+s.Redis, "HEDDLE_LOG_LEVEL=warn")
	server.process.Stderr = os.Stderr
	server.process.Dir = folder
	if err := server.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	for {
		answer, err := http.Get(server.url + "/readyz")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return server, nil
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			server.stop()
			return nil, ctx.Err()
		}
	}
}

func (s *benchServer) stop() {
	_ = s.process.Process.Signal(syscall.SIGTERM)
	_ = s.process.Wait() // how it ends does not matter: its folder goes
}

// deploy brings the flow to life and gives its URL.
func (s *benchServer) deploy(ctx context.Context) (string, error) {
	var imported, published, customer, instance struct {
		Integration, Customer, Instance struct{ ID string }
	}
	var found struct {
		FlowConfigs struct {
			Nodes []struct{ WebhookURL string }
		}
	}
	for _, call := range []struct {
		document string
		variable func() string
		into     any
	}{
		{`mutation($v: String!) { importIntegration(input: {definition: $v}) { integration { id } } }`, func() string { return benchDefinition }, &imported},
		{`mutation($v: ID!) { publishIntegration(input: {id: $v}) { integration { id } } }`, func() string { return imported.Integration.ID }, &published},
		{`mutation($v: String!) { createCustomer(input: {name: $v}) { customer { id } } }`, func() string { return "Benchmark" }, &customer},
		{`mutation($v: ID!) { createInstance(input: {name: "Benchmark", integration: $v, customer: "` + "%s" + `"}) { instance { id } } }`,
			func() string { return published.Integration.ID }, &instance},
		{`mutation($v: ID!) { deployInstance(input: {id: $v}) { instance { id } } }`, func() string { return instance.Instance.ID }, &struct{}{}},
		{`query($v: ID!) { instance(id: $v) { flowConfigs { nodes { webhookUrl } } } }`, func() string { return instance.Instance.ID }, &found},
	} {
		document := strings.ReplaceAll(call.document, "%s", customer.Customer.ID)
		if err := s.ask(ctx, document, call.variable(), call.into); err != nil {
			return "", err
		}
	}
	if len(found.FlowConfigs.Nodes) != 1 {
		return "", errors.New("the instance has not one flow")
	}
	return found.FlowConfigs.Nodes[0].WebhookURL, nil
}

// ask makes one call and decodes what its only root field answers.
func (s *benchServer) ask(ctx context.Context, document, variable string, into any) error {
	body, err := json.Marshal(map[string]any{"query": document, "variables": map[string]string{"v": variable}})
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var told struct {
		Data   map[string]json.RawMessage
		Errors json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil || told.Errors != nil {
		return fmt.Errorf("%s: answered %s: %w", document, told.Errors, err)
	}
	for _, field := range told.Data {
		return json.Unmarshal(field, into)
	}
	return errors.New("the answer has no field")
}

// drive calls the trigger again and again and gives how long each call took.
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

// processor is the time that the server has been computing, 0 where the system does not tell.
func (s *benchServer) processor() time.Duration {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100 // Linux counts in hundredths
}

// memory is what the server has in memory, in bytes, 0 where the system does not tell.
func (s *benchServer) memory() int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), "statm"))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}
