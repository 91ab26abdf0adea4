package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// terms are conditions with the values for their question marks.
type terms struct {
	all  []string
	args []any
}

func (t *terms) add(term string, args ...any) {
	t.all, t.args = append(t.all, term), append(t.args, args...)
}

func (t terms) with(term string, args ...any) terms {
	both := terms{append(t.all[:len(t.all):len(t.all)], term), append(t.args[:len(t.args):len(t.args)], args...)}
	return both
}

// maxBranches is how many sources are each read in order of their own index. Beyond that all runs of the
// organization are scanned in order.
const maxBranches = 64

// choose returns the statement for the places of the executions of a page, or of all pages; it is empty if
// there can be none. Each of its branches reads one index in order and ends at the limit.
func (x *RunIndex) choose(ctx context.Context, q ExecutionQuery, page bool) (string, []any, error) {
	var organization int64
	err := x.db.QueryRowContext(ctx, `SELECT id FROM organizations WHERE name = ?`, q.Organization).Scan(&organization)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	} else if err != nil {
		return "", nil, fmt.Errorf("listing executions: %w", err)
	}
	sources, narrowed, err := x.sourcesOf(ctx, organization, q)
	if err != nil || (narrowed && len(sources) == 0) {
		return "", nil, err
	}
	t := q.terms(page)
	t.add("r.organization = ?", organization)
	among := t
	if narrowed {
		among = t.with("r.source IN (SELECT value FROM json_each(?))", encodeIDs(sources))
	}
	var b branches
	b.tail, b.limit = q.order(), q.Limit
	if !page {
		b.tail = ""
	}
	if q.Text != "" {
		match := matching(q.Text)
		if match == "" {
			return "", nil, nil
		}
		sets, err := x.ids(ctx, `SELECT rowid FROM step_words WHERE step_words MATCH ?`, match)
		if err != nil {
			return "", nil, err
		}
		b.add("texts CROSS JOIN runs r ON r.position = texts.rowid", among.with("texts MATCH ?", match))
		if len(sets) == 0 {
			return b.sql(), b.args, nil
		}
		some := encodeIDs(sets)
		t, among = t.with("r.steps IN (SELECT value FROM json_each(?))",
			some), among.with("r.steps IN (SELECT value FROM json_each(?))", some)
	}
	switch {
	case is(q.Failed, true) || is(q.HasError, true):
		b.add("runs r INDEXED BY runs_failed", among.with("r.failed = 1"))
	case is(q.Ended, false):
		b.add("runs r INDEXED BY runs_unfinished", among.with("r.ended = 0"))
	case narrowed && len(sources) <= maxBranches:
		for _, id := range sources {
			b.add("runs r INDEXED BY runs_by_source", t.with("r.source = ?", id))
		}
	default:
		b.add("runs r INDEXED BY runs_by_organization", among)
	}
	return b.sql(), b.args, nil
}

func is(asked *bool, value bool) bool { return asked != nil && *asked == value }

// branches are selects whose results are merged.
type branches struct {
	list  []string
	args  []any
	tail  string // order and limit of each, empty if all rows are wanted
	limit int
}

func (b *branches) add(from string, t terms) {
	one := `SELECT r.position FROM ` + from + ` WHERE ` + strings.Join(t.all, " AND ")
	b.args = append(b.args, t.args...)
	if b.tail != "" {
		one = `SELECT * FROM (` + one + b.tail + ` LIMIT ?)`
		b.args = append(b.args, b.limit)
	}
	b.list = append(b.list, one)
}

func (b *branches) sql() string { return strings.Join(b.list, " UNION ") }

// order is the order of lists.
func (q ExecutionQuery) order() string {
	if q.Ascending {
		return ` ORDER BY r.at, r.position`
	}
	return ` ORDER BY r.at DESC, r.position DESC`
}

// terms are the conditions on the run itself.
func (q ExecutionQuery) terms(page bool) (t terms) {
	if !q.StartedFrom.IsZero() {
		from := q.StartedFrom.UnixMicro()
		t.add("r.at >= ? AND r.started >= ?", from, from)
	}
	if !q.StartedTo.IsZero() {
		to := q.StartedTo.UnixMicro()
		t.add("r.at <= ? AND r.started BETWEEN 1 AND ?", to, to)
	}
	for _, c := range []struct {
		asked *bool
		is    string
	}{{q.Started, "(r.started > 0) = ?"}, {q.Ended, "(r.ended > 0) = ?"}, {q.Failed, "(r.result = 'ERROR') = ?"},
		{q.HasError, "(r.error <> '') = ?"}, {q.Canceled, "(r.result LIKE 'CANCELED%') = ?"}} {
		if c.asked != nil {
			t.add(c.is, *c.asked)
		}
	}
	if q.Result != "" {
		t.add("r.result = ?", string(q.Result))
	}
	if page && q.After != (ExecutionPlace{}) {
		sign := "<"
		if q.Ascending {
			sign = ">"
		}
		t.add("(r.at, r.position) "+sign+" (?, ?)", q.After.At, q.After.Position)
	}
	return t
}

// sourcesOf returns the sources that a query selects; narrowed reports whether these are fewer than all.
func (x *RunIndex) sourcesOf(ctx context.Context, organization int64,
	q ExecutionQuery) (ids []int64, narrowed bool, err error) {
	var t terms
	for _, c := range [][2]string{{"instance", q.Instance}, {"integration", q.Integration}, {"version", q.Version},
		{"flow", q.Flow}, {"customer", q.Customer}, {"invoke", string(q.Invoke)}} {
		if c[1] != "" {
			t.add(c[0]+" = ?", c[1])
		}
	}
	if q.Test != nil {
		t.add("(version = '') = ?", *q.Test)
	}
	if len(t.all) == 0 {
		return nil, false, nil
	}
	t.add("organization = ?", organization)
	ids, err = x.ids(ctx, `SELECT id FROM sources WHERE `+strings.Join(t.all, " AND "), t.args...)
	return ids, true, err
}

func (x *RunIndex) ids(ctx context.Context, query string, args ...any) (ids []int64, err error) {
	rows, err := x.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("listing executions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// encodeIDs returns many ids as one argument.
func encodeIDs(ids []int64) string {
	list, _ := json.Marshal(ids) // integers always have a JSON form
	return string(list)
}

// maxTerms is how many words are searched for together.
const maxTerms = 16

// matching returns the FTS5 query for words: each must begin a word. FTS5 separates words at anything but
// letters and digits, and so does matching.
func matching(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.N, unicode.M, unicode.Co)
	})
	var all []string
	for _, w := range words[:min(len(words), maxTerms)] {
		all = append(all, `"`+w+`"*`)
	}
	return strings.Join(all, " ")
}
