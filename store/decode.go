package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"heddle/domain"

	"github.com/google/uuid"
)

// MetaOf decodes a record's meta, with the id of the aggregate that its stream is named after. It is
// called for every event that a view folds, so the form that this package itself writes is read
// without reflection; whatever differs from it in the least goes through encoding/json.
func MetaOf(r Recorded) (domain.Meta, error) {
	m, ok := quickMeta(r.Meta)
	if !ok {
		m = domain.Meta{}
		if err := json.Unmarshal(r.Meta, &m); err != nil {
			return m, fmt.Errorf("decoding the meta of %s at revision %d: %w", r.Stream, r.Revision, err)
		}
	}
	m.Aggregate = r.AggregateID()
	return m, nil
}

func quickMeta(data []byte) (m domain.Meta, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{`))
	for ok && len(rest) > 0 {
		var name, value []byte
		if name, rest, ok = quickString(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return m, false
		}
		if value, rest, ok = quickString(rest[1:]); !ok || len(rest) == 0 {
			return m, false
		}
		var err error
		switch string(name) {
		case "id":
			m.ID, err = uuid.ParseBytes(value)
		case "organization":
			m.Organization = string(value)
		case "actor":
			m.Actor = string(value)
		case "token":
			m.Token = string(value)
		case "remote":
			m.Remote = string(value)
		case "time":
			err = m.Time.UnmarshalText(value)
		case "correlation":
			m.Correlation = string(value)
		case "causation":
			m.Causation = string(value)
		case "previous":
			m.Previous = string(value)
		default:
			return m, false
		}
		if err != nil {
			return m, false
		}
		if string(rest) == "}" {
			return m, m.Time.Location() == time.UTC
		}
		ok = rest[0] == ','
		rest = rest[1:]
	}
	return m, false
}

// quickString takes a JSON string of plain ASCII from the front.
func quickString(data []byte) (text, rest []byte, ok bool) {
	if len(data) == 0 || data[0] != '"' {
		return nil, nil, false
	}
	for i, c := range data[1:] {
		switch {
		case c == '"':
			return data[1 : 1+i], data[2+i:], true
		case c == '\\' || c < 0x20 || c >= 0x80:
			return nil, nil, false
		}
	}
	return nil, nil, false
}
