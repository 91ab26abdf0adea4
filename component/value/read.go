package value

import (
	"strconv"
	"unicode/utf8"
)

// jsonReader parses JSON into values of exactly the right size: it knows how many elements each list has before
// it comes to them. It leaves unusual input to encoding/json: escapes of half a character, text that is not
// UTF-8, numbers that are too large, and invalid JSON.
type jsonReader struct {
	raw   []byte
	at    int
	sizes []int32 // of the lists and objects to come
	names [128]string
}

// readJSON reads a whole text. It is not ok if this reader does not support it.
func readJSON(raw []byte, sizes []int32) (value any, ok bool) {
	r := jsonReader{raw: raw, sizes: sizes}
	if value, ok = r.value(); !ok {
		return nil, false
	}
	return value, r.next() == 0 && r.at == len(raw)
}

// next skips spaces and returns the byte behind them, 0 at the end.
func (r *jsonReader) next() byte {
	for ; r.at < len(r.raw); r.at++ {
		switch c := r.raw[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) value() (any, bool) {
	switch c := r.next(); c {
	case '{':
		return r.object()
	case '[':
		return r.list()
	case '"':
		text, ok := r.text(false)
		return text, ok
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	}
	return r.number()
}

func (r *jsonReader) word(word string) bool {
	if len(r.raw)-r.at < len(word) || string(r.raw[r.at:r.at+len(word)]) != word {
		return false
	}
	r.at += len(word)
	return true
}

// size returns the next list's or object's size.
func (r *jsonReader) size() (int, bool) {
	if len(r.sizes) == 0 {
		return 0, false
	}
	n := r.sizes[0]
	r.sizes = r.sizes[1:]
	r.at++ // the bracket
	return int(n), true
}

func (r *jsonReader) list() (any, bool) {
	n, ok := r.size()
	if !ok {
		return nil, false
	}
	list := make([]any, n)
	for i := range list {
		if i > 0 {
			if r.next() != ',' {
				return nil, false
			}
			r.at++
		}
		if list[i], ok = r.value(); !ok {
			return nil, false
		}
	}
	if r.next() != ']' {
		return nil, false
	}
	r.at++
	return list, true
}

func (r *jsonReader) object() (any, bool) {
	n, ok := r.size()
	if !ok {
		return nil, false
	}
	object := make(map[string]any, n)
	for i := range n {
		if i > 0 {
			if r.next() != ',' {
				return nil, false
			}
			r.at++
		}
		if r.next() != '"' {
			return nil, false
		}
		name, ok := r.text(true)
		if !ok || r.next() != ':' {
			return nil, false
		}
		r.at++
		if object[name], ok = r.value(); !ok {
			return nil, false
		}
	}
	if r.next() != '}' {
		return nil, false
	}
	r.at++
	return object, true
}

// text reads a string. The same names come in each record of a list, and are held once.
func (r *jsonReader) text(name bool) (string, bool) {
	from := r.at + 1
	end := from
	for end < len(r.raw) && plain[r.raw[end]] {
		end++
	}
	if end == len(r.raw) || r.raw[end] != '"' {
		return r.unquoted(from, end)
	}
	r.at = end + 1
	raw := r.raw[from:end]
	if !name || len(raw) == 0 || len(raw) > 32 {
		return string(raw), true
	}
	known := &r.names[(len(raw)*31+int(raw[0])*7+int(raw[len(raw)-1]))%len(r.names)]
	if *known != string(raw) {
		*known = string(raw)
	}
	return *known, true
}

// unquoted reads the rest of a string that is not plain ASCII; the part before from is.
func (r *jsonReader) unquoted(from, at int) (string, bool) {
	end := stringEnd(r.raw, at)
	if end == len(r.raw) {
		return "", false
	}
	r.at = end + 1
	text := append(make([]byte, 0, end-from), r.raw[from:at]...)
	for at < end {
		c := r.raw[at]
		switch {
		case plain[c]:
			text = append(text, c)
			at++
		case c >= utf8.RuneSelf:
			char, size := utf8.DecodeRune(r.raw[at:end])
			if char == utf8.RuneError && size == 1 {
				return "", false
			}
			text = append(text, r.raw[at:at+size]...)
			at += size
		case c != '\\':
			return "", false // a control character
		default:
			char, size := escaped(r.raw[at+1 : end])
			if size == 0 {
				return "", false
			}
			text = utf8.AppendRune(text, char)
			at += 1 + size
		}
	}
	return string(text), true
}

// escapes are the characters that a letter behind a backslash stands for.
var escapes = [256]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped decodes the escape behind a backslash, and returns how many bytes that takes, 0 if it is unusual.
func escaped(raw []byte) (char rune, size int) {
	if len(raw) == 0 {
		return 0, 0
	}
	if char = escapes[raw[0]]; char != 0 {
		return char, 1
	}
	if raw[0] != 'u' || len(raw) < 5 {
		return 0, 0
	}
	for _, digit := range raw[1:5] {
		n := hexValue(digit)
		if n < 0 {
			return 0, 0
		}
		char = char<<4 | n
	}
	if char >= 0xD800 && char < 0xE000 { // half a character: the other half is left to encoding/json, too
		return 0, 0
	}
	return char, 5
}

func hexValue(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return -1
}

// small are numbers that need no place of their own.
var small = func() (values [256]any) {
	for i := range values {
		values[i] = float64(i)
	}
	return values
}()

// exact is how many digits a number has that float64 always holds.
const exact = 15

func (r *jsonReader) number() (any, bool) {
	from := r.at
	negative := r.skip('-', '-')
	whole := r.at
	n := r.digits()
	if n == 0 || n > 1 && r.raw[whole] == '0' {
		return nil, false
	}
	end := r.at
	if r.skip('.', '.') && r.digits() == 0 {
		return nil, false
	}
	if r.skip('e', 'E') {
		r.skip('-', '+')
		if r.digits() == 0 {
			return nil, false
		}
	}
	if r.at > end || n > exact {
		value, err := strconv.ParseFloat(string(r.raw[from:r.at]), 64)
		return value, err == nil
	}
	value := 0
	for _, c := range r.raw[whole:end] {
		value = value*10 + int(c-'0')
	}
	switch {
	case negative:
		return -float64(value), true
	case value < len(small):
		return small[value], true
	}
	return float64(value), true
}

// skip passes one of two bytes, if it is next.
func (r *jsonReader) skip(one, other byte) bool {
	if r.at == len(r.raw) || r.raw[r.at] != one && r.raw[r.at] != other {
		return false
	}
	r.at++
	return true
}

// digits passes digits and returns how many there are.
func (r *jsonReader) digits() int {
	from := r.at
	for r.at < len(r.raw) && r.raw[r.at] >= '0' && r.raw[r.at] <= '9' {
		r.at++
	}
	return r.at - from
}
