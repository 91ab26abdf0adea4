package builtin

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"heddle/component/value"
	"heddle/domain/refusal"
)

// unquoted parses text that is JSON and leaves all else as it is: literals in a definition are always text.
// Key/value lists become lists of objects.
func unquoted(budget *value.Budget, v any) any {
	if text, isText := v.(string); isText {
		if read, ok := readJSON(budget, text); ok {
			return read
		}
	}
	return plain(v)
}

// plain converts key/value lists to lists of objects, and all numbers to one type.
func plain(v any) any {
	switch x := v.(type) {
	case []value.KeyValue:
		list := make([]any, len(x))
		for i, pair := range x {
			list[i] = map[string]any{"key": pair.Key, "value": pair.Value}
		}
		return list
	case int64:
		return float64(x)
	case int:
		return float64(x)
	}
	return v
}

// readJSON parses as JavaScript does: a number that is too large is infinite, not an error.
func readJSON(budget *value.Budget, text string) (any, bool) {
	if !maybeJSON(text) {
		return nil, false
	}
	raw := []byte(text)
	if !json.Valid(raw) {
		return nil, false
	}
	value, err := budget.ParseJSON(raw)
	if err == nil || budget.Err() != nil {
		return value, err == nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	return numbers(value), true
}

// parsed parses JSON; too large a text is refused before it is held.
func parsed(budget *value.Budget, raw []byte) (value any, err error) {
	if json.Valid(raw) {
		return budget.ParseJSON(raw)
	}
	return nil, json.Unmarshal(raw, &value) // whose error has the place
}

// maybeJSON reports whether text begins as JSON does, so that plain text costs nothing.
func maybeJSON(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return text != "" && strings.IndexByte(`{["-0123456789tfn`, text[0]) >= 0
}

func numbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		n, _ := strconv.ParseFloat(string(x), 64) // it is a number; only its size can be wrong, and then it is infinite
		return n
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = numbers(x[k])
		}
	}
	return v
}

// listOf converts to a list: from one, or from text that is the JSON of one.
func listOf(budget *value.Budget, field string, v any) ([]any, error) {
	if list, ok := unquoted(budget, v).([]any); ok {
		return list, nil
	}
	if err := budget.Err(); err != nil {
		return nil, err
	}
	return nil, refusal.ForField(refusal.Invalid, field, "a list is needed, not %s", shape(v))
}

// objectOf converts to an object: from one, from text that is the JSON of one, or from nothing.
func objectOf(budget *value.Budget, field string, v any) (map[string]any, error) {
	switch x := unquoted(budget, v).(type) {
	case map[string]any:
		return x, nil
	case nil:
		return map[string]any{}, nil
	case string:
		if x == "" {
			return map[string]any{}, nil
		}
	}
	if err := budget.Err(); err != nil {
		return nil, err
	}
	return nil, refusal.ForField(refusal.Invalid, field, "an object is needed, not %s", shape(v))
}

// objectFrom converts a key/value list to an object; of a repeated key, the last one counts.
func objectFrom(pairs []value.KeyValue) map[string]any {
	object := make(map[string]any, len(pairs))
	for _, pair := range pairs {
		object[pair.Key] = pair.Value
	}
	return object
}

// shape names a value's type in a message, not its content.
func shape(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case bool, float64:
		return value.Text(x)
	case string:
		return strconv.Quote(excerpt(x, 40))
	case []byte:
		return "binary data"
	case []any, []value.KeyValue:
		return "a list"
	}
	return "an object"
}

// timeLayouts are the accepted forms of ISO 8601. Without a zone, UTC is meant.
var timeLayouts = func() (layouts []string) {
	for _, date := range []string{"2006-01-02", "20060102"} {
		for _, clock := range []string{"T15:04:05", "T15:04", "T150405", " 15:04:05", " 15:04", "T15"} {
			for _, zone := range []string{"Z07:00", "Z0700", "Z07", " Z07:00", ""} {
				layouts = append(layouts, date+clock+zone)
			}
		}
		layouts = append(layouts, date)
	}
	return append(layouts, "2006-01", "2006", time.RFC1123Z, time.RFC1123, time.RFC850, time.ANSIC)
}()

// longestTime is longer than any layout, so that other text is not tried with each.
const longestTime = 64

// isoMillis is JavaScript's form of a time in UTC.
const isoMillis = "2006-01-02T15:04:05.000Z"

// farOff is a number of seconds since 1970 that no real date has: the year 5138.
const farOff = 1e11

// timeOf parses a time: ISO text, or a number of seconds since 1970, of milliseconds if it is so large. Source:
// of the format's own conditions the code takes seconds, the documentation shows both.
func timeOf(field string, v any) (time.Time, error) {
	switch x := v.(type) {
	case float64:
		if math.Abs(x) >= farOff {
			x /= 1000
		}
		return sinceEpoch(field, x)
	case string:
		if x = strings.TrimSpace(x); len(x) > longestTime {
			break
		}
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, x); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, noDate(field, v)
}

func sinceEpoch(field string, seconds float64) (time.Time, error) {
	if math.IsNaN(seconds) || math.Abs(seconds) > 8.64e12 {
		return time.Time{}, noDate(field, seconds)
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
}

func noDate(field string, v any) error {
	return refusal.ForField(refusal.Invalid, field, "%s is no date: give ISO 8601 text, such as 2026-01-31T12:00:00Z",
		shape(v))
}
