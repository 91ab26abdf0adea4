package main

import (
	"net"
	"net/http"
	"time"

	"heddle/store"
)

// connections bounds how many connections are open, in all and from one address: what one peer opens, others
// don't miss.
type connections struct {
	net.Listener
	peers   store.Peers
	refused func(limit string)
}

// Accept implements [net.Listener]. What is too many is closed at once, unread.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, alone := c.peers.Enter(conn.RemoteAddr().String())
		if leave != nil {
			return &counted{Conn: conn, leave: leave}, nil
		}
		if alone {
			c.refused("HEDDLE_MAX_CONNECTIONS_PER_ADDRESS")
		} else {
			c.refused("HEDDLE_MAX_CONNECTIONS")
		}
		_ = conn.Close() // there is nothing to do for it
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// A reader of an answer must take this many bytes a second, after a time in which it need take none.
const leastRate = 16 << 10

// paced ends answers whose reader does not take them: they would hold what is answered for ever. Handlers of
// streams write to it, too; a WebSocket's connection is its own affair.
func paced(next http.Handler, patience time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), patience: patience}
		p.extend(0) // of the request before
		next.ServeHTTP(p, r)
	})
}

type pacedWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// Unwrap lets [http.ResponseController] reach what is below.
func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// extend sets the deadline of the reader for the next bytes.
func (p *pacedWriter) extend(size int) {
	// not supported: nothing to bound
	_ = p.control.SetWriteDeadline(time.Now().Add(p.patience + time.Duration(size)*time.Second/leastRate))
}

// WriteHeader implements [http.ResponseWriter].
func (p *pacedWriter) WriteHeader(status int) {
	p.extend(0)
	p.ResponseWriter.WriteHeader(status)
}

// pace is how much is written within one time.
const pace = 64 << 10 // bytes

// Write implements [io.Writer].
func (p *pacedWriter) Write(data []byte) (written int, err error) {
	for {
		piece := data[:min(len(data), pace)]
		p.extend(len(piece))
		n, err := p.ResponseWriter.Write(piece)
		written += n
		if data = data[len(piece):]; err != nil || len(data) == 0 {
			return written, err
		}
	}
}

// FlushError implements the flushing of [http.ResponseController].
func (p *pacedWriter) FlushError() error {
	p.extend(0)
	return p.control.Flush()
}

// Flush implements [http.Flusher].
func (p *pacedWriter) Flush() { _ = p.FlushError() }
