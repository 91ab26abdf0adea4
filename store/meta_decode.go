package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"heddle/domain"

	"github.com/google/uuid"
)

// MetaOf decodes a record's meta, with the id of the aggregate in its stream's name. It is called for every
// event that a view folds, so the form that this package itself writes is read without reflection; any other
// form goes through encoding/json.
func MetaOf(r Recorded) (m domain.Meta, err error) {
	m, ok := quickMeta(r.Meta)
	if !ok {
		m, err = slowMeta(r)
	}
	m.Aggregate = r.AggregateID()
	return m, err
}

// slowMeta is a function of its own, so that only its callers pay for its heap use.
func slowMeta(r Recorded) (m domain.Meta, err error) {
	if err := json.Unmarshal(r.Meta, &m); err != nil {
		return m, fmt.Errorf("decoding the meta of %s at revision %d: %w", r.Stream, r.Revision, err)
	}
	return m, nil
}

func quickMeta(data []byte) (m domain.Meta, ok bool) {
	if !plain(data) {
		return m, false
	}
	// Data read from a log is never written to, so that the strings can be parts of it.
	rest, ok := strings.CutPrefix(unsafe.String(unsafe.SliceData(data), len(data)), `{`)
	for ok && len(rest) > 0 {
		var name, value string
		if name, rest, ok = quickString(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return m, false
		}
		if value, rest, ok = quickString(rest[1:]); !ok || len(rest) == 0 {
			return m, false
		}
		var err error
		switch name {
		case "id":
			m.ID, err = uuid.Parse(value)
		case "organization":
			m.Organization = value
		case "actor":
			m.Actor = value
		case "token":
			m.Token = value
		case "remote":
			m.Remote = value
		case "time":
			err = m.Time.UnmarshalText([]byte(value))
		case "correlation":
			m.Correlation = value
		case "causation":
			m.Causation = value
		case "trace":
			m.Trace = value
		case "previous":
			m.Previous = value
		default:
			return m, false
		}
		if err != nil {
			return m, false
		}
		if rest == "}" {
			return m, m.Time.Location() == time.UTC
		}
		ok = rest[0] == ','
		rest = rest[1:]
	}
	return m, false
}

// quickString cuts a JSON string without escapes from the front.
func quickString(text string) (value, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	return strings.Cut(text[1:], `"`)
}

// plain reports whether a JSON text is printable ASCII without a backslash, so that its strings are the bytes
// between their quotes. It looks at eight bytes at a time, since every meta is read so: a byte below n, or
// equal to zero, borrows from its highest bit when n, or one, is subtracted.
func plain(text []byte) bool {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		w := binary.LittleEndian.Uint64(text)
		backslash := w ^ each*'\\'
		if (w|(w-each*' ')&^w|(backslash-each)&^backslash)&highest != 0 {
			return false
		}
	}
	return !slices.ContainsFunc(text, func(c byte) bool { return c == '\\' || c < ' ' || c >= 0x80 })
}
