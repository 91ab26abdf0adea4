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
