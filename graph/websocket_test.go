package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heddle/domain"
)

// What breaks the protocol ends the connection with the protocol's code.
func TestSocketCloses(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.InitTimeout = 50 * time.Millisecond; o.MaxAnonymousBody = 500 })
	in := `{"type":"connection_init","payload":{"authToken":"` + h.tokens[domain.Viewer] + `"}}`
	subscribe := `{"id":"1","type":"subscribe","payload":{"query":"subscription { instanceChanged(id: \"` +
		h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "A")) + `\") { id } }"}}`
	const invalid = "Invalid message received"
	long := strings.Repeat("é", 100)
	for name, c := range map[string]struct {
		send []string
		code websocket.StatusCode
		why  string // as the protocol words it
	}{
		"nothing":                 {nil, 4408, "Connection initialisation timeout"},
		"only a ping":             {[]string{`{"type":"ping"}`}, 4408, "Connection initialisation timeout"},
		"no JSON":                 {[]string{"hello"}, 4400, invalid},
		"a list":                  {[]string{`[]`}, 4400, invalid},
		"null":                    {[]string{`null`}, 4400, invalid},
		"an unknown type":         {[]string{`{"type":"start"}`}, 4400, invalid},
		"a type of another kind":  {[]string{`{"type":1}`}, 4400, invalid},
		"no type":                 {[]string{`{"id":"1"}`}, 4400, invalid},
		"an init that is a text":  {[]string{`{"type":"connection_init","payload":"x"}`}, 4400, invalid},
		"an init that is a list":  {[]string{`{"type":"connection_init","payload":[]}`}, 4400, invalid},
		"a ping that is a number": {[]string{in, `{"type":"ping","payload":1}`}, 4400, invalid},
		"a pong that is a list":   {[]string{in, `{"type":"pong","payload":[]}`}, 4400, invalid},
		"a server's ack":          {[]string{in, `{"type":"connection_ack"}`}, 4400, invalid},
		"a server's next":         {[]string{in, `{"type":"next","id":"1","payload":{}}`}, 4400, invalid},
		"a server's error":        {[]string{in, `{"type":"error","id":"1","payload":[]}`}, 4400, invalid},
		"no token":                {[]string{`{"type":"connection_init"}`}, 4403, "Forbidden"},
		"a payload that is null":  {[]string{`{"type":"connection_init","payload":null}`}, 4403, "Forbidden"},
		"an unknown token":        {[]string{`{"type":"connection_init","payload":{"Authorization":"Bearer heddle_x"}}`}, 4403, "Forbidden"},
		"a token that is no text": {[]string{`{"type":"connection_init","payload":{"authToken":["x"]}}`}, 4403,
			"Forbidden"},
		"init twice":             {[]string{in, in}, 4429, "Too many initialisation requests"},
		"subscribe first":        {[]string{subscribe}, 4401, "Unauthorized"},
		"subscribe first, badly": {[]string{`{"id":"1","type":"subscribe","payload":{}}`}, 4401, "Unauthorized"},
		"the same id twice":      {[]string{in, subscribe, subscribe}, 4409, "Subscriber for 1 already exists"},
		"a long id twice": {[]string{in, strings.Replace(subscribe, `"1"`, `"`+long+`"`, 1),
			strings.Replace(subscribe, `"1"`, `"`+long+`"`,
				1)}, 4409, "Subscriber for " + long[:80] + " already exists"},
		"no id":                 {[]string{in, strings.Replace(subscribe, `"id":"1",`, "", 1)}, 4400, invalid},
		"an empty id":           {[]string{in, strings.Replace(subscribe, `"1"`, `""`, 1)}, 4400, invalid},
		"an id that is no text": {[]string{in, strings.Replace(subscribe, `"1"`, "1", 1)}, 4400, invalid},
		"no payload":            {[]string{in, `{"id":"1","type":"subscribe"}`}, 4400, invalid},
		"no query":              {[]string{in, `{"id":"1","type":"subscribe","payload":{}}`}, 4400, invalid},
		"a query that is a list": {[]string{in, `{"id":"1","type":"subscribe","payload":{"query":[]}}`}, 4400,
			invalid},
		"variables of other type": {[]string{in,
			`{"id":"1","type":"subscribe","payload":{"query":"{ __typename }","variables":[]}}`}, 4400, invalid},
		"a name of other type": {[]string{in,
			`{"id":"1","type":"subscribe","payload":{"query":"{ __typename }","operationName":1}}`}, 4400, invalid},
		"extensions of other type": {[]string{in,
			`{"id":"1","type":"subscribe","payload":{"query":"{ __typename }","extensions":"x"}}`}, 4400, invalid},
		"complete without id": {[]string{in, `{"type":"complete"}`}, 4400, invalid},
		"large before it is let in": {[]string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 500) + `"}}`},
			websocket.StatusMessageTooBig, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, client := c, h.dial()
			for _, text := range c.send {
				client.send(text)
			}
			for {
				text, err := client.receive()
				if code := websocket.CloseStatus(err); code == c.code {
					if closed, _ := errors.AsType[websocket.CloseError](err); c.why != "" && closed.Reason != c.why {
						t.Errorf("closed with %q, want %q", closed.Reason, c.why)
					}
					return
				} else if code != -1 {
					t.Fatalf("closed with %d, want %d", code, c.code)
				}
				if !strings.Contains(text, `"connection_ack"`) && !strings.Contains(text, `"next"`) &&
					text != `{"type":"pong"}` {
					t.Fatalf("got %s", text)
				}
			}
		})
	}
}

