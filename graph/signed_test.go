package graph

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"heddle/domain"
	"heddle/store/vault"
)

// Addresses that let in by themselves let in as they were made, and in no other way: whatever kind they are of.
func TestSignedAddresses(t *testing.T) {
	h := newHarness(t)
	rivals := h.organization("Rivals")
	id, theirs := h.imported(h.org, shop), h.imported(rivals, shop)
	h.attach(id, "a.txt", "a")
	h.do(iconDocument, vars{"id": id, "url": h.stored(id, MediaTypeAvatar, "i.png", iconOf(t, 400, 0))})
	run, other := h.executed(h.org, newID(), 1), h.executed(rivals, newID(), 1)
	files := h.do(filesDocument, vars{"id": id})
	step := h.do(`query ($id: ID!) { executionResult(id: $id) { stepResults { nodes { resultsUrl } } } }`,
		vars{"id": run}).text("executionResult.stepResults.nodes.0.resultsUrl")
	upload, _ := h.asked(id, MediaTypeAttachment, "u.txt")
	foreign, err := vault.Open([]byte(strings.Repeat("x", vault.MasterKeySize)))
	h.must(err)
	resigned := func(address string, vault *vault.Vault, lasts time.Duration) string {
		u, err := url.Parse(address)
		h.must(err)
		query := u.Query()
		query.Del("mac")
		query.Del("until")
		return (&Resolver{Vault: vault, PublicURL: h.PublicURL, AddressTime: lasts}).signed(u.EscapedPath(), query)
	}
	swap := func(old, new string) func(string) string {
		return func(address string) string { return strings.Replace(address, old, new, 1) }
	}
	mac := func(change func(string) string) func(string) string {
		return func(address string) string {
			front, mac, _ := strings.Cut(address, "&mac=")
			return front + "&mac=" + change(mac)
		}
	}
	tampered := map[string]func(string) string{
		"another execution": swap(run, newID()),
		"another organization's": func(a string) string {
			return strings.NewReplacer(run, other, id,
				theirs).Replace(a)
		},
		"a later time":            swap("until=", "until=1"),
		"an earlier time":         func(a string) string { return strings.Replace(a, "until=1", "until=0", 1) },
		"no time":                 swap("until=", "was="),
		"a time said twice":       func(a string) string { return a + "&until=99999999999" },
		"a time said before":      swap("?", "?until=99999999999&"),
		"a time that is none":     swap("until=", "until=x"),
		"a time that is negative": swap("until=", "until=-"),
		"a time with a sign":      swap("until=", "until=%2B"),
		"more said":               func(a string) string { return a + "&x=1" },
		"more said, emptily":      func(a string) string { return a + "&x" },
		"said in a broken way":    func(a string) string { return a + "&%zz=1" },
		"a semicolon":             func(a string) string { return a + ";x=1" },
		"no MAC":                  mac(func(string) string { return "" }),
		"half a MAC":              mac(func(m string) string { return m[:len(m)/2] }),
		"a longer MAC":            mac(func(m string) string { return m + "A" }),
		"a padded MAC":            mac(func(m string) string { return m + "=" }),
		"a MAC in capitals":       mac(strings.ToUpper),
		"a MAC turned round":      mac(func(m string) string { return m[1:] + m[:1] }),
		"a MAC said twice":        mac(func(m string) string { return m + "&mac=" + m }),
		"another's MAC": mac(func(string) string {
			_, m, _ := strings.Cut(h.payloadURL(newID(), requestPart),
				"&mac=")
			return m
		}),
		"nothing signed":     func(a string) string { front, _, _ := strings.Cut(a, "?"); return front },
		"a slash at the end": swap("?", "/?"),
		"a dot at the end":   swap("?", "%2e?"),
		"a NUL at the end":   swap("?", "%00?"),
		"a part in capitals": func(a string) string {
			p, q, _ := strings.Cut(a, "?")
			return strings.ToUpper(p[:len(p)-1]) + p[len(p)-1:] + "?" + q
		},
		"a byte that is escaped": swap("/api/", "/%61pi/"),
		"expired":                func(a string) string { return resigned(a, h.Vault, -2*time.Second) },
		"another server's":       func(a string) string { return resigned(a, foreign, time.Hour) },
	}
	for kind, c := range map[string]struct {
		method, address string
		status          int
		others          []string // methods
	}{
		"a request":  {"GET", h.payloadURL(run, requestPart), 200, []string{"POST", "PUT", "DELETE"}},
		"a response": {"GET", h.payloadURL(run, responsePart), 200, []string{"POST", "PUT", "PATCH"}},
		"a step":     {"GET", step, 200, []string{"POST", "PUT", "DELETE"}},
		"an icon":    {"GET", files.text("integration.avatarUrl"), 200, []string{"POST", "PUT", "DELETE"}},
		"an attachment": {"GET", files.text("integration.attachments.nodes.0.url"), 200,
			[]string{"POST", "PUT", "DELETE"}},
		"an upload": {"PUT", upload, 204, []string{"GET", "POST", "PATCH", "DELETE"}},
	} {
		answered := func(method, address string) int {
			path := strings.TrimPrefix(address, h.PublicURL)
			q, err := http.NewRequest(method, path, strings.NewReader("x"))
			if err != nil {
				return http.StatusBadRequest // no client sends it
			}
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, q)
			return w.Code
		}
		for name, tamper := range tampered {
			if changed := tamper(c.address); changed == c.address {
				continue // it has nothing of that kind
			} else if got := answered(c.method, changed); got < 300 || got >= 500 {
				t.Errorf("%s, %s: answered %d to %s", kind, name, got, changed)
			}
		}
		for _, method := range c.others {
			if got := answered(method, c.address); got != 405 && got != 404 {
				t.Errorf("%s by %s: answered %d", kind, method, got)
			}
		}
		if got := answered(c.method, c.address); got != c.status {
			t.Errorf("%s as it is: answered %d", kind, got)
		}
	}
	for name, token := range map[string]string{"nobody": "", "their administrator": rivals.tokens[domain.Admin]} {
		if a := h.ask(token, `query ($id: ID!) { executionResult(id: $id) { id } }`,
			vars{"id": run}); a.text("executionResult.id") != "" {
			t.Errorf("%s is given the address: %s", name, a.body)
		}
	}

}

