package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/app/access"
)

// Subprotocol is the only one that is spoken over WebSocket.
const Subprotocol = "graphql-transport-ws"

// The reasons to close a socket, with the protocol's words.
const (
	closeInvalid     = websocket.StatusCode(4400)
	closeEarly       = websocket.StatusCode(4401)
	closeForbidden   = websocket.StatusCode(4403)
	closeSubprotocol = websocket.StatusCode(4406)
	closeInitTimeout = websocket.StatusCode(4408)
	closeDuplicate   = websocket.StatusCode(4409)
	closeInitTwice   = websocket.StatusCode(4429)
)

// websockets is the transport over WebSocket. Other sites' pages have been refused before it.
type websockets struct{ streaming }

var _ graphql.Transport = websockets{}

// Supports implements [graphql.Transport].
func (websockets) Supports(r *http.Request) bool { return isUpgrade(r) }

func isUpgrade(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") }

// Do implements [graphql.Transport].
func (t websockets) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	ctx, evict := context.WithCancelCause(r.Context())
	defer evict(nil)
	s := &socket{websockets: t, exec: exec, request: r, running: map[string]*running{}}
	if p := access.Of(ctx); p.User == "" {
		known := t.anonymous.admit(r.RemoteAddr, t.Options, func() { evict(errEvicted) })
		s.leave = known
	} else if leave, ok := t.account(p.Token).open(t.MaxStreams); ok {
		s.leave = leave
	} else {
		answer(w, http.StatusTooManyRequests, plainJSON, t.tooManyStreams())
		return
	}
	defer func() { s.leave() }()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol},
		InsecureSkipVerify: true})
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = conn.CloseNow() }() // whoever closed it before has told why
	if conn.Subprotocol() != Subprotocol {
		_ = conn.Close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	ctx, leave, ok := t.enter(ctx)
	if !ok {
		_ = conn.Close(websocket.StatusGoingAway, stoppingReason)
		return
	}
	defer leave()
	s.conn = conn
	s.ctx, s.end = context.WithCancel(ctx)
	s.writing, s.line.cut = context.WithCancel(context.Background())
	defer s.line.cut()
	conn.SetReadLimit(t.MaxAnonymousBody)
	s.serve()
}

// socket is one connection of a client.
type socket struct {
	websockets
	exec    graphql.GraphExecutor
	conn    *websocket.Conn
	request *http.Request
	leave   func()          // releases the connection's place, that of a stranger until the client is let in
	ctx     context.Context // ends before the connection does
	end     func()
	account *account // of the client, once it is let in
	line    line
	writing context.Context // ends when the connection is cut
	owned   sync.WaitGroup  // everything that serve waits for
	once    sync.Once

	mu      sync.Mutex      // held while a message is written, too
	asked   bool            // the client has sent connection_init
	client  context.Context // of its operations, nil before it is let in
	running map[string]*running
}

// running is an operation of a socket, or one that it has let go of.
type running struct{ stop context.CancelFunc }

// message is a message of the protocol.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// object reports whether the payload is of the kind that all messages have, if it is there.
func (m message) object() bool {
	var members map[string]json.RawMessage
	return len(m.Payload) == 0 || json.Unmarshal(m.Payload, &members) == nil
}

// serve reads until the connection is closed by either side, and waits for all that it began.
func (s *socket) serve() {
	defer s.owned.Wait()
	defer s.end()
	s.owned.Go(s.watch)
	s.owned.Go(s.keepAlive)
	for {
		kind, data, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		var m message
		if kind != websocket.MessageText || json.Unmarshal(data, &m) != nil || !m.object() {
			s.close(closeInvalid, "Invalid message received")
			return
		}
		if !s.receive(m) {
			return
		}
	}
}

const stoppingReason = "the server is stopping"

// watch closes a connection on which the client does not ask to be let in, and one whose operations
// have ended because the server stops.
func (s *socket) watch() {
	timer := time.NewTimer(s.InitTimeout)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.mu.Lock()
		asked := s.asked
		s.mu.Unlock()
		if !asked {
			s.close(closeInitTimeout, "Connection initialisation timeout")
		}
		<-s.ctx.Done()
	case <-s.ctx.Done():
	}
	if context.Cause(s.ctx) == errEvicted || s.writing.Err() != nil { // without another word, which would take time
		_ = s.conn.CloseNow()
	}
	s.close(websocket.StatusGoingAway, stoppingReason)
}

// errEvicted is why the socket of a stranger ends when there are too many of them.
var errEvicted = errors.New("others wait to be let in")

// close ends the operations, then the connection, with the first reason that is given.
func (s *socket) close(code websocket.StatusCode, reason string) {
	s.once.Do(func() {
		s.end()
		_ = s.conn.Close(code, reason) // the client may be gone
	})
}

// keepAlive finds out that a client has vanished without a word.
func (s *socket) keepAlive() {
	tick := time.NewTicker(s.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.WriteTimeout)
		err := s.conn.Ping(ctx)
		cancel()
		if err != nil {
			_ = s.conn.CloseNow() // reading ends by it
			return
		}
	}
}

