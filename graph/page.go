package graph

import (
	"context"
	"encoding/base64"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"heddle/domain/refusal"
)

// Page is one page of a list: the Go side of every connection type.
type Page[T any] struct {
	Nodes    []T
	Edges    []Edge[T]
	PageInfo PageInfo
	total    func(context.Context) (int, error)
}

// TotalCount is how many elements the list has in all. It is counted only when it is asked for.
func (p Page[T]) TotalCount(ctx context.Context) (int, error) { return p.total(ctx) }

// Edge is an element of a list with its cursor.
type Edge[T any] struct {
	Node   T
	Cursor string
}

// maxPage is the largest page and the default one. Source: what existing clients assume.
const maxPage = 100

// window is the arguments that every list has: forwards from behind a cursor, or backwards from before one.
type window struct {
	after  *string
	first  *int
	before *string
	last   *int
}

// backwards reports whether the page is to be the end of the list.
func (w window) backwards() bool { return w.last != nil || deref(w.before) != "" }

// read checks the arguments. It returns the cursor, empty for none, and how many elements are wanted.
func (w window) read() (from string, size int, err error) {
	field, n := "first", w.first
	if from = deref(w.after); w.backwards() {
		if from != "" || w.first != nil {
			return "", 0, refusal.ForField(refusal.Invalid, "last", "last and before go with neither first nor after")
		}
		field, n, from = "last", w.last, deref(w.before)
	}
	switch {
	case n == nil:
		return from, maxPage, nil
	case *n < 0 || *n > maxPage:
		return "", 0, refusal.ForField(refusal.Invalid, field, "must be between 0 and %d", maxPage)
	}
	return from, *n, nil
}

// A cursor is a place that never changes, such as a position in the log, made opaque.
func cursor(place uint64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("c" + strconv.FormatUint(place, 10)))
}

func parseCursor(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if number, ok := strings.CutPrefix(string(text), "c"); ok && err == nil {
		if place, err := strconv.ParseUint(number, 10, 64); err == nil {
			return place, nil
		}
	}
	return 0, refuseCursor(s)
}

func refuseCursor(s string) error {
	return refusal.ForField(refusal.Invalid, "after", "%q is not a cursor that this server gave", s)
}

// paginate takes one page of a sequence whose elements come with their places, in ascending order.
func paginate[P ~uint64, T any](all iter.Seq2[P, T], w window) (Page[T], error) {
	cursor, size, err := w.read()
	if err != nil {
		return Page[T]{}, err
	}
	from, err := parseCursor(cursor)
	if w.backwards() {
		return takeBack(all, from, size), err
	}
	return take(all, from, size), err
}

// paginateUnlessAsked is like paginate, but for a list that existing clients take to be whole when they ask for no
// number of elements.
func paginateUnlessAsked[P ~uint64, T any](all iter.Seq2[P, T], w window) (Page[T], error) {
	from, err := parseCursor(deref(w.after))
	if w.first == nil && !w.backwards() {
		return take(all, from, math.MaxInt), err
	}
	return paginate(all, w)
}

func take[P ~uint64, T any](all iter.Seq2[P, T], from uint64, size int) Page[T] {
	page := emptyPage(all)
	for place, node := range all {
		switch {
		case uint64(place) <= from:
			page.PageInfo.HasPreviousPage = true
		case len(page.Nodes) < size:
			page.add(node, cursor(uint64(place)))
		default:
			page.PageInfo.HasNextPage = true
			return page
		}
	}
	return page
}

// takeBack takes the last elements before a place, of all for 0.
func takeBack[P ~uint64, T any](all iter.Seq2[P, T], before uint64, size int) Page[T] {
	page := emptyPage(all)
	var tail []P
	var nodes []T
	for place, node := range all {
		if before != 0 && uint64(place) >= before {
			page.PageInfo.HasNextPage = true
			break
		}
		if len(tail) > 2*size { // no more is kept than is needed
			page.PageInfo.HasPreviousPage = true
			tail, nodes = slices.Delete(tail, 0, size+1), slices.Delete(nodes, 0, size+1)
		}
		tail, nodes = append(tail, place), append(nodes, node)
	}
	start := max(0, len(tail)-size)
	page.PageInfo.HasPreviousPage = page.PageInfo.HasPreviousPage || start > 0
	for i := start; i < len(tail); i++ {
		page.add(nodes[i], cursor(uint64(tail[i])))
	}
	return page
}

// emptyPage is a page of a list with nothing on it yet.
func emptyPage[P, T any](all iter.Seq2[P, T]) Page[T] {
	return Page[T]{Nodes: []T{}, Edges: []Edge[T]{}, total: func(context.Context) (n int, _ error) {
		for range all {
			n++
		}
		return n, nil
	}}
}

// turn makes the page of one that was taken backwards: its elements come the other way round.
func (p *Page[T]) turn() {
	slices.Reverse(p.Nodes)
	slices.Reverse(p.Edges)
	i := &p.PageInfo
	i.StartCursor, i.EndCursor, i.HasPreviousPage, i.HasNextPage = i.EndCursor, i.StartCursor, i.HasNextPage,
		i.HasPreviousPage
}

func (p *Page[T]) add(node T, c string) {
	p.Nodes = append(p.Nodes, node)
	p.Edges = append(p.Edges, Edge[T]{Node: node, Cursor: c})
	if p.PageInfo.StartCursor == nil {
		p.PageInfo.StartCursor = &c
	}
	p.PageInfo.EndCursor = &c
}

// numbered returns the elements of a list that keeps its order their numbers as places, from 1.
func numbered[T any](list []T) iter.Seq2[uint64, T] {
	return func(yield func(uint64, T) bool) {
		for i, v := range list {
			if !yield(uint64(i+1), v) {
				return
			}
		}
	}
}

// where keeps the elements that fit.
func where[P, T any](all iter.Seq2[P, T], fits func(T) bool) iter.Seq2[P, T] {
	return func(yield func(P, T) bool) {
		for place, v := range all {
			if fits(v) && !yield(place, v) {
				return
			}
		}
	}
}

// contains is the name_Icontains of the schema: null and empty fit everything.
func contains(part *string) func(string) bool {
	lower := strings.ToLower(deref(part))
	return func(s string) bool { return lower == "" || strings.Contains(strings.ToLower(s), lower) }
}

// descending reports whether an order argument asks for the reverse.
func descending(orders ...OrderDirection) bool { return slices.Contains(orders, OrderDirectionDesc) }
