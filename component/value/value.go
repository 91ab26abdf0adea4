// Package value is the model of the values that steps pass: JSON's, and bytes. It reads, writes, measures,
// converts and compares them as the format and JavaScript do, and bounds the cost.
package value

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
)

// The values that steps pass to each other are plain: nil, bool, float64, string, []byte (binary), []any and
// map[string]any. int64, int and [KeyValue] lists are accepted too, but come back from [Decode] as float64 and
// as lists of {key, value} objects.
//
// JSON knows no binary. There, bytes are {"$bytes": "<base64>"}; an object that by itself has the one
// key $bytes or $object is put into another one: {"$object": {"$bytes": …}}.
const (
	bytesKey  = "$bytes"
	objectKey = "$object"
)

// Encode writes a value as JSON that [Decode] reads back, binary data included. It refuses non-values: NaN,
// infinities, channels, functions, structs and a value that contains itself. Bytes that are not UTF-8 inside a
// string become U+FFFD; binary data belongs into []byte.
func Encode(v any) (json.RawMessage, error) { return write(v, true, math.MaxInt) }

// EncodeWithin is [Encode] for a step's result, which is refused before more bytes than that are written.
func EncodeWithin(v any, bytes int) (json.RawMessage, error) { return write(v, true, bytes) }

// JSON writes a value as the JSON that others than Heddle expect: binary data is its text if it is UTF-8 and
// base64 otherwise, and a number that JSON does not have is null, as in JavaScript.
func JSON(v any) ([]byte, error) { return write(v, false, math.MaxInt) }

// Decode reads the output of [Encode].
func Decode(raw json.RawMessage) (any, error) {
	tree, err := parseJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("reading a value: %w", err)
	}
	if Unmarked(raw) {
		return tree, nil
	}
	return unmark(tree)
}

// ParseJSON reads JSON by anyone as encoding/json does, within the default limits.
func ParseJSON(raw []byte) (any, error) { return NewBudget(context.Background()).ParseJSON(raw) }

// parseJSON leaves to encoding/json what the quicker reader does not support, and error messages.
func parseJSON(raw []byte) (value any, err error) {
	var sizes []int32
	if measureJSON(raw, &sizes).Depth <= MaxDepth {
		if value, ok := readJSON(raw, sizes); ok {
			return value, nil
		}
	}
	err = json.Unmarshal(raw, &value)
	return value, err
}

// Unmarked reports whether the output of [Encode] equals that of [JSON]: no mark of the codec is in it.
func Unmarked(raw json.RawMessage) bool {
	return bytes.IndexByte(raw, '$') < 0 && !bytes.Contains(raw, []byte(`\u0024`))
}

// mark returns the one key of an object if it is one that the codec uses.
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