// The protocol's messages are texts.
func TestSocketClosesOnBinary(t *testing.T) {
	c := newHarness(t).dial()
	if err := c.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	c.closed(4400)
}

func TestSocketSubprotocol(t *testing.T) {
	h := newHarness(t).listen()
	for _, offered := range [][]string{nil, {"graphql-ws"}} {
		conn, _, err := websocket.Dial(t.Context(), strings.Replace(h.address, "http", "ws", 1),
			&websocket.DialOptions{Subprotocols: offered})
		h.must(err)
		if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != 4406 {
			t.Errorf("%v: %v", offered, err)
		}
	}
}

// Pings are answered at any time; pongs, and completions of what has ended, are taken without a word.
func TestSocketPings(t *testing.T) {
	h := newHarness(t)
	c := h.dial("Authorization", "Bearer "+h.tokens[domain.Viewer])
	c.send(`{"type":"pong"}`)
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	c.send(`{"type":"connection_init"}`)
	c.expect(`{"type":"connection_ack"}`)
	c.send(`{"type":"complete","id":"never was"}`)
	c.send(`{"type":"ping","payload":{"a":1}}`)
	c.expect(`{"type":"pong","payload":{"a":1}}`)
}

// Queries and mutations have one response and an end; an operation that can't begin has one error and
// nothing after it, and its id is free again.
func TestSocketOperations(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.MaxDepth = 3 })
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("a", `{ organization { name } }`, nil)
	c.expect(`{"id":"a","type":"next","payload":{"data":{"organization":{"name":"Weavers"}}}}`)
	c.expect(`{"id":"a","type":"complete"}`)
	c.subscribe("a", `mutation { createCustomer(input: {name: "A"}) { errors { field } } }`, nil)
	if a := c.next("a"); a.code() != "FORBIDDEN" || string(a.Data) != "null" {
		t.Errorf("answered %s", a.body)
	}
	c.expect(`{"id":"a","type":"complete"}`)
	for document, want := range map[string]string{
		`{ organization {`:        "Expected Name",
		`{ organisation { id } }`: `Cannot query field \"organisation\" on type \"Query\".`,
		`subscription { executionProgress(executionId: "none") { cursor } }`:                    "Record not found: execution",
		`subscription { instanceChanged(id: "none") { id } }`:                                   "Record not found: instance",
		`subscription { integrationChanged(id: "none") { id } }`:                                "Record not found: integration",
		`subscription { logTail { cursor } }`:                                                   "give either executionId or instanceId",
		`subscription { logTail(executionId: "a", instanceId: "b") { cursor } }`:                "give either executionId or instanceId",
		`subscription { logTail(instanceId: "b") { cursor } }`:                                  "Record not found: instance",
		`subscription { logTail(executionId: "a", after: "x") { cursor } }`:                     "is not a cursor",
		`subscription { instanceChanged(id: "n") { customer { instances { nodes { id } } } } }`: "deeper than 3 fields",
		`subscription { instanceChanged(id: "n") { id } a: instanceChanged(id: "n") { id } }`:   "exactly one field at its root",
		`subscription { __typename }`:                                                           "introspection top level field",
	} {
		c.subscribe("a", document, nil)
		text, _ := c.read()
		if !strings.HasPrefix(text, `{"id":"a","type":"error","payload":[{"message":"`) || !strings.Contains(text,
			want) || strings.Contains(text, "Did you") {
			t.Errorf("%s: answered %s, want %s", document, text, want)
		}
	}
	c.send(`{"type":"ping"}`) // nothing came after an error
	c.expect(`{"type":"pong"}`)
}

