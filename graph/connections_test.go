package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heddle/domain"
)

// A token may have so many streams open, of both kinds together; others are not concerned, and what ends
// makes room.
func TestStreamsOfAToken(t *testing.T) {
	var mu sync.Mutex
	hits := map[string]int{}
	h := newHarness(t, func(o *Options) {
		o.MaxStreams = 2
		o.OnLimit = func(setting string) {
			mu.Lock()
			defer mu.Unlock()
			hits[setting]++
		}
	})
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	token := h.tokens[domain.Viewer]
	const document = `subscription ($id: ID!) { instanceChanged(id: $id) { id } }`
	socket := h.connect(token)
	events := h.follow(token, document, vars{"id": instance})
	events.next()
	for range 3 {
		third := h.dial()
		third.send(`{"type":"connection_init","payload":{"authToken":"` + token + `"}}`)
		if text, err := third.receive(); websocket.CloseStatus(err) != websocket.StatusTryAgainLater ||
			!strings.Contains(err.Error(), "HEDDLE_MAX_STREAMS") {
			t.Errorf("a third stream got %s, %v", text, err)
		}
	}
	refused := h.follow(token, document, vars{"id": instance})
	if refused.response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a third stream is answered %s", refused.response.Status)
	}
	h.connect(h.tokens[domain.Admin])
	mu.Lock()
	if hits["HEDDLE_MAX_STREAMS"] != 4 || len(hits) != 1 {
		t.Errorf("limits were hit: %v", hits)
	}
	mu.Unlock()
	for _, end := range []func(){func() { _ = socket.conn.CloseNow() }, events.close} {
		end()
		for { // until the server has noticed
			again := h.dial()
			again.send(`{"type":"connection_init","payload":{"authToken":"` + token + `"}}`)
			if text, _ := again.read(); strings.Contains(text, "connection_ack") {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// Strangers have few places, of their address and in all. A new one takes the oldest's, so that nobody is kept
// out; who is in, or brings a token with the request, leaves none.
func TestSocketsOfStrangers(t *testing.T) {
	for setting, limit := range map[string]func(*Options){
		"HEDDLE_MAX_ANONYMOUS_SOCKETS":             func(o *Options) { o.MaxAnonymousSockets = 2 },
		"HEDDLE_MAX_ANONYMOUS_SOCKETS_PER_ADDRESS": func(o *Options) { o.MaxAnonymousSocketsPerAddress = 2 },
	} {
		t.Run(setting, func(t *testing.T) {
			hits := make(chan string, 10)
			h := newHarness(t, limit, func(o *Options) {
				o.InitTimeout, o.OnLimit = time.Hour,
					func(setting string) { hits <- setting }
			})
			in := `{"type":"connection_init","payload":{"authToken":"` + h.tokens[domain.Viewer] + `"}}`
			first, second := h.dial(), h.dial()
			first.send(in)
			first.expect(`{"type":"connection_ack"}`) // and is no stranger any more
			third := h.dial()
			carried := h.dial("Authorization", "Bearer "+h.tokens[domain.Viewer])
			if len(hits) > 0 {
				t.Errorf("with two strangers there were %s", <-hits)
			}
			fourth := h.dial()
			if got := <-hits; got != setting {
				t.Errorf("told of %s", got)
			}
			if _, err := second.receive(); err == nil {
				t.Error("the oldest stranger stays")
			}
			for _, c := range []*socketClient{carried, third, fourth} {
				c.send(in)
				c.expect(`{"type":"connection_ack"}`)
			}
		})
	}
}

// Others' addresses are not concerned by what one does.
func TestStrangersOfAnotherAddress(t *testing.T) {
	var s anonymous
	o := DefaultOptions()
	o.MaxAnonymousSockets, o.MaxAnonymousSocketsPerAddress, o.OnLimit = 5, 2, func(string) {}
	gone := []string{}
	admit := func(name, address string) (known func()) {
		return s.admit(address, o, func() { gone = append(gone, name) })
	}
	admit("mine", "192.0.2.1:1")
	for _, name := range []string{"a", "b", "c", "d"} {
		admit(name, "192.0.2.2:1")
	}
	if got := strings.Join(gone, ""); got != "ab" {
		t.Errorf("of two that fill their places %s leave, want ab", got)
	}
	known := admit("e", "192.0.2.3:1")
	admit("f", "192.0.2.4:1")
	known()
	known()
	admit("g", "192.0.2.5:1")
	if got := strings.Join(gone, ""); got != "ab" {
		t.Errorf("while there is room %s leave", got)
	}
	if admit("h", "192.0.2.6:1"); strings.Join(gone, " ") != "a b mine" {
		t.Errorf("when all places are taken %v leave", gone)
	}
}

// A token may have so many subscriptions, on all its streams together.
func TestSubscriptionsOfAToken(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.MaxTokenSubscriptions = 3 })
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	const document = `subscription ($id: ID!) { instanceChanged(id: $id) { id } }`
	token := h.tokens[domain.Viewer]
	one, two := h.connect(token), h.connect(token)
	for n, c := range []*socketClient{one, two} {
		c.subscribe(fmt.Sprint(n), document, vars{"id": instance})
		c.next(fmt.Sprint(n))
	}
	h.follow(token, document, vars{"id": instance}).next()
	one.subscribe("fourth", document, vars{"id": instance})
	if text, _ := one.read(); !strings.Contains(text, `"type":"error"`) || !strings.Contains(text,
		"HEDDLE_MAX_TOKEN_SUBSCRIPTIONS") {
		t.Errorf("a fourth is answered %s", text)
	}
	if name, data := h.follow(token, document, vars{"id": instance}).event(); name != "next" || !strings.Contains(data,
		"HEDDLE_MAX_TOKEN_SUBSCRIPTIONS") {
		t.Errorf("a fourth is told %s %s", name, data)
	}
	one.subscribe("q", `{ organization { name } }`, nil) // queries are none
	one.next("q")
	one.expect(`{"id":"q","type":"complete"}`)
	other := h.connect(h.tokens[domain.Admin])
	other.subscribe("a", document, vars{"id": instance})
	other.next("a")
	two.send(`{"type":"complete","id":"1"}`)
	for { // until the server has noticed
		one.subscribe("again", document, vars{"id": instance})
		if text, _ := one.read(); strings.Contains(text, `"type":"next"`) {
			break
		}
	}
}

// Equal subscriptions of a token are answered once for all; those of another, or of something else, are not.
func TestEqualSubscriptionsShareAnAnswer(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	const document = `subscription ($id: ID!) { integrationChanged(id: $id) { name } }`
	token := h.tokens[domain.Viewer]
	one, two := h.connect(token), h.connect(token)
	shared := h.handler.(*Handler).connections
	running := func() int {
		shared.shared.mu.Lock()
		defer shared.shared.mu.Unlock()
		return len(shared.shared.running)
	}
	for n := range 10 {
		for _, c := range []*socketClient{one, two} {
			c.subscribe(fmt.Sprint(n), document, vars{"id": id})
			c.next(fmt.Sprint(n))
		}
	}
	if got := running(); got != 1 {
		t.Errorf("20 equal subscriptions are answered %d times", got)
	}
	other := h.connect(h.tokens[domain.Admin])
	other.subscribe("a", document, vars{"id": id})
	other.next("a")
	one.subscribe("b", strings.Replace(document, "{ name", "{ id name", 1), vars{"id": id})
	one.next("b")
	if got := running(); got != 3 {
		t.Errorf("of another token and document %d are answered, want 3", got)
	}
	h.do(`mutation ($id: ID!) { updateIntegration(input: {id: $id, name: "Other"}) { errors { messages } } }`,
		vars{"id": id})
	for _, c := range []*socketClient{one, two} {
		told := map[string]bool{}
		for len(told) < 10 {
			text, _ := c.read()
			if !strings.Contains(text, `"name":"Other"`) {
				t.Fatalf("told %s", text)
			}
			told[text] = true
		}
	}
	for _, c := range []*socketClient{one, two, other} {
		_ = c.conn.CloseNow()
	}
	for running() > 0 { // until the server has noticed
		time.Sleep(time.Millisecond)
	}
}

// What waits for those who do not read is bounded: then the connection for which most waits is cut, long before
// its time for a message is over, and not one that reads.
func TestUnsentIsBounded(t *testing.T) {
	hits := make(chan string, 100)
	h := newHarness(t, func(o *Options) {
		o.MaxUnsent, o.WriteTimeout, o.OnLimit = 1<<20, time.Hour, func(setting string) { hits <- setting }
	})
	run := h.started("n")
	token := h.tokens[domain.Viewer]
	quick := h.connect(token)
	h.client = smallClient()
	slow := h.connect(token)
	const document = `subscription ($id: ID!) { executionProgress(executionId: $id) { type stepResult { displayStepName } } }`
	for n := range 4 {
		slow.subscribe(fmt.Sprint(n), document, vars{"id": run})
	}
	quick.subscribe("a", document, vars{"id": run})
	quick.next("a")
	quick.next("a")
	name := strings.Repeat("x", 350<<10)
	for n := 0; len(hits) == 0; n++ {
		if n == 100 {
			t.Fatal("35 MB wait for a client that does not read")
		}
		happen(h, h.system(t.Context()), domain.Runs, run, domain.StepFinished{Claim: 1, Path: fmt.Sprint(n),
			Name: name})
		if got := quick.next("a"); got.text("executionProgress.type") != "STEP_FINISHED" {
			t.Fatalf("got %.100s", got.body)
		}
	}
	if setting := <-hits; setting != "HEDDLE_MAX_UNSENT" {
		t.Errorf("%s was hit", setting)
	}
	for { // what is still under way, then the end
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _, err := slow.conn.Read(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the slow one is still connected")
		} else if err != nil {
			break
		}
	}
	happen(h, h.system(t.Context()), domain.Runs, run, domain.StepFinished{Claim: 1, Path: "last", Name: "last"})
	quick.next("a")
}

// A client that takes events slowly is cut in the same way.
func TestUnsentEventsAreBounded(t *testing.T) {
	account := newConnections(nil, t.Context()).account("t")
	cut := ""
	lines := map[string]*line{}
	for _, name := range []string{"a", "b"} {
		lines[name] = &line{cut: func() { cut += name }}
	}
	wait := func(name string, bytes int) func() {
		sent, _ := account.wait(lines[name], bytes, 100)
		return sent
	}
	sent := wait("a", 60)
	wait("b", 40)
	if cut != "" {
		t.Errorf("%s is cut within the limit", cut)
	}
	wait("b", 10)
	sent()
	if cut != "a" {
		t.Errorf("%q is cut, want a", cut)
	}
	if wait("a", 50); cut != "a" || len(account.lines) != 2 {
		t.Errorf("%q is cut with 100 of 100", cut)
	}
}
