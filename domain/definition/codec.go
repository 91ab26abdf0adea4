package definition

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Encode writes a definition as JSON, ids included, the same bytes for the same definition.
func Encode(def *Part) ([]byte, error) { return encodeJSON(def) }

// Decode reads the output of Encode.
func Decode(data []byte) (*Part, error) {
	def := new(Part)
	if err := Unmarshal(data, def, Full); err != nil {
		return nil, fmt.Errorf("decoding definition: %w", err)
	}
	return def, nil
}

// Hash identifies the content of a definition, ids included: the hex SHA-256 of its encoding. It panics on a
// value that no definition can hold.
func Hash(def *Part) string {
	data, err := Encode(def)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding definition: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// numbers keeps integers exact wherever a value of any type stands, whatever their size.
var numbers = jsonv2.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported // the default is right for everything else
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	*v = FieldValue(json.Number(token.String()))
	return nil
})

// lenient accepts faulty JSON, since stored data can't be mended.
var lenient = jsonv2.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// Mode says how much of definitions [Decode] reads.
type Mode int

// The modes.
const (
	Full     Mode = iota
	Partless      // without the parts below flows, as [Summary] leaves them
)

// readOptions by mode; the second of each pair keeps long integers exact.
var readOptions = [...][2]jsonv2.Options{
	Full:     {lenient, withUnmarshalers(numbers)},
	Partless: {withUnmarshalers(withoutParts), withUnmarshalers(numbers, withoutParts)},
}

func withUnmarshalers(values ...*jsonv2.Unmarshalers) jsonv2.Options {
	return jsonv2.JoinOptions(lenient, jsonv2.WithUnmarshalers(jsonv2.JoinUnmarshalers(values...)))
}

// Unmarshal reads stored data. Every start reads the log with it, so it takes the slow way, which looks at each
// number, only if a number may be too long for a float. A type with values of any type has a Normalize.
func Unmarshal(data []byte, into any, mode Mode) error {
	v, holdsAny := into.(interface{ Normalize() })
	switch {
	case !holdsAny:
		return jsonv2.Unmarshal(data, into, lenient)
	case holdsLongNumber(data):
		return jsonv2.Unmarshal(data, into, readOptions[mode][1])
	}
	if err := jsonv2.Unmarshal(data, into, readOptions[mode][0]); err != nil {
		return err
	}
	v.Normalize()
	return nil
}

// exactDigits is how many digits a float keeps.
const exactDigits = 15

// holdsLongNumber looks for a run of more digits than that. Any such run covers an index that is a multiple of
// its length, so it is enough to look around those.
func holdsLongNumber(data []byte) bool {
	digit := func(i int) bool { return data[i] >= '0' && data[i] <= '9' }
	for i := exactDigits; i < len(data); i += exactDigits + 1 {
		if !digit(i) {
			continue
		}
		from, to := i, i+1
		for from > 0 && digit(from-1) {
			from--
		}
		for to < len(data) && digit(to) {
			to++
		}
		if to-from > exactDigits {
			return true
		}
	}
	return false
}

// Normalize converts the numbers of a part that was just read, and of its parts, to the types of fields.
func (n *Part) Normalize() {
	if n == nil {
		return
	}
	normalizeMap(n.Fields)
	for _, children := range n.Children {
		for _, child := range children {
			child.Normalize()
		}
	}
}

// normalizeMap converts the numbers of values that were just read to the types of fields.
func normalizeMap(m map[string]any) {
	for key, v := range m {
		switch v := v.(type) {
		case float64:
			m[key] = FieldValue(v)
		case map[string]any:
			normalizeMap(v)
		case []any:
			m[key] = FieldValue(v)
		}
	}
}

// FieldValue converts a value to the Go types of fields: numbers become int64 if they are integers, else
// float64. Values from elsewhere, such as a GraphQL argument, pass through here.
func FieldValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return FieldValue(f)
	case int:
		return int64(v)
	case float64:
		// JSON does not distinguish 1.0 from 1, so neither do fields; 2^63 is the first float beyond int64.
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v)
		}
		return v
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = FieldValue(item)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, item := range v {
			m[key] = FieldValue(item)
		}
		return m
	}
	return v
}
