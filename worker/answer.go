package worker

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"heddle/component/value"
)

// contain keeps integrations' answers from acting as pages of this server: its origin is also that of the explorer,
// which keeps an administrator's token.
func contain(h http.Header) {
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // unless a flow says otherwise of its own answer
}

// answer is an HTTP answer made from a step's result.
type answer struct {
	status      int
	contentType string
	headers     map[string]string
	body        []byte
}

// set makes the body from a step's output: bytes and files as they are, text too if the step names a content type,
// and everything else as JSON.
func (a *answer) set(output json.RawMessage) error {
	if len(output) > 0 && (output[0] == '{' || output[0] == '[') && value.Unmarked(output) { // it is that JSON
		a.typed("application/json")
		a.body = output
		return nil
	}
	val, err := value.Decode(output)
	if err != nil {
		return err
	}
	a.typed("")
	if data, contentType, ok := value.Body(val); ok {
		if file, binary := data.([]byte); binary && !isJSON(a.contentType) {
			val = file
			a.typed(contentType)
		}
	}
	switch v := val.(type) {
	case []byte:
		a.body = v
		a.typed("application/octet-stream")
		return nil
	case string:
		if a.contentType != "" {
			a.body = []byte(v)
			return nil
		}
	}
	a.typed("application/json")
	a.body, err = value.JSON(val)
	return err
}

// typed sets the content type unless the step or its headers name one.
func (a *answer) typed(contentType string) {
	for name, value := range a.headers {
		if strings.EqualFold(name, "Content-Type") {
			a.contentType = cmp.Or(a.contentType, value)
		}
	}
	a.contentType = cmp.Or(a.contentType, contentType)
}

// framing are the headers that the server itself must write: a flow may have copied them from another answer.
var framing = []string{"Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"}

// originWide are headers whose effect reaches beyond one answer to all of this server's origin: what people keep in
// their browsers, how they reach it, what its pages may do.
var originWide = []string{
	"Accept-Ch", "Alt-Svc", "Clear-Site-Data", "Content-Security-Policy", "Content-Security-Policy-Report-Only",
	"Critical-Ch", "Expect-Ct", "Nel", "Origin-Agent-Cluster", "Origin-Trial", "Permissions-Policy",
	"Public-Key-Pins", "Report-To", "Reporting-Endpoints", "Service-Worker-Allowed", "Set-Login", "Sourcemap",
	"Speculation-Rules", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options",
}

// ownCookies is the prefix of the names of this server's own cookies.
const ownCookies = "heddle"

// passes reports whether a flow may send a header to its caller.
func passes(name, value string) bool {
	if slices.Contains(framing, name) || slices.Contains(originWide, name) {
		return false
	}
	cookie := strings.ToLower(strings.TrimSpace(value))
	for _, prefix := range []string{"__host-", "__secure-"} {
		cookie = strings.TrimPrefix(cookie, prefix)
	}
	return name != "Set-Cookie" || !strings.HasPrefix(cookie, ownCookies)
}

func (a *answer) write(rw http.ResponseWriter) {
	for name, value := range a.headers {
		if name = http.CanonicalHeaderKey(name); passes(name, value) {
			rw.Header().Set(name, value)
		}
	}
	rw.Header().Set("Content-Type", a.contentType)
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // the caller has gone; nobody reads an error
}