// One socket has a limit of operations; beyond it they are refused one by one.
func TestSocketLimit(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	c := h.connect(h.tokens[domain.Viewer])
	const asked = 2000
	go func() {
		for n := range asked {
			text := fmt.Sprintf(`{"id":"%d","type":"subscribe","payload":{"query":"subscription { instanceChanged(id: \"%s\") { id } }"}}`, n, instance)
			if c.conn.Write(context.Background(), websocket.MessageText, []byte(text)) != nil {
				return
			}
		}
	}()
	served, refused := 0, 0
	for served+refused < asked {
		switch text, _ := c.read(); {
		case strings.Contains(text, `"type":"next"`):
			served++
		case strings.Contains(text, `"type":"error"`) && strings.Contains(text, "HEDDLE_MAX_SUBSCRIPTIONS"):
			refused++
		default:
			t.Fatalf("got %s", text)
		}
	}
	if served != DefaultOptions().MaxSubscriptions {
		t.Errorf("%d are served", served)
	}
	c.send(`{"type":"complete","id":"0"}`)
	c.subscribe("another", `subscription ($id: ID!) { instanceChanged(id: $id) { id } }`, vars{"id": instance})
	c.next("another")
}

// A subscription that the client has completed sends nothing more, and its id can be used again.
func TestSocketComplete(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	c := h.connect(h.tokens[domain.Viewer])
	const document = `subscription ($id: ID!) { executionProgress(executionId: $id) { type } }`
	c.subscribe("a", document, vars{"id": run})
	for _, want := range []string{"QUEUED", "CLAIMED"} {
		if a := c.next("a"); a.text("executionProgress.type") != want {
			t.Errorf("got %s", a.body)
		}
	}
	c.send(`{"type":"complete","id":"a"}`)
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	h.stepped(run, "one")
	h.finished(run)
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	c.subscribe("a", document, vars{"id": run})
	for _, want := range []string{"QUEUED", "CLAIMED", "STEP_FINISHED", "FINISHED"} {
		if a := c.next("a"); a.text("executionProgress.type") != want {
			t.Errorf("got %s", a.body)
		}
	}
	c.expect(`{"id":"a","type":"complete"}`)
}

