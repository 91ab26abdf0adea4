package component

import (
	"crypto/tls"
	"io"
	"net/http"

	"heddle/domain"
)

// Transport is what the guarded client sends requests with. It bounds what is read of an answer.
type Transport struct {
	*http.Transport
	MaxBody int64 // HEDDLE_HTTP_RESPONSE: bytes of an answer's body, after decompression
}

// RoundTrip implements [http.RoundTripper]. Reading more of the body than allowed is refused.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if _, upgraded := response.Body.(io.Writer); !upgraded {
		response.Body = &boundedBody{ReadCloser: response.Body, left: t.MaxBody, limit: t.MaxBody}
	}
	return response, nil
}

// Forgiving is a transport that has a lenient twin. What wraps a transport passes it on.
type Forgiving interface {
	// Lenient gives a transport that accepts any certificate, and what closes its idle connections; it is
	// not ok if what is wrapped has none.
	Lenient() (transport http.RoundTripper, done func(), ok bool)
}

// Lenient implements [Forgiving]. The dialer is the same, and with it the check of addresses.
func (t Transport) Lenient() (http.RoundTripper, func(), bool) {
	clone := t.Clone()
	if clone.TLSClientConfig == nil {
		clone.TLSClientConfig = &tls.Config{}
	}
	clone.TLSClientConfig.InsecureSkipVerify = true
	return Transport{clone, t.MaxBody}, clone.CloseIdleConnections, true
}

// boundedBody reads one byte more than is allowed to tell the limit from an end.
type boundedBody struct {
	io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), domain.Exceed("HEDDLE_HTTP_RESPONSE", "the answer is larger than %d bytes", b.limit)
	}
	return n, err
}
