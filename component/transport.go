package component

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/tls"
	"io"
	"net/http"
	"strings"

	"heddle/domain/refusal"
)

// Transport is the transport of the guarded client. It bounds how much of an answer is read.
type Transport struct {
	*http.Transport
	MaxBody int64 // HEDDLE_HTTP_RESPONSE: bytes of an answer's body, after decompression
}

// RoundTrip implements [http.RoundTripper]. It refuses to read more of the body than allowed, and a switch to
// another protocol: nobody here asks for one.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header["Accept-Encoding"] == nil && request.Header["Range"] == nil && request.Method != http.MethodHead {
		// Otherwise the transport would ask, and unpack the answer uncounted: it may unpack to nothing at all
		// for ever.
		request = request.Clone(request.Context())
		request.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := t.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		_ = response.Body.Close() // the connection is of no use; why it can't be closed does not matter
		return nil, refusal.New(refusal.Invalid,
			"the server answered 101, to go on in another protocol than HTTP, which was not asked for")
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" &&
		response.StatusCode != http.StatusPartialContent {
		response.Body = &unpackedBody{body: t.bounded(response.Body), encoding: strings.ToLower(encoding)}
		response.Header.Del("Content-Encoding")
		response.Header.Del("Content-Length")
		response.ContentLength, response.Uncompressed = -1, true
	}
	response.Body = t.bounded(response.Body)
	return response, nil
}

func (t Transport) bounded(body io.ReadCloser) io.ReadCloser {
	return &boundedBody{ReadCloser: body, left: t.MaxBody, limit: t.MaxBody}
}

// unpackedBody reads the content of a packed body.
type unpackedBody struct {
	body     io.ReadCloser
	encoding string
	unpacked io.Reader
	err      error // why there is none
}

// Read implements [io.Reader].
func (b *unpackedBody) Read(p []byte) (int, error) {
	if b.unpacked == nil && b.err == nil {
		b.unpacked, b.err = unpack(b.body, b.encoding)
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.unpacked.Read(p)
}

// Close implements [io.Closer].
func (b *unpackedBody) Close() error { return b.body.Close() }

func unpack(body io.Reader, encoding string) (io.Reader, error) {
	begun := bufio.NewReader(body)
	head, err := begun.Peek(2)
	if len(head) == 0 {
		return nil, err // an answer without a body may name an encoding, too
	}
	switch encoding {
	case "identity":
		return begun, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(begun)
	case "deflate":
		if len(head) == 2 && head[0]&15 == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			return zlib.NewReader(begun)
		}
		return flate.NewReader(begun), nil // as some servers have always meant it
	}
	return nil, refusal.New(refusal.Invalid,
		"the answer is encoded as %.40q, which is not read: ask for gzip by the header Accept-Encoding", encoding)
}

// InsecureTLS is a transport that has a twin without certificate checks. Wrapping transports implement it too.
type InsecureTLS interface {
	// InsecureTLS returns a transport that accepts any certificate, and a function that closes its idle
	// connections; it is not ok if the wrapped transport has none.
	InsecureTLS() (transport http.RoundTripper, done func(), ok bool)
}

// InsecureTLS implements the interface. The dialer is the same, and with it the check of addresses.
func (t Transport) InsecureTLS() (http.RoundTripper, func(), bool) {
	clone := t.Clone()
	if clone.TLSClientConfig == nil {
		clone.TLSClientConfig = &tls.Config{}
	}
	clone.TLSClientConfig.InsecureSkipVerify = true
	return Transport{clone, t.MaxBody}, clone.CloseIdleConnections, true
}

// boundedBody reads one byte more than is allowed to distinguish the limit from an end.
type boundedBody struct {
	io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLong(b.limit)
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, tooLong(b.limit)
	}
	return n, err
}

func tooLong(limit int64) error {
	return refusal.Exceed("HEDDLE_HTTP_RESPONSE", "the answer is larger than %d bytes", limit)
}