// receive does what a message asks for; false ends the connection.
func (s *socket) receive(m message) bool {
	switch m.Type {
	case "connection_init":
		return s.init(m)
	case "ping":
		return s.send(message{Type: "pong", Payload: m.Payload}) == nil
	case "pong":
		return true
	case "subscribe":
		return s.subscribe(m)
	case "complete":
		if m.ID == "" {
			break
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if op := s.running[m.ID]; op != nil { // else it has ended by itself meanwhile
			op.stop()
			delete(s.running, m.ID)
		}
		return true
	}
	s.close(closeInvalid, "Invalid message received")
	return false
}

// init lets a client in by the token in the message or in the request's header.
func (s *socket) init(m message) bool {
	s.mu.Lock()
	again := s.asked
	s.asked = true
	s.mu.Unlock()
	if again {
		s.close(closeInitTwice, "Too many initialisation requests")
		return false
	}
	var credentials struct {
		Authorization, AuthToken string
	}
	_ = json.Unmarshal(m.Payload, &credentials) // what is no text lets nobody in
	token := credentials.AuthToken
	if credentials.Authorization != "" {
		token = bearer(credentials.Authorization)
	}
	ctx, ok := s.ctx, access.Of(s.ctx).User != ""
	if token != "" {
		ctx, ok = enter(s.ctx, s.view, token, s.request.RemoteAddr)
	}
	if !ok {
		s.close(closeForbidden, "Forbidden")
		return false
	}
	if !s.letIn(ctx) {
		s.close(websocket.StatusTryAgainLater, s.tooManyStreams().Errors[0].Message)
		return false
	}
	s.conn.SetReadLimit(s.MaxBody)
	s.owned.Go(func() {
		if s.revoked(ctx) {
			s.close(closeForbidden, "Forbidden: the token was revoked or its user's rights have changed")
		}
	})
	s.mu.Lock()
	s.client = ctx
	s.mu.Unlock()
	return s.send(message{Type: "connection_ack"}) == nil
}

// letIn counts the connection as the client's, unless it was counted so when it was opened.
func (s *socket) letIn(ctx context.Context) bool {
	token := access.Of(ctx).Token
	s.account = s.connections.account(token)
	if access.Of(s.request.Context()).Token == token {
		return true
	}
	leave, ok := s.account.open(s.MaxStreams)
	if ok {
		s.leave()
		s.leave = leave
	}
	return ok
}

// subscribe starts an operation.
func (s *socket) subscribe(m message) bool {
	params := &graphql.RawParams{}
	d := json.NewDecoder(bytes.NewReader(m.Payload))
	d.UseNumber()
	err := d.Decode(params)
	params.Headers, params.ReadTime = s.request.Header, graphql.TraceTiming{Start: graphql.Now(), End: graphql.Now()}
	s.mu.Lock()
	ctx, double, many := s.client, s.running[m.ID] != nil, len(s.running) >= s.MaxSubscriptions
	ready, op := ctx != nil, &running{}
	if ready && !double && !many {
		ctx, op.stop = context.WithCancel(ctx)
		s.running[m.ID] = op
	}
	s.mu.Unlock()
	switch {
	case !ready:
		s.close(closeEarly, "Unauthorized")
		return false
	case err != nil || m.ID == "" || params.Query == "":
		s.close(closeInvalid, "Invalid message received")
		return false
	case double:
		s.close(closeDuplicate, "Subscriber for "+clip(m.ID)+" already exists")
		return false
	case many:
		return s.send(s.errors(m.ID, s.exceeded("HEDDLE_MAX_SUBSCRIPTIONS",
			"this connection has as many operations as it may").Errors)) == nil
	}
	s.owned.Go(func() {
		defer op.stop()
		s.run(ctx, m.ID, op, params)
	})
	return true
}

// clip keeps a close frame's reason below the 123 bytes that it may have.
func clip(id string) string { return strings.ToValidUTF8(id[:min(len(id), 80)], "") }

// run executes an operation and ends it with one error or complete message, if the client has not.
func (s *socket) run(ctx context.Context, id string, op *running, params *graphql.RawParams) {
	errs := s.perform(ctx, s.exec, &operation{}, params, func(payload []byte) error {
		return s.tell(id, op, false, message{ID: id, Type: "next", Payload: payload})
	})
	last := message{ID: id, Type: "complete"}
	if len(errs) > 0 {
		last = s.errors(id, errs)
	}
	_ = s.tell(id, op, true, last) // the client has gone; nobody is left to tell
}

func (s *socket) errors(id string, errs gqlerror.List) message {
	data, err := json.Marshal(errs)
	if err != nil {
		data = []byte(`[{"message":"internal error"}]`)
	}
	return message{ID: id, Type: "error", Payload: data}
}

var errLetGo = errors.New("the operation has ended")

// tell sends a message of an operation, unless the client has completed it or the socket ends.
func (s *socket) tell(id string, op *running, last bool, m message) error {
	defer s.sending(s.account, &s.line, len(m.Payload))()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id] != op || s.ctx.Err() != nil {
		return errLetGo
	}
	if last {
		delete(s.running, id)
	}
	return s.write(m)
}

func (s *socket) send(m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(m)
}

// write waits for a slow client no longer than it may take; then the connection is closed by it.
func (s *socket) write(m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.writing, s.WriteTimeout)
	defer cancel()
	if err = s.conn.Write(ctx, websocket.MessageText, data); err != nil {
		s.end()
	}
	return err
}
