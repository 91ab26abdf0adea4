package graph

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"heddle/domain"
)

// Whatever is answered, refusals too, is not to be sniffed, framed, told of to others, or stored.
func TestHeaders(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	get := func(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }
	signed := func(path string) *http.Request { return get(strings.TrimPrefix(h.signed(path, nil), h.PublicURL)) }
	allowed := request(`{"query":"{ organization { name } }"}`, "Authorization", "Bearer "+h.tokens[domain.Viewer])
	crossed := request(`{}`, "Sec-Fetch-Site", "cross-site")
	page, file := "text/html; charset=utf-8", "text/css; charset=utf-8"
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		media   string // "" for any
	}{
		"the page":            {get("/api"), 200, page},
		"its files":           {get("/api/explorer/start.css"), 200, file},
		"its script":          {get("/api/explorer/start.js"), 200, ""},
		"an answer":           {allowed, 200, "application/json; charset=utf-8"},
		"nobody's":            {request(`{"query":"{ organization { name } }"}`), 200, ""},
		"no JSON":             {request(`x`), 400, ""},
		"from another site":   {crossed, 403, ""},
		"no route":            {get("/api/none"), 404, ""},
		"another method":      {httptest.NewRequest(http.MethodDelete, "/api", nil), 405, ""},
		"the audit":           {get("/api/audit"), 401, ""},
		"a payload, unsigned": {get(payloadPath + "x/request"), 403, ""},
		"a payload of none":   {signed(payloadPath + "x/request"), 404, ""},
		"an icon of none":     {signed(filePath + id + iconFile), 404, ""},
		"an upload, unsigned": {httptest.NewRequest(http.MethodPut, uploadPath+"x", nil), 403, ""},
	} {
		a := h.send(c.request)
		if a.status != c.status || c.media != "" && a.header.Get("Content-Type") != c.media {
			t.Errorf("%s: answered %d, %v", name, a.status, a.header)
		}
		stored := "no-store"
		if c.status == 200 && strings.HasPrefix(c.request.URL.Path, "/api/explorer/") {
			stored = "no-cache"
		}
		policy := a.header.Get("Content-Security-Policy")
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" ||
			a.header.Get("Cache-Control") != stored || !strings.Contains(policy, "default-src 'none'") ||
			!strings.HasSuffix(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script-src 'unsafe") {
			t.Errorf("%s: answered with %v", name, a.header)
		}
	}
}