// Only pages of this site and of the listed ones may open a stream.
func TestStreamsOfOtherSites(t *testing.T) {
	const friend = "https://app.weavers.example"
	h := newHarness(t, func(o *Options) { o.Origins = []string{friend} }).listen()
	own, _, _ := strings.Cut(h.address, "/api")
	for origin, want := range map[string]int{"": 101, own: 101, friend: 101, "https://evil.example": 403, friend +
		".evil.example": 403, "null": 403} {
		o := &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{}}
		r := h.query(`{ organization { name } }`, nil)
		if origin != "" {
			o.HTTPHeader.Set("Origin", origin)
			r.Header.Set("Origin", origin)
		}
		conn, response, err := websocket.Dial(t.Context(), strings.Replace(h.address, "http", "ws", 1), o)
		if response == nil || response.StatusCode != want || (err == nil) != (want == 101) {
			t.Errorf("WebSocket from %q: %v", origin, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
		events := h.openEvents(r, h.tokens[domain.Viewer])
		if got := events.response.StatusCode; (got == 200) != (want == 101) || got != 200 && got != 403 {
			t.Errorf("events from %q: %d", origin, got)
		}
	}
	r := h.query(`{ organization { name } }`, nil)
	if got := h.openEvents(r, h.tokens[domain.Viewer], "Sec-Fetch-Site", "cross-site").response.StatusCode; got != 403 {
		t.Errorf("a link from another site: %d", got)
	}
}

// A client that does not read is let go of; the log, and other clients, do not wait for it.
func TestSlowClient(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.WriteTimeout = time.Second })
	run := h.started("n")
	quick := h.connect(h.tokens[domain.Viewer])
	h.client = smallClient()
	slow := h.connect(h.tokens[domain.Viewer])
	const document = `subscription ($id: ID!) { executionProgress(executionId: $id) { type stepResult { displayStepName } } }`
	for _, c := range []*socketClient{slow, quick} {
		c.subscribe("a", document, vars{"id": run})
	}
	quick.next("a")
	quick.next("a")
	name := strings.Repeat("x", 350<<10)
	for n := range 20 { // seven megabytes, more than the system keeps for one connection
		happen(h, h.system(t.Context()), domain.Runs, run, domain.StepFinished{Claim: 1, Path: fmt.Sprint(n),
			Name: name})
		if got := quick.next("a"); got.text("executionProgress.type") != "STEP_FINISHED" {
			t.Fatalf("got %.100s", got.body)
		}
	}
	var err error
	for deadline := time.Now().Add(patience); err == nil &&
		time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		err = slow.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"pong"}`))
	}
	if err == nil {
		t.Error("it is still connected")
	}
}

// Whoever goes without a word leaves nothing behind: goleak looks after the whole package.
func TestVanishedClient(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.KeepAlive, o.WriteTimeout = 20*time.Millisecond, 100*time.Millisecond })
	run := h.started("n")
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("a", `subscription ($id: ID!) { executionProgress(executionId: $id) { type } }`, vars{"id": run})
	c.next("a")
	events := h.follow(h.tokens[domain.Viewer],
		`subscription ($id: ID!) { executionProgress(executionId: $id) { type } }`, vars{"id": run})
	events.next()
	_ = c.conn.CloseNow()
	events.close()
}

// A server that stops says so, and waits for its streams.
func TestStreamsEndWithTheServer(t *testing.T) {
	stopping, stop := context.WithCancel(context.Background())
	h := newHarness(t, func(o *Options) { o.Stopping = stopping })
	run := h.started("n")
	c := h.connect(h.tokens[domain.Viewer])
	const document = `subscription ($id: ID!) { executionProgress(executionId: $id) { type } }`
	c.subscribe("a", document, vars{"id": run})
	c.next("a")
	c.next("a")
	events := h.follow(h.tokens[domain.Viewer], document, vars{"id": run})
	events.next()
	events.next()
	stop()
	c.closed(websocket.StatusGoingAway)
	events.ends()
	h.handler.(*Handler).Wait()
	if late := h.follow(h.tokens[domain.Viewer], document, vars{"id": run}); late.response.StatusCode != 503 {
		t.Errorf("one that comes later: %d", late.response.StatusCode)
	}
	h.dial().closed(websocket.StatusGoingAway)
}
