package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"heddle/store"
)

// One address has a share of all connections, and those that are closed make room.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan string, 10)
	c := &connections{Listener: inner, peers: store.Peers{Most: 3, Each: 2},
		refused: func(limit string) { refused <- limit }}
	defer func() { _ = c.Close() }()
	accepted := make(chan net.Conn, 10)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for conn, err := c.Accept(); err == nil; conn, err = c.Accept() {
			accepted <- conn
		}
	})
	dial := func(from string) net.Conn {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	dial("127.0.0.1")
	dial("127.0.0.1")
	first, _ := <-accepted, <-accepted
	closed := dial("127.0.0.1")
	if limit := <-refused; limit != "HEDDLE_MAX_CONNECTIONS_PER_ADDRESS" {
		t.Errorf("refused by %s", limit)
	}
	if _, err := closed.Read(make([]byte, 1)); err == nil {
		t.Error("what is too many is not closed")
	}
	dial("127.0.0.2")
	<-accepted
	dial("127.0.0.3")
	if limit := <-refused; limit != "HEDDLE_MAX_CONNECTIONS" {
		t.Errorf("refused by %s", limit)
	}
	_ = first.Close()
	_ = first.Close() // counts once
	dial("127.0.0.3")
	<-accepted
	_ = c.Close()
	accepting.Wait()
}

// A reader that takes nothing is let go, and what is written in time comes whole, request after request.
func TestAnswersArePaced(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 64<<20)
	gone := make(chan error, 1)
	server := httptest.NewServer(paced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, err := w.Write(large)
			gone <- err
		case "/stream":
			for i := range 3 {
				time.Sleep(20 * time.Millisecond)
				_, _ = fmt.Fprintln(w, i)
				_ = http.NewResponseController(w).Flush()
			}
		}
	}), 10*time.Millisecond))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-gone; err == nil {
		t.Error("64 MiB were written to a reader that takes nothing")
	}
	reader, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	answers := bufio.NewReader(reader)
	for _, c := range []struct {
		path string
		size int
	}{{"/stream", 6}, {"/nothing", 0}, {"/large", len(large)}, {"/stream", 6}} {
		if _, err := io.WriteString(reader, "GET "+c.path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, answer.Body); n != int64(c.size) || err != nil {
			t.Errorf("%s: read %d, %v", c.path, n, err)
		}
	}
}
