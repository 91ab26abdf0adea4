package value

import (
	"bytes"
	"math"
)

// Measure is the size of a text's value, known before any of it is held.
type Measure struct {
	Bytes  int // of its values in memory, about
	Values int // including those in lists and objects
	Depth  int // of lists and objects
}

// The memory of values, about: that of Go's own maps and slices, with their room to grow.
const (
	SlotBytes = 24 // an element of a list
	TextBytes = 16 // a text, besides its bytes
	ListBytes = 24 // a list, besides its elements
	mapBytes  = 64
	mapFew    = 288 // the keys of an object with at most 8
	mapMany   = 76  // each key of a larger one
)

// ObjectBytes returns the memory of an object with so many keys, their texts apart.
func ObjectBytes(keys int) int {
	switch {
	case keys == 0:
		return mapBytes
	case keys <= 8:
		return mapBytes + mapFew
	}
	return mapBytes + keys*mapMany
}

// MeasureJSON measures JSON in one pass that holds nothing. Invalid JSON is measured up to about where it is
// wrong, and left to the reader. It stops at the first value beyond [MaxDepth].
func MeasureJSON(raw []byte) Measure { return measureJSON(raw, nil) }

// measureJSON also notes, if sizes is not nil, how many elements or keys each list and object has, in the order
// in which they begin.
func measureJSON(raw []byte, sizes *[]int32) (m Measure) {
	type frame struct {
		place, size int
		list        bool
	}
	var open [MaxDepth]frame
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r', ',':
			continue
		case ':':
			if depth > 0 && !open[depth-1].list {
				open[depth-1].size++
				m.Values-- // the string before was a key
			}
			continue
		case '{', '[':
			if depth == MaxDepth {
				m.Depth = depth + 1
				return m
			}
			if depth > 0 && open[depth-1].list {
				open[depth-1].size++
			}
			open[depth] = frame{list: c == '['}
			if sizes != nil {
				open[depth].place = len(*sizes)
				*sizes = append(*sizes, 0)
			}
			depth++
			m.Depth = max(m.Depth, depth)
			m.Values++
			m.Bytes += SlotBytes
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return m
			}
			closed := open[depth]
			if sizes != nil {
				(*sizes)[closed.place] = int32(min(closed.size, math.MaxInt32))
			}
			m.Bytes += ListBytes
			if !closed.list {
				m.Bytes += ObjectBytes(closed.size) - ListBytes
			}
			continue
		case '"':
			end := stringEnd(raw, i+1)
			m.Bytes += TextBytes + end - i
			i = end
		default:
			m.Bytes += 8
			for i+1 < len(raw) && !ends[raw[i+1]] {
				i++
			}
		}
		if depth > 0 && open[depth-1].list {
			open[depth-1].size++
		}
		m.Values++
		m.Bytes += SlotBytes
	}
	return m
}

// ends are the bytes that end a number or a word.
var ends = [256]bool{
	' ': true, '\t': true, '\n': true, '\r': true, ',': true, ':': true, '{': true, '}': true, '[': true,
	']': true, '"': true,
}

// stringEnd finds the quote that ends a string, or the end of the text.
func stringEnd(raw []byte, from int) int {
	for {
		n := bytes.IndexByte(raw[from:], '"')
		if n < 0 {
			return len(raw)
		}
		slashes := 0
		for at := from + n - 1; at >= from && raw[at] == '\\'; at-- {
			slashes++
		}
		if slashes%2 == 0 {
			return from + n
		}
		from += n + 1
	}
}
