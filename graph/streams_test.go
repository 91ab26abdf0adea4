package graph

import (
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
	h := newHouse(t, func(o *Options) {
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
		if text, err := third.receive(); websocket.CloseStatus(err) != websocket.StatusTryAgainLater || !strings.Contains(err.Error(), "HEDDLE_MAX_STREAMS") {
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

// So many WebSockets may wait to be let in; who is in, and who brings a token with the request, is none of them.
func TestSocketsOfStrangers(t *testing.T) {
	hits := make(chan string, 10)
	h := newHouse(t, func(o *Options) { o.MaxStrangers, o.OnLimit = 2, func(setting string) { hits <- setting } })
	token := h.tokens[domain.Viewer]
	first, second := h.dial(), h.dial()
	try := func(headers ...string) int {
		t.Helper()
		o := &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{}}
		for i := 0; i < len(headers); i += 2 {
			o.HTTPHeader.Set(headers[i], headers[i+1])
		}
		conn, response, err := websocket.Dial(t.Context(), strings.Replace(h.listen().address, "http", "ws", 1), o)
		if err == nil {
			_ = conn.CloseNow()
		} else if response == nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	if status := try(); status != http.StatusServiceUnavailable || <-hits != "HEDDLE_MAX_ANONYMOUS_SOCKETS" {
		t.Errorf("a third stranger is answered %d", status)
	}
	if status := try("Authorization", "Bearer "+token); status != http.StatusSwitchingProtocols {
		t.Errorf("with a token it is answered %d", status)
	}
	first.send(`{"type":"connection_init","payload":{"authToken":"` + token + `"}}`)
	first.expect(`{"type":"connection_ack"}`)
	third := h.dial() // there is room again
	if status := try(); status != http.StatusServiceUnavailable {
		t.Errorf("a third stranger is answered %d", status)
	}
	for _, c := range []*socketClient{second, third} {
		_ = c.conn.CloseNow()
	}
	for try() == http.StatusServiceUnavailable { // until the server has noticed
		time.Sleep(time.Millisecond)
	}
}