// What people write is told as they wrote it, in JSON that no browser takes for a page.
func TestNamesInAnswers(t *testing.T) {
	h := newHarness(t)
	for n, text := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`,
		`</title><svg onload=alert(1)>`, "javascript:alert(1)",
		`{{constructor.constructor('alert(1)')()}}`, "${7*7}", "\u2028alert(1)//", "-->", `<!--<script>`,
		`' onmouseover='alert(1)`} {
		a := h.do(customerDocument, vars{"name": text})
		if a.text("createCustomer.customer.name") != text || strings.ContainsAny(a.body, "<>\u2028") ||
			!strings.HasPrefix(a.header.Get("Content-Type"), "application/") ||
			a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d: answered %s %v", n, a.body, a.header)
		}
		if refused := h.ask(h.tokens[domain.Admin], `query ($id: ID!) { node(id: $id) { id } `+text,
			nil); strings.ContainsAny(refused.body, "<>") {
			t.Errorf("%d: refused with %s", n, refused.body)
		}
		for _, path := range []string{"/api/" + url.PathEscape(text), "/api?query=" + url.QueryEscape(text),
			"/api?extensions=" + url.QueryEscape(text) + "&query=x", "/api/audit?from=" + url.QueryEscape(text)} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer "+h.tokens[domain.Admin])
			if w := h.send(r); strings.HasPrefix(w.header.Get("Content-Type"), "text/html") ||
				w.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: answered %d as %v", path, w.status, w.header)
			}
		}
	}
}
