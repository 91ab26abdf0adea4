package graph

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"

	"heddle/domain/refusal"
)

// sortKey is the key of an element in a sort: a text or a number, the other being zero.
type sortKey struct {
	Text   string `json:"t,omitempty"`
	Number int64  `json:"n,omitempty"`
}

// maxKey is how much of a text counts, in bytes: cursors hold it.
const maxKey = 256

// byText sorts regardless of case.
func byText(s string) sortKey { return byFolded(strings.ToLower(s)) }

func byFolded(s string) sortKey {
	if len(s) > maxKey {
		s = strings.ToValidUTF8(s[:maxKey], "")
	}
	return sortKey{Text: s}
}

func byNumber(n int) sortKey { return sortKey{Number: int64(n)} }

// byTime puts what has no time first.
func byTime(t time.Time) sortKey { return sortKey{Number: t.UnixMicro()} }

func (k sortKey) compare(other sortKey) int {
	if k.Number != other.Number {
		return cmp.Compare(k.Number, other.Number)
	}
	return strings.Compare(k.Text, other.Text)
}

// sorting is the order of a list: by some keys and, where they are the same, by place.
type sorting[E any] struct {
	name string // distinguishes orders in cursors
	by   []func(E) sortKey
	down []bool
	back bool // the other way round
}

// and sorts further by a field, unless the list is sorted by it already.
func (s *sorting[E]) and(field string, direction OrderDirection, key func(E) sortKey) {
	if slices.Contains(strings.Fields(s.name), field) {
		return
	}
	if s.name += " " + field; direction == OrderDirectionDesc {
		s.name += " desc"
	}
	s.by, s.down = append(s.by, key), append(s.down, direction == OrderDirectionDesc)
}

// spot is where an element stands in a sorted list. A cursor holds it: whatever comes, goes
// or is renamed, what stands behind it is behind it.
type spot struct {
	Order string    `json:"o"`
	Keys  []sortKey `json:"k"`
	Place uint64    `json:"p"`
}

func (p spot) String() string {
	text, _ := json.Marshal(p) // texts and numbers always have a form
	return base64.RawURLEncoding.EncodeToString(append([]byte("s"), text...))
}

// parse reads a cursor of this order; nil is before everything.
func (s *sorting[E]) parse(cursor string) (*spot, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var p spot
	switch {
	case err != nil || len(text) == 0 || text[0] != 's' || json.Unmarshal(text[1:], &p) != nil || p.String() != cursor:
		return nil, refuseCursor(cursor)
	case p.Order != s.name || len(p.Keys) != len(s.by):
		return nil, refusal.ForField(refusal.Invalid, "after",
			"is a cursor of the same list in another order; begin without one")
	}
	return &p, nil
}

// sorted takes one page of a sequence whose elements come with their places, in an order of its own,
// and returns each as show does. Without an order they stay in that of their places.
func sorted[P ~uint64, E, T any](all iter.Seq2[P, E], order sorting[E], show func(E) T, w window) (Page[T], error) {
	if len(order.by) == 0 {
		return paginate(func(yield func(P, T) bool) {
			for place, element := range all {
				if !yield(place, show(element)) {
					return
				}
			}
		}, w)
	}
	page := Page[T]{Nodes: []T{}, Edges: []Edge[T]{}, total: emptyPage(all).total}
	cursor, size, err := w.read()
	if err != nil {
		return page, err
	}
	from, err := order.parse(cursor)
	if err != nil {
		return page, err
	}
	order.back = w.backwards()
	head, before := headOf(all, order, from, size+1)
	for _, s := range head[:min(size, len(head))] {
		page.add(show(s.element), s.String())
	}
	page.PageInfo.HasNextPage, page.PageInfo.HasPreviousPage = len(head) > size, before
	if order.back {
		page.turn()
	}
	return page, nil
}

// same shows elements as they are.
func same[T any](v T) T { return v }

// standing is an element in its spot, as far as that has been worked out.
type standing[E any] struct {
	spot
	element E
	known   int // how many of the keys
}

// compare works out no more of an element's keys than it takes: most need one to stand behind the rest.
func (s *sorting[E]) compare(e *standing[E], to *spot) int {
	for i, down := range s.down {
		if i == e.known {
			e.Keys[i] = s.by[i](e.element)
			e.known++
		}
		if c := e.Keys[i].compare(to.Keys[i]); c != 0 && down != s.back {
			return -c
		} else if c != 0 {
			return c
		}
	}
	if s.back {
		return cmp.Compare(to.Place, e.Place)
	}
	return cmp.Compare(e.Place, to.Place)
}

// headOf returns what comes first behind a spot, n elements at most, and whether anything is before it. It
// keeps no more than these.
func headOf[P ~uint64, E any](all iter.Seq2[P, E], order sorting[E], from *spot,
	n int) (head []*standing[E], before bool) {
	next := func() *standing[E] {
		return &standing[E]{spot: spot{Order: order.name, Keys: make([]sortKey, len(order.by))}}
	}
	here := next()
	for place, element := range all {
		here.Place, here.element, here.known = uint64(place), element, 0
		if from != nil && order.compare(here, from) <= 0 {
			before = true
			continue
		}
		if len(head) == n && order.compare(here, &head[n-1].spot) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(head, here,
			func(s, here *standing[E]) int { return -order.compare(here, &s.spot) })
		for ; here.known < len(order.by); here.known++ {
			here.Keys[here.known] = order.by[here.known](element)
		}
		kept := here
		if len(head) == n { // the last one leaves, and its room is used again
			here, head = head[n-1], head[:n-1]
		} else {
			here = next()
		}
		head = slices.Insert(head, at, kept)
	}
	return head, before
}
