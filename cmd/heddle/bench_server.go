package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"heddle/graph"
)

//go:embed bench.yml
var benchDefinition string

// benchServer is the server under measurement: a process of its own, and its folder.
type benchServer struct {
	process *exec.Cmd
	url     string
	token   string
}

// onBench starts a server on an empty folder, has it measured, stops it and takes the folder away.
func onBench(ctx context.Context, s *settings, measure func(*benchServer) error) error {
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
	return measure(server)
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
	server := &benchServer{url: "http://" + address, token: uuid.NewString(),
		process: exec.CommandContext(ctx, self, "serve")}
	server.process.Env = append(os.Environ(), "HEDDLE_LISTEN="+address, "HEDDLE_DATA="+folder,
		"HEDDLE_ADMIN_TOKEN="+server.token,
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

// imports makes an integration of a definition and returns its id.
func (s *benchServer) imports(ctx context.Context, definition string) (integration string, err error) {
	var imported struct{ Integration struct{ ID string } }
	err = s.ask(ctx, `mutation($v: String!) { importIntegration(input: {definition: $v}) { integration { id } } }`,
		definition, &imported)
	return imported.Integration.ID, err
}

// socket opens a WebSocket for operations.
func (s *benchServer) socket(ctx context.Context) (*websocket.Conn, error) {
	conn, answer, err := websocket.Dial(ctx, strings.Replace(s.url, "http", "ws", 1)+"/api", &websocket.DialOptions{
		Subprotocols: []string{graph.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + s.token}}})
	if err != nil {
		return nil, fmt.Errorf("opening a socket: %w %v", err, answer)
	}
	return conn, nil
}

// deploy brings a definition to life and returns its flows' URLs by their names.
func (s *benchServer) deploy(ctx context.Context, definition string) (map[string]string, error) {
	var published, customer, instance struct {
		Integration, Customer, Instance struct{ ID string }
	}
	var found struct {
		FlowConfigs struct {
			Nodes []struct {
				WebhookURL string
				Flow       struct{ Name string }
			}
		}
	}
	integration, err := s.imports(ctx, definition)
	if err != nil {
		return nil, err
	}
	for _, call := range []struct {
		document string
		variable func() string
		into     any
	}{
		{`mutation($v: ID!) { publishIntegration(input: {id: $v}) { integration { id } } }`,
			func() string { return integration }, &published},
		{`mutation($v: String!) { createCustomer(input: {name: $v}) { customer { id } } }`,
			func() string { return "Benchmark" }, &customer},
		{`mutation($v: ID!) { createInstance(input: {name: "Benchmark", integration: $v, customer: "` + "%s" +
			`"}) { instance { id } } }`,
			func() string { return published.Integration.ID }, &instance},
		{`mutation($v: ID!) { deployInstance(input: {id: $v}) { instance { id } } }`,
			func() string { return instance.Instance.ID }, &struct{}{}},
		{`query($v: ID!) { instance(id: $v) { flowConfigs { nodes { webhookUrl flow { name } } } } }`,
			func() string { return instance.Instance.ID }, &found},
	} {
		document := strings.ReplaceAll(call.document, "%s", customer.Customer.ID)
		if err := s.ask(ctx, document, call.variable(), call.into); err != nil {
			return nil, err
		}
	}
	urls := map[string]string{}
	for _, node := range found.FlowConfigs.Nodes {
		urls[node.Flow.Name] = node.WebhookURL
	}
	return urls, nil
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

// memory returns the server's resident memory in bytes, 0 where the system does not say.
func (s *benchServer) memory() int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), "statm"))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}

// forgetPeak has peak count from now on.
func (s *benchServer) forgetPeak() {
	const peak = "5" // see proc(5), clear_refs
	_ = os.WriteFile(filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), "clear_refs"), []byte(peak), 0o200)
}

// peak is the most that the server has had in memory, in bytes, 0 where the system does not tell.
func (s *benchServer) peak() int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.Atoi(fields[0])
	return kilobytes << 10
}

// quantiles sorts and returns the time that a share of all did not take longer than.
func quantiles(took []time.Duration, round time.Duration) func(share float64) time.Duration {
	slices.Sort(took)
	return func(share float64) time.Duration {
		if len(took) == 0 {
			return 0
		}
		return took[int(share*float64(len(took)-1))].Round(round)
	}
}
