package graph

import (
	"context"
	"encoding/base64"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"heddle/domain"
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

// pageOf reads the arguments that every list has: where to start and how many.
func pageOf(after *string, first *int) (from uint64, size int, err error) {
	if from, err = parseCursor(given(after)); err != nil {
		return 0, 0, err
	}
	size, err = sizeOf(first)
	return from, size, err
}

func sizeOf(first *int) (int, error) {
	switch {
	case first == nil:
		return maxPage, nil
	case *first < 0 || *first > maxPage:
		return 0, domain.RefuseField(domain.Invalid, "first", "must be between 0 and %d", maxPage)
	}
	return *first, nil
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
	return domain.RefuseField(domain.Invalid, "after", "%q is not a cursor that this server gave", s)
}

// paginate takes one page of a sequence whose elements come with their places, in ascending order.
func paginate[P ~uint64, T any](all iter.Seq2[P, T], after *string, first *int) (Page[T], error) {
	from, size, err := pageOf(after, first)
	return take(all, from, size), err
}

// whole is like paginate, but for a list that existing clients take to be whole when they ask for no
// number of elements.
func whole[P ~uint64, T any](all iter.Seq2[P, T], after *string, first *int) (Page[T], error) {
	from, size, err := pageOf(after, first)
	if first == nil {
		size = math.MaxInt
	}
	return take(all, from, size), err
}

func take[P ~uint64, T any](all iter.Seq2[P, T], from uint64, size int) Page[T] {
	page := Page[T]{Nodes: []T{}, Edges: []Edge[T]{}}
	page.total = func(context.Context) (n int, _ error) {
		for range all {
			n++
		}
		return n, nil
	}
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

func (p *Page[T]) add(node T, c string) {
	p.Nodes = append(p.Nodes, node)
	p.Edges = append(p.Edges, Edge[T]{Node: node, Cursor: c})
	if p.PageInfo.StartCursor == nil {
		p.PageInfo.StartCursor = &c
	}
	p.PageInfo.EndCursor = &c
}

// numbered gives the elements of a list that keeps its order their numbers as places, from 1.
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
	lower := strings.ToLower(given(part))
	return func(s string) bool { return lower == "" || strings.Contains(strings.ToLower(s), lower) }
}

// descending tells whether an order argument asks for the reverse.
func descending(orders ...OrderDirection) bool { return slices.Contains(orders, OrderDirectionDesc) }
