package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Pages from memory equal those from a query, whatever was cached, dropped, removed or written by others.
func TestNewestIsWhatIsQueried(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	log := openTestLog(t, path)
	other := openTestLog(t, path)
	log.tail.newest.most = 2000
	compare := func(after Position, f Filter) (known bool) {
		t.Helper()
		until := log.tail.end()
		got, all, known := log.tail.page(after, until, f)
		if !known {
			return false
		}
		log.tail.newest.after += 1 << 40 // so that it queries
		want, wantAll, err := log.Page(after, until, f)
		log.tail.newest.after -= 1 << 40
		if diff := cmp.Diff(want, got); err != nil || all != wantAll || diff != "" {
			t.Fatalf("after %d: %v, all %v and %v\n%s", after, err, all, wantAll, diff)
		}
		return true
	}
	kept := map[bool]int{}
	for i := range 400 {
		stream := fmt.Sprintf("%s-%d", []string{"run", "draft", "$system"}[i%3], i)
		event := event1("E")
		event.Data, event.Binary = []byte(strings.Repeat("x", i%7*30)), i%5 == 0
		switch {
		case i%50 == 49:
			if err := log.Remove(t.Context(), fmt.Sprintf("%s-%d", []string{"run", "draft", "$system"}[(i-1)%3],
				i-1)); err != nil {
				t.Fatal(err)
			}
			if n := len(log.tail.newest.records); n != 0 {
				t.Fatalf("after a removal %d are kept", n)
			}
		case i%70 == 69:
			mustAppend(t, other, stream, NoStream, event)
		default:
			mustAppend(t, log, stream, NoStream, event, event1("F"))
		}
		for _, f := range []Filter{{}, {System: true}, {Categories: []string{"draft"}},
			{Categories: []string{"draft", "run"}}} {
			for back := range Position(12) {
				kept[compare(log.tail.end()-min(log.tail.end(), back), f)]++
			}
		}
	}
	if kept[true] < 1000 || kept[false] < 1000 {
		t.Errorf("compared %d pages, and had not %d", kept[true], kept[false])
	}
}
