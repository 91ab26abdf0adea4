package component

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"heddle/domain/refusal"
)

func TestTransportBoundsAnswers(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Path)-1))
	}))
	defer server.Close()
	strict := Transport{&http.Transport{}, 4}
	defer strict.CloseIdleConnections()
	if response, err := (&http.Client{Transport: strict}).Get(server.URL); err == nil {
		response.Body.Close()
		t.Error("an unknown certificate was accepted")
	}
	lenient, done, _ := strict.InsecureTLS()
	defer done()
	for length, want := range map[int]string{0: "", 3: "xxx", 4: "xxxx", 5: "", 100: ""} {
		response, err := (&http.Client{Transport: lenient}).Get(server.URL + "/" + strings.Repeat("p", length))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if length > 4 {
			if refusal.CodeOf(err) != refusal.Invalid || len(body) != 4 ||
				!strings.Contains(err.Error(), "HEDDLE_HTTP_RESPONSE") {
				t.Errorf("%d: got %q, %v", length, body, err)
			}
		} else if string(body) != want || err != nil {
			t.Errorf("%d: got %q, %v", length, body, err)
		}
	}
}

// endless repeats a text until the other side stops reading.
func endless(text string) func(io.Writer) {
	return func(to io.Writer) {
		for {
			if _, err := io.WriteString(to, strings.Repeat(text, 100)); err != nil {
				return
			}
		}
	}
}

// hostile listens for one request, and answers with a head and what follows.
func hostile(t *testing.T, head string, follows func(io.Writer)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() { listener.Close(); group.Wait() })
	group.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, head)
			follows(conn)
		}
	})
	return "http://" + listener.Addr().String()
}

// Whatever a server answers, no more of it than the limits is held, and reading it ends.
func TestTransportEndlessAnswers(t *testing.T) {
	var empty bytes.Buffer
	packed := gzip.NewWriter(&empty)
	_ = packed.Close()
	var zeros bytes.Buffer
	packed = gzip.NewWriter(&zeros)
	_, _ = packed.Write(make([]byte, 8<<20))
	_ = packed.Close()
	const ok, chunked, zipped = "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n",
		"Content-Encoding: gzip\r\n\r\n"
	for name, c := range map[string]struct {
		head    string
		follows func(io.Writer)
		want    string
	}{
		"another protocol": {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n",
			endless("x"), "answered 101"},
		"informational":   {"", endless("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), "exceeded"},
		"header":          {ok, endless("X-More: more\r\n"), "exceeded"},
		"header line":     {ok + "X-More: ", endless("more"), "exceeded"},
		"status line":     {"HTTP/1.1 200 ", endless("fine "), "exceeded"},
		"body":            {ok + "\r\n", endless("x"), "HEDDLE_HTTP_RESPONSE"},
		"error":           {"HTTP/1.1 500 No\r\n\r\n", endless("x"), "HEDDLE_HTTP_RESPONSE"},
		"length":          {ok + "Content-Length: 9223372036854775807\r\n\r\n", endless("x"), "HEDDLE_HTTP_RESPONSE"},
		"chunks":          {ok + chunked, endless("1\r\nx\r\n"), ""},
		"chunk extension": {ok + chunked + "1;", endless("x"), "line too long"},
		"trailers":        {ok + chunked + "0\r\n", endless("X-More: more\r\n"), "suspiciously long trailer"},
		"packed":          {ok + zipped, func(to io.Writer) { _, _ = to.Write(zeros.Bytes()) }, "HEDDLE_HTTP_RESPONSE"},
		"packed nothing":  {ok + zipped, endless(empty.String()), "HEDDLE_HTTP_RESPONSE"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := Transport{&http.Transport{MaxResponseHeaderBytes: 1 << 16}, 1 << 20}
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport}).Get(hostile(t, c.head, c.follows))
			var body []byte
			if err == nil {
				body, err = io.ReadAll(response.Body)
				response.Body.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || len(body) > 1<<20 {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		})
	}
}

// A packed answer is unpacked, even if the flow itself asked for it.
func TestTransportUnpacks(t *testing.T) {
	pack := func(to func(io.Writer) io.WriteCloser) string {
		var packed bytes.Buffer
		w := to(&packed)
		_, _ = io.WriteString(w, "text")
		_ = w.Close()
		return packed.String()
	}
	zipped := pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	deflated := pack(func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 9); return f })
	zlibbed := pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	for name, c := range map[string]struct {
		encoding, body string
		status         int
		want, failure  string
	}{
		"plain":          {"", "text", 200, "text", ""},
		"identity":       {"identity", "text", 200, "text", ""},
		"gzip":           {"gzip", zipped, 200, "text", ""},
		"gzip, capitals": {"GZIP", zipped, 500, "text", ""},
		"zlib":           {"deflate", zlibbed, 200, "text", ""},
		"deflate":        {"deflate", deflated, 200, "text", ""},
		"unknown":        {"br", "text", 200, "", `encoded as "br"`},
		"twice":          {"gzip, gzip", zipped, 200, "", "encoded as"},
		"broken":         {"gzip", "this is no gzip", 200, "", "invalid header"},
		"cut":            {"gzip", zipped[:20], 200, "text", "unexpected EOF"},
		"nothing":        {"gzip", "", 200, "", ""},
		"a part":         {"gzip", zipped[5:9], 206, zipped[5:9], ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != r.URL.Query().Get("want") {
				t.Errorf("%s: asked for %q", name, got)
			}
			if c.encoding != "" {
				w.Header().Set("Content-Encoding", c.encoding)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		transport := Transport{&http.Transport{}, 100}
		for _, own := range []string{"", "gzip, br"} {
			request, _ := http.NewRequest(http.MethodGet, server.URL+"/?want=gzip", nil)
			if own != "" {
				request.Header.Set("Accept-Encoding", own)
				request.URL.RawQuery = "want=gzip,+br"
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			failed := err != nil && strings.Contains(err.Error(), c.failure)
			if !strings.HasPrefix(c.want, string(body)) || c.failure == "" && string(body) != c.want ||
				failed != (c.failure != "") {
				t.Errorf("%s: got %q, %v", name, body, err)
			}
		}
		transport.CloseIdleConnections()
		server.Close()
	}
}
