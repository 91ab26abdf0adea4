package component

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"

	"heddle/domain"
)

// The values that steps pass to each other are plain: nil, bool, float64, string, []byte (binary),
// []any and map[string]any. int64, int and [KeyValue] lists are understood too, but come back from
// [DecodeValue] as float64 and as lists of {key, value} objects.
//
// JSON knows no binary. There, bytes are {"$bytes": "<base64>"}; an object that by itself has the one
// key $bytes or $object is put into another one: {"$object": {"$bytes": …}}.
const (
	bytesKey  = "$bytes"
	objectKey = "$object"
	// maxDepth stops a value that contains itself. It is far above any sane nesting and below the
	// depth that encoding/json refuses.
	maxDepth = 1000
)

// EncodeValue writes a value as JSON that [DecodeValue] reads back, binary data included. It refuses
// what is no value: NaN, infinities, channels, functions, structs and what contains itself. Bytes
// that are not UTF-8 inside a string become U+FFFD; binary data belongs into []byte.
func EncodeValue(v any) (json.RawMessage, error) {
	tree, err := codec{marked: true}.tree(v, 0)
	if err != nil {
		return nil, err
	}
	return marshal(tree)
}

// JSON writes a value as the JSON that others than Heddle expect: binary data is its text if it is
// UTF-8 and base64 otherwise, and what JSON has no number for is null, as in JavaScript.
func JSON(v any) ([]byte, error) {
	tree, err := codec{}.tree(v, 0)
	if err != nil {
		return nil, err
	}
	return marshal(tree)
}

// DecodeValue reads a value that [EncodeValue] wrote.
func DecodeValue(raw json.RawMessage) (any, error) {
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("reading a value: %w", err)
	}
	return unmark(tree)
}

func marshal(tree any) (json.RawMessage, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(tree); err != nil {
		return nil, fmt.Errorf("writing a value: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// codec turns values into trees that encoding/json can write.
type codec struct {
	marked bool // binary data is marked so that it can be read back
}

func (c codec) tree(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, domain.Refuse(domain.Invalid, "the value is nested deeper than %d levels or contains itself", maxDepth)
	}
	switch x := v.(type) {
	case nil, bool, string, int64, int:
		return x, nil
	case float64:
		return c.number(x)
	case []byte:
		return c.binary(x), nil
	case []any:
		return c.list(len(x), func(i int) any { return x[i] }, depth)
	case []KeyValue:
		return c.list(len(x), func(i int) any { return map[string]any{"key": x[i].Key, "value": x[i].Value} }, depth)
	case map[string]any:
		return c.object(x, depth)
	}
	return nil, domain.Refuse(domain.Invalid, "a %T is not a value that steps can pass on", v)
}

func (c codec) number(x float64) (any, error) {
	if !math.IsNaN(x) && !math.IsInf(x, 0) {
		return x, nil
	}
	if c.marked {
		return nil, domain.Refuse(domain.Invalid, "%s is not a number that can be kept", numberText(x))
	}
	return nil, nil
}

func (c codec) binary(x []byte) any {
	if c.marked {
		return map[string]any{bytesKey: base64.StdEncoding.EncodeToString(x)}
	}
	return textOrBase64(x)
}

func (c codec) list(n int, at func(int) any, depth int) (any, error) {
	list := make([]any, n)
	for i := range list {
		var err error
		if list[i], err = c.tree(at(i), depth+1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c codec) object(x map[string]any, depth int) (any, error) {
	object := make(map[string]any, len(x))
	for key, element := range x {
		var err error
		if object[key], err = c.tree(element, depth+1); err != nil {
			return nil, err
		}
	}
	if _, looksMarked := mark(x); looksMarked && c.marked {
		return map[string]any{objectKey: object}, nil
	}
	return object, nil
}

// mark tells the one key of an object if it is one that the codec uses.
func mark(object map[string]any) (key string, ok bool) {
	if len(object) != 1 {
		return "", false
	}
	for key = range object {
	}
	return key, key == bytesKey || key == objectKey
}

func unmark(tree any) (any, error) {
	switch x := tree.(type) {
	case []any:
		for i := range x {
			var err error
			if x[i], err = unmark(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		switch key, _ := mark(x); key {
		case bytesKey:
			return unmarkBytes(x[bytesKey])
		case objectKey:
			inner, ok := x[objectKey].(map[string]any)
			if !ok {
				return nil, fmt.Errorf("reading a value: %s holds no object", objectKey)
			}
			return unmarkObject(inner)
		}
		return unmarkObject(x)
	}
	return tree, nil
}

func unmarkObject(object map[string]any) (any, error) {
	for key, element := range object {
		var err error
		if object[key], err = unmark(element); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func unmarkBytes(v any) (any, error) {
	text, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("reading a value: %s holds no text", bytesKey)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("reading a value: %s: %w", bytesKey, err)
	}
	return b, nil
}
