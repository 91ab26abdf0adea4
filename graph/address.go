package graph

import (
	"crypto/hmac"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"heddle/domain/refusal"
	"heddle/store/vault"
)

// Files and payloads are reached at addresses that authorise themselves: clients follow them without
// a token, and hand them on.

// signed is the address of a path with what lets whoever has it in, until it expires.
func (r *Resolver) signed(path string, query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set("until", strconv.FormatInt(time.Now().Add(r.AddressTime).Unix(), 10))
	return r.PublicURL + path + "?" + query.Encode() + "&mac=" + addressMAC(r.Vault, path, query)
}

func addressMAC(v *vault.Vault, path string, query url.Values) string {
	return base64.RawURLEncoding.EncodeToString(v.MAC("address", path+"?"+query.Encode()))
}

// admit lets a request in whose address is one of ours, as we made it, and has not expired. It also
// keeps what is answered, which may be anything, from acting as a page.
func (r *Resolver) admit(w http.ResponseWriter, q *http.Request) bool {
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	query, bad := url.ParseQuery(q.URL.RawQuery)
	mac := query.Get("mac")
	repeated := len(query["mac"]) > 1
	query.Del("mac")
	until, err := strconv.ParseInt(query.Get("until"), 10, 64)
	if bad != nil || repeated || err != nil || !hmac.Equal([]byte(addressMAC(r.Vault, q.URL.EscapedPath(), query)),
		[]byte(mac)) || time.Now().Unix() > until {
		http.Error(w, "this address was changed or has expired; ask the API for it again", http.StatusForbidden)
		return false
	}
	return true
}

// turnDown answers a request for, or with, a file that can't be served.
func turnDown(logger *slog.Logger, w http.ResponseWriter, q *http.Request, err error) {
	status := refusal.CodeOf(err).HTTPStatus()
	if status == 0 {
		id := newID()
		logger.Error("a file can't be served", "id", id, "path", q.URL.Path, "error", err)
		http.Error(w, "internal error "+id, http.StatusInternalServerError)
		return
	}
	http.Error(w, err.Error(), status)
}

func deliver(w http.ResponseWriter, media string, data []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data) // the caller has gone; nobody is left to tell
}
