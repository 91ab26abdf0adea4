package graph

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heddle/domain"
)

// listen puts the door on a real socket.
func (h *harness) listen() *harness {
	h.t.Helper()
	if h.address == "" {
		server := httptest.NewServer(h.handler)
		h.t.Cleanup(server.Close)
		h.address = server.URL + "/api"
	}
	return h
}

// patience is how long tests wait for what must come; nothing is measured by it.
const patience = 10 * time.Second

// eventsClient reads server-sent events.
type eventsClient struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Scanner
	close    context.CancelFunc
	id       string // of the last event
}

// follow sends a document by POST, with header, value pairs.
func (h *harness) follow(token, document string, v vars, headers ...string) *eventsClient {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": v})
	h.must(err)
	r, err := http.NewRequest(http.MethodPost, h.listen().address, strings.NewReader(string(body)))
	h.must(err)
	r.Header.Set("Content-Type", "application/json")
	return h.openEvents(r, token, headers...)
}

func (h *harness) openEvents(r *http.Request, token string, headers ...string) *eventsClient {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	r.Header.Set("Accept", "text/event-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r.WithContext(ctx))
	h.must(err)
	c := &eventsClient{t: h.t, response: response, lines: bufio.NewScanner(response.Body)}
	c.lines.Buffer(nil, 1<<20)
	c.close = func() {
		cancel()
		_ = response.Body.Close()
	}
	h.t.Cleanup(c.close)
	return c
}

// event returns the next event and its data; the name is empty when the stream has ended.
func (c *eventsClient) event() (name, data string) {
	c.t.Helper()
	has := false
	for c.lines.Scan() {
		switch field, value, _ := strings.Cut(c.lines.Text(), ":"); {
		case field == "event":
			name = strings.TrimSpace(value)
		case field == "data":
			data, has = strings.TrimSpace(value), true
		case field == "id":
			c.id = strings.TrimSpace(value)
		case c.lines.Text() == "" && has: // as browsers do it: without data there is no event
			return name, data
		}
	}
	return "", ""
}

// next returns the next response.
func (c *eventsClient) next() (a reply) {
	c.t.Helper()
	name, data := c.event()
	if name != "next" {
		c.t.Fatalf("instead of a response came %q %s", name, data)
	}
	a.status, a.header, a.body = c.response.StatusCode, c.response.Header, data
	if err := json.Unmarshal([]byte(data), &a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

// ends checks that the stream is complete.
func (c *eventsClient) ends() {
	c.t.Helper()
	if name, data := c.event(); name != "complete" || data != "" {
		c.t.Errorf("instead of the end came %q %s", name, data)
	}
	if name, _ := c.event(); name != "" {
		c.t.Errorf("after the end came %q", name)
	}
}

// smallClient keeps little of what its user does not read.
func smallClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network,
		address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}}}
}

// socketClient is the client's side of a WebSocket.
type socketClient struct {
	t    testing.TB
	conn *websocket.Conn
}

// dial opens a WebSocket and sends nothing yet.
func (h *harness) dial(headers ...string) *socketClient {
	h.t.Helper()
	o := &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{}, HTTPClient: h.client}
	for i := 0; i < len(headers); i += 2 {
		o.HTTPHeader.Set(headers[i], headers[i+1])
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(h.listen().address, "http", "ws", 1), o)
	h.must(err)
	conn.SetReadLimit(1 << 20)
	h.t.Cleanup(func() { _ = conn.CloseNow() })
	return &socketClient{h.t, conn}
}

// connect opens a WebSocket and is let in.
func (h *harness) connect(token string) *socketClient {
	h.t.Helper()
	c := h.dial()
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + token + `"}}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

func (c *socketClient) send(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *socketClient) subscribe(id, document string, v vars) {
	c.t.Helper()
	payload, err := json.Marshal(map[string]any{"id": id, "type": "subscribe",
		"payload": map[string]any{"query": document, "variables": v}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(string(payload))
}

// receive returns the next message, or how the server closed.
func (c *socketClient) receive() (text string, err error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	if err != nil && websocket.CloseStatus(err) < 0 && !errors.Is(err, io.EOF) {
		c.t.Fatal(err)
	}
	return string(data), err
}

// read returns the next message, or the code that the server closed with.
func (c *socketClient) read() (text string, code websocket.StatusCode) {
	c.t.Helper()
	text, err := c.receive()
	return text, websocket.CloseStatus(err)
}

func (c *socketClient) expect(want string) {
	c.t.Helper()
	if got, code := c.read(); got != want {
		c.t.Fatalf("got %s (code %d), want %s", got, code, want)
	}
}

func (c *socketClient) closed(want websocket.StatusCode) {
	c.t.Helper()
	if got, code := c.read(); code != want {
		c.t.Errorf("got %s (code %d), want code %d", got, code, want)
	}
}

// next returns the next response to an operation.
func (c *socketClient) next(id string) (a reply) {
	c.t.Helper()
	text, code := c.read()
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Type != "next" || m.ID != id {
		c.t.Fatalf("instead of a response to %s came %s (code %d)", id, text, code)
	}
	a.body = string(m.Payload)
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

// query is a GET's address.
func (h *harness) query(document string, v vars, more ...string) *http.Request {
	h.t.Helper()
	variables, err := json.Marshal(v)
	h.must(err)
	q := url.Values{"query": {document}, "variables": {string(variables)}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	r, err := http.NewRequest(http.MethodGet, h.listen().address+"?"+q.Encode(), nil)
	h.must(err)
	return r
}

// started records an execution that a worker has begun, and returns its id.
func (h *harness) started(instance string) string {
	h.t.Helper()
	id := newID()
	happen(h, h.system(h.t.Context()), domain.Runs, id, domain.RunQueued{Instance: instance, Flow: newID(),
		FlowName: "Orders", Version: "v", Invoke: domain.InvokedByWebhook},
		domain.RunClaimed{Claim: 1})
	return id
}

// stepped records a step of an execution with two log lines.
func (h *harness) stepped(run, name string) {
	h.t.Helper()
	happen(h, h.system(h.t.Context()), domain.Runs, run, domain.StepFinished{Claim: 1, Path: name, Name: name,
		Output: domain.Content{Inline: json.RawMessage(`1`), Size: 1},
		Log:    []domain.LogLine{{Severity: "INFO", Message: name + " 1"}, {Severity: "INFO", Message: name + " 2"}}})
}

func (h *harness) finished(run string) {
	h.t.Helper()
	happen(h, h.system(h.t.Context()), domain.Runs, run, domain.RunFinished{Claim: 1, Result: domain.Completed})
}
