package graph

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"heddle/domain/refusal"
	"heddle/store/vault"
)

// An address is let in only if it says just what one says that was made.
func FuzzSignedAddress(f *testing.F) {
	vault, err := vault.Open(make([]byte, vault.MasterKeySize))
	if err != nil {
		f.Fatal(err)
	}
	r := &Resolver{Vault: vault, AddressTime: 100 * 365 * 24 * time.Hour,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	made := map[string]url.Values{}
	for _, address := range []string{r.signed(payloadPath+"x/request", nil),
		r.signed(uploadPath+"u", url.Values{"name": {"a b&c.txt"}, "object": {"o"}})} {
		path, query, _ := strings.Cut(address, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			f.Fatal(err)
		}
		made[path] = values
		f.Add(path, query)
		f.Add(path+"/", query)
		f.Add(strings.ReplaceAll(path, "/", "%2F"), query+"&mac=")
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		u, err := url.ParseRequestURI("/" + strings.TrimPrefix(path, "/"))
		if err != nil {
			return
		}
		u.RawQuery = query
		w := httptest.NewRecorder()
		if !r.admit(w, &http.Request{Method: http.MethodGet, URL: u}) {
			if w.Code != http.StatusForbidden {
				t.Errorf("answered %d", w.Code)
			}
			return
		}
		values, err := url.ParseQuery(query)
		if want, ok := made[u.EscapedPath()]; err != nil || !ok || !reflect.DeepEqual(values, want) {
			t.Errorf("%s?%s is let in", path, query)
		}
	})
}

// Whatever is rendered is dead, and loads nothing.
func FuzzMarkdown(f *testing.F) {
	for _, text := range []string{"# a\n\n*b* `c` ~~d~~", "|a|\n|-|\n|<b>|", "[a](javascript:b)", "![a](//b \"c\")",
		"[![a](b)][c]\n\n[c]: d", "<a\nhref=x>", "> - 1. ```\n<script>",
		"&#106;avascript&colon;", "<https://a.example/\"onclick=>", "\x00<img src=x onerror=a>", "www.a.example",
		"a@b.example", "[a]: <b> 'c'\n[a]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			return // what is longer takes longer, and finds no more
		}
		for _, images := range []bool{false, true} {
			page, err := renderMarkdown(text, images)
			if err != nil {
				t.Fatal(err)
			}
			if found := alive.FindString(page); found != "" || !images && strings.Contains(page, "<img") {
				t.Errorf("%q is alive in %s", found, page)
			}
		}
	})
}

// What is no cursor is refused, and what is one is the one that it was written as.
func FuzzCursors(f *testing.F) {
	order := sorting[string]{by: []func(string) sortKey{func(string) sortKey { return sortKey{} }}, down: []bool{false},
		name: "n"}
	for _, s := range []string{"", cursor(0), cursor(1 << 63), feedCursor{position: 5}.String(),
		feedCursor{5, 2}.String(), "0.0", "3.-1", "1.18446744073709551615",
		spot{Order: "n", Keys: make([]sortKey, 1), Place: 7}.String(), "czE", "c", "=", "Zg"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		refused := func(err error) {
			if code := refusal.CodeOf(err); err != nil && code != refusal.Invalid {
				t.Errorf("%q: %v", s, err)
			}
		}
		place, err := parseCursor(s)
		if refused(err); err == nil {
			if again, err := parseCursor(cursor(place)); again != place || err != nil {
				t.Errorf("%q is %d, and then %d, %v", s, place, again, err)
			}
		}
		c, err := parseFeedCursor(s)
		if refused(err); err == nil && s != "" && c.String() != s {
			t.Errorf("%q is %s", s, c)
		}
		p, err := parseDraftPlace(s)
		if refused(err); err == nil && p.String() != s {
			t.Errorf("%q is %s", s, p)
		}
		at, err := order.parse(s)
		if refused(err); err == nil && at != nil && at.String() != s {
			t.Errorf("%q is %s", s, at)
		}
	})
}
