package graph

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// loads is a script or style that the page loads, with the hash that the browser checks.
var loads = regexp.MustCompile(`(?s)<(?:script|link)[^>]*(?:src|href)="([^"]+)"[^>]*?integrity="([^"]+)"`)

// The page works on a closed network: all it loads comes from this server, and is what its hashes say.
func TestExplorer(t *testing.T) {
	h := newHarness(t)
	get := func(path string) reply { return h.send(httptest.NewRequest(http.MethodGet, path, nil)) }
	for _, path := range []string{"/api", "/api/"} {
		page := get(path)
		if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
			t.Fatalf("%s: answered %d %v", path, page.status, page.header)
		}
		loaded := loads.FindAllStringSubmatch(page.body, -1)
		if tags := strings.Count(page.body, "src=") + strings.Count(page.body, "<link"); len(loaded) != 6 || tags != 6 {
			t.Errorf("%s loads %d checked assets by %d tags, want 6: %s", path, len(loaded), tags, page.body)
		}
		for _, m := range loaded {
			if !strings.HasPrefix(m[1], "/api/explorer/") {
				t.Errorf("%s loads %s from elsewhere", path, m[1])
			}
			file := get(m[1])
			sum := sha256.Sum256([]byte(file.body))
			if want := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); file.status != 200 ||
				html.UnescapeString(m[2]) != want {
				t.Errorf("%s: answered %d, is %s, the page wants %s", m[1], file.status, want, m[2])
			}
		}
		if strings.Contains(page.body, "http://") || strings.Contains(page.body, "https://") {
			t.Errorf("%s names another server", path)
		}
	}
	if a := get("/api/explorer/../handler.go"); a.status == 200 {
		t.Error("serves files that are not the explorer's")
	}
}
