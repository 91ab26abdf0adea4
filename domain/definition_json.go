package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
)

// EncodeDefinition writes a definition as JSON, ids included, the same bytes for the same definition.
func EncodeDefinition(def *Node) ([]byte, error) { return encodeJSON(def) }

// DecodeDefinition reads what EncodeDefinition wrote.
func DecodeDefinition(data []byte) (*Node, error) {
	def := new(Node)
	if err := json.Unmarshal(data, def); err != nil {
		return nil, fmt.Errorf("decoding definition: %w", err)
	}
	return def, nil
}

// Hash names the content of a definition, ids included: the hex SHA-256 of its encoding. It panics on
// a value that no definition can hold.
func Hash(def *Node) string {
	data, err := EncodeDefinition(def)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// UnmarshalJSON reads a node in one pass, however deep it is, and keeps whole numbers whole.
func (n *Node) UnmarshalJSON(data []byte) error {
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	node, err := nodeOf(v)
	if err == nil {
		*n = *node
	}
	return err
}

func nodeOf(v any) (*Node, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a part of a definition is %T, not an object", v)
	}
	n := new(Node)
	n.ID, _ = m["id"].(string)
	n.Fields, _ = m["fields"].(map[string]any)
	lists, _ := m["children"].(map[string]any)
	if len(lists) > 0 {
		n.Children = make(map[string][]*Node, len(lists))
	}
	for name, v := range lists {
		items, _ := v.([]any)
		list := make([]*Node, len(items))
		for i, item := range items {
			var err error
			if list[i], err = nodeOf(item); err != nil {
				return nil, err
			}
		}
		n.Children[name] = list
	}
	return n, nil
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

// decodeJSON reads any JSON value with the Go types that fields have.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return FieldValue(v), nil
}

// FieldValue gives a value the Go types that fields have: numbers become int64 when they are whole,
// else float64. Values that come from elsewhere, such as a GraphQL argument, pass through here.
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
		// JSON does not tell 1.0 from 1, so neither do fields; 2^63 is the first float beyond int64.
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
