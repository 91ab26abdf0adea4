package component

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Once a redirect has led to another origin, headers that are the flow's own stay behind, also on the way back.
func TestRedirected(t *testing.T) {
	own := http.Header{"Authorization": {"a"}, "Cookie": {"c"}, "Proxy-Authorization": {"p"}, "X-Api-Key": {"k"},
		"x-raw": {"r"}, "Referer": {"http://first.test/?key=secret"}, "Accept": {"text/csv"},
		"Content-Type": {"text/plain"}, "Idempotency-Key": {"i"}, "User-Agent": {"u"}}
	harmless := []string{"Accept", "Content-Type", "Idempotency-Key", "User-Agent"}
	all := append(slices.Clone(harmless), "Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "x-raw")
	for name, c := range map[string]struct {
		places []string
		want   []string
	}{
		"same origin":     {[]string{"https://first.test/a", "https://first.test/b"}, all},
		"same, with port": {[]string{"https://first.test/a", "https://First.test:443/b?a=b c&ü=1"}, all},
		"other host":      {[]string{"https://first.test/a", "https://second.test/a"}, harmless},
		"host below":      {[]string{"https://first.test/a", "https://files.first.test/a"}, harmless},
		"other port":      {[]string{"https://first.test/a", "https://first.test:8443/a"}, harmless},
		"downgrade":       {[]string{"https://first.test/a", "http://first.test/a"}, harmless},
		"upgrade":         {[]string{"http://first.test/a", "https://first.test/a"}, harmless},
		"there and back": {[]string{"https://first.test/a", "https://second.test/a", "https://first.test/b"},
			harmless},
	} {
		var via []*http.Request
		for _, place := range c.places {
			r, err := http.NewRequest(http.MethodGet, place, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = own.Clone()
			via = append(via, r)
		}
		last := len(via) - 1
		Redirected(via[last], via[:last])
		got := slices.Sorted(maps.Keys(via[last].Header))
		if query := via[last].URL.RawQuery; query != "" && query != "a=b%20c&%C3%BC=1" {
			t.Errorf("%s: the query is %s", name, query)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(c.want)), got); diff != "" {
			t.Error(name, diff)
		}
	}
}
