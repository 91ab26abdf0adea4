package definition

import "heddle/domain/refusal"

// Limits bounds the cost of a definition.
type Limits struct {
	Size    int // bytes of YAML, as given and as written out again
	Encoded int // bytes of the JSON, room for ids included; one event holds it all
	Depth   int // levels of YAML nesting; a branch or loop inside another takes two to four
	Values  int // scalars, lists and maps
}

// DefaultLimits fits definitions several times larger than any known one, and keeps each well below the 512 KiB
// of an event.
var DefaultLimits = Limits{Size: 256 << 10, Encoded: 448 << 10, Depth: 100, Values: 50_000}

// idSize is how many bytes an id adds to a part's JSON.
const idSize = len(`"id":"00000000-0000-0000-0000-000000000000",`)

// Allow refuses a definition that exceeds the limits, or that could not be read again once it is written. Parse
// calls it, and so must whoever lets people edit a definition.
func (l Limits) Allow(def *Part) error {
	m := measure{}
	m.value(plain(def), 1)
	switch {
	case m.values > l.Values:
		return refusal.New(refusal.Invalid, "the definition holds %d values; the limit is %d: split the integration",
			m.values, l.Values)
	case m.depth > l.Depth:
		return refusal.New(refusal.Invalid,
			"the definition is nested %d levels deep; the limit is %d: move steps to a flow of their own",
			m.depth, l.Depth)
	case m.key > maxKey:
		return refusal.New(refusal.Invalid, "the definition has a key of %d bytes; the limit is %d", m.key, maxKey)
	}
	text, err := Export(def, ExportOptions{})
	if err != nil {
		return err
	}
	if len(text) > l.Size {
		return refusal.New(refusal.Invalid,
			"the definition has %d bytes when written out; the limit is %d: split the integration", len(text), l.Size)
	}
	data, err := Encode(def)
	if err != nil {
		return err
	}
	size := len(data)
	for part := range def.All() {
		if part.ID == "" {
			size += idSize
		}
	}
	if size > l.Encoded {
		return refusal.New(refusal.Invalid,
			"the definition takes %d bytes when stored; the limit is %d: split the integration", size, l.Encoded)
	}
	return nil
}

// measure counts what Limits bounds.
type measure struct{ values, depth, key int }

func (m *measure) value(v any, depth int) {
	m.values++
	m.depth = max(m.depth, depth)
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			m.value(item, depth+1)
		}
	case map[string]any:
		for key, item := range v {
			m.key = max(m.key, len(key))
			m.value(item, depth+1)
		}
	}
}
