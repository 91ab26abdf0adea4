package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the driver

	"heddle/store"
)

// cmdEvents shows the log of the stopped server as normalised text: stream by stream in the order in
// which they began, since what two streams do at the same time has no order that a test could expect.
func cmdEvents(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "events")
	records, err := recorded(filepath.Join(ts.Getenv("HEDDLE_DATA"), "log.db"))
	ts.Check(err)
	n := &names{given: map[string]string{}, counts: map[string]int{}, fixed: map[string]string{}}
	if hook := of(ts).hook; hook != nil {
		n.fixed[hook.URL], n.fixed[strings.TrimPrefix(hook.URL, "http://")] = "http://HOOK", "HOOK"
	}
	var streams []string
	byStream := map[string][]store.Recorded{}
	for _, r := range records {
		if byStream[r.Stream] == nil {
			streams = append(streams, r.Stream)
			n.stream(r)
		}
		byStream[r.Stream] = append(byStream[r.Stream], r)
	}
	for _, stream := range streams {
		for _, r := range byStream[stream] {
			line, err := n.line(r)
			ts.Check(err)
			_, _ = io.WriteString(ts.Stdout(), line)
		}
	}
}

// recorded reads a whole log.
func recorded(path string) (records []store.Recorded, err error) {
	log, err := store.OpenSQLite(path)
	if err != nil {
		return nil, err
	}
	for r, err := range log.Follow(context.Background(), 0, store.Filter{}) {
		if err != nil {
			return nil, err
		}
		if r.Mark() {
			break
		}
		records = append(records, r)
	}
	return records, log.Close()
}

// names gives what differs at each run of a test names that do not, in order of appearance.
type names struct {
	given  map[string]string
	counts map[string]int
	fixed  map[string]string
}

func (n *names) name(kind, value string) string {
	if n.given[value] == "" {
		n.counts[kind]++
		n.given[value] = fmt.Sprintf("%s#%d", kind, n.counts[kind])
	}
	return n.given[value]
}

// stream names a stream, and its aggregate's id after it unless another stream has the same one, as
// the persisted values of an instance do.
func (n *names) stream(r store.Recorded) string {
	name := n.name(r.Category(), r.Stream)
	if n.given[r.AggregateID()] == "" {
		n.given[r.AggregateID()] = name
	}
	if owner := n.given[r.AggregateID()]; owner != name {
		return name + " of " + owner
	}
	return name
}

// line is an event: stream, revision, kind, who did it, and what, without what is long or differs.
func (n *names) line(r store.Recorded) (string, error) {
	meta, err := store.MetaOf(r)
	if err != nil {
		return "", err
	}
	var data any
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return "", err
	}
	digest, err := json.Marshal(n.digest("", data))
	if err != nil {
		return "", err
	}
	by := n.text("", meta.Actor)
	return fmt.Sprintf("%s %d %s by %s %s\n", n.stream(r), r.Revision, r.Kind, by, digest), nil
}

// volatile are keys whose values differ at each run and tell a reader nothing.
var volatile = []string{"started", "ended", "at", "due", "time", "worker", "hash", "size"}

// digest is the value as a reader of the story wants it.
func (n *names) digest(key string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if key == "payload" || key == "output" {
			return n.content(v)
		}
		if v["children"] != nil || v["fields"] != nil {
			return outline(v)
		}
		short := map[string]any{}
		for k, e := range v {
			if !slices.Contains(volatile, k) {
				short[k] = n.digest(k, e)
			}
		}
		return short
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = n.digest("", v[i])
		}
		return list
	case string:
		if key == "sealed" {
			return "ciphertext"
		}
		return n.text(key, v)
	}
	return value
}

var (
	ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	hex = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	// dataKey is a key of 32 bytes and more in base64, as no key of a persisted value in a story looks.
	dataKey = regexp.MustCompile(`^[A-Za-z0-9+/]{100,}=*$`)
)

func (n *names) text(key, s string) string {
	for from, to := range n.fixed {
		s = strings.ReplaceAll(s, from, to)
	}
	s = ids.ReplaceAllStringFunc(s, func(id string) string { return n.name("id", id) })
	s = hex.ReplaceAllStringFunc(s, func(h string) string { return n.name("content", h) })
	if key == "key" {
		s = dataKey.ReplaceAllString(s, "wrapped key")
	}
	return s
}

// content is what a step or trigger left: of a delivery only what was sent and how.
func (n *names) content(v map[string]any) any {
	inline, _ := v["inline"].(map[string]any)
	switch {
	case v["blob"] != nil:
		return "in a blob"
	case inline["headers"] == nil:
		return n.digest("", v["inline"])
	}
	short := map[string]any{}
	for _, key := range []string{"method", "contentType", "data", "body"} {
		if inline[key] != nil {
			short[key] = n.digest("", inline[key])
		}
	}
	return short
}

// outline is a part of a definition: its name and those of its parts.
func outline(v map[string]any) any {
	name, _ := at(v, "fields.name").(string)
	var parts []any
	children, _ := v["children"].(map[string]any)
	for _, key := range []string{"flows", "steps", "branches"} {
		list, _ := children[key].([]any)
		for _, e := range list {
			parts = append(parts, outline(e.(map[string]any)))
		}
	}
	if parts == nil {
		return name
	}
	return map[string]any{name: parts}
}

// cmdSQL changes the log of a stopped server behind its back.
func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "sql STATEMENT")
	db, err := sql.Open("sqlite", filepath.Join(ts.Getenv("HEDDLE_DATA"), "log.db"))
	ts.Check(err)
	result, err := db.Exec(args[0])
	ts.Check(err)
	n, err := result.RowsAffected()
	ts.Check(err)
	if n == 0 {
		ts.Fatalf("it changes nothing")
	}
	ts.Check(db.Close())
}
