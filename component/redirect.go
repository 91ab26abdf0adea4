package component

import (
	"net/http"
	"net/textproto"
	"strings"

	"heddle/component/value"
)

// carried are the headers that a redirect to another origin keeps: those that say how to read and answer the
// request. All others are the flow's own, or identify the caller.
var carried = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Encoding": true, "Accept-Language": true, "Cache-Control": true,
	"Content-Encoding": true, "Content-Language": true, "Content-Type": true, "Idempotency-Key": true, "Range": true,
	"User-Agent": true,
}

// Redirected prepares a redirected request: it escapes the address if the answer did not, and removes data that
// only the first addressee may see. That is the previous address and, once a redirect has led to another
// scheme, host or port, all headers but those that every request has. It is for [http.Client]'s CheckRedirect.
func Redirected(next *http.Request, via []*http.Request) {
	next.URL.RawQuery = value.QueryText(next.URL.RawQuery)
	next.Header.Del("Referer")
	if len(via) == 0 || sameOrigin(via[0], next) && allSameOrigin(via) {
		return
	}
	for name := range next.Header {
		if !carried[textproto.CanonicalMIMEHeaderKey(name)] {
			delete(next.Header, name)
		}
	}
	next.Host = ""
}

func allSameOrigin(via []*http.Request) bool {
	for _, r := range via[1:] {
		if !sameOrigin(via[0], r) {
			return false
		}
	}
	return true
}

func sameOrigin(a, b *http.Request) bool {
	return a.URL.Scheme == b.URL.Scheme && strings.EqualFold(a.URL.Hostname(), b.URL.Hostname()) && port(a) == port(b)
}

func port(r *http.Request) string {
	if p := r.URL.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[r.URL.Scheme]
}
