package builtin

import (
	"maps"
	"math"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

type convertInputs struct {
	Value any `key:"value" label:"Value" doc:"The value to convert."`
}

// conversionActions convert one format to another. They are named after the two.
func conversionActions() []component.Action {
	return slices.Concat(
		conversions("csv", "CSV", csvDoc, readCSV),
		conversions("json", "JSON", "", deserializeFromJSON),
		conversions("xml", "XML", xmlDoc, readXML),
		conversions("yaml", "YAML", yamlDoc, readYAML),
		conversions("binary", "JavaScript Object", "", func(_ *value.Budget, in dataInputs) (any, error) {
			return in.Data, nil
		}),
	)
}

var formats = []struct {
	suffix, label, doc string
	write              func(*value.Budget, any) (string, error)
}{
	{"Csv", "CSV", csvDoc, writeCSV},
	{"Json", "JSON", "", writeJSON},
	{"Xml", "XML", xmlDoc, writeXML},
	{"Yaml", "YAML", yamlDoc, writeYAML},
}

func conversions[I any](key, label, doc string, read func(*value.Budget, I) (any, error)) []component.Action {
	var actions []component.Action
	for _, to := range formats {
		if strings.EqualFold(to.suffix, key) {
			continue
		}
		about := strings.TrimSpace("Reads " + label + " and writes it as " + to.label + ". " + doc + " " + to.doc)
		actions = append(actions, component.NewAction(key+"To"+to.suffix, label+" to "+to.label, about,
			pure(func(budget *value.Budget, in I) (any, error) {
				value, err := read(budget, in)
				if err != nil {
					return nil, err
				}
				return to.write(budget, value)
			})))
	}
	return actions
}

func writeJSON(budget *value.Budget, v any) (string, error) {
	b, err := budget.JSON(v)
	if over := budget.Err(); over != nil {
		return "", over
	}
	if err != nil {
		return "", refusal.ForField(refusal.Invalid, "data", "Data has no JSON: %v", err)
	}
	return string(b), nil
}

// requiredText returns the text of an input that must be text.
func requiredText(budget *value.Budget, v any, format string) (string, error) {
	text, rest, isText := textOf(v)
	if !isText {
		return "", refusal.ForField(refusal.Invalid, "data", "Data must be %s text, not %s", format, shape(rest))
	}
	_, contentType, _ := value.Body(v)
	return strings.TrimPrefix(fromUTF8OrType(budget, text, contentType), byteOrderMark), nil
}

// fromUTF8OrType decodes non-UTF-8 bytes by the character set of a content type, if it names one.
func fromUTF8OrType(budget *value.Budget, text, contentType string) string {
	if utf8.ValidString(text) {
		return text
	}
	_, parameters, _ := mime.ParseMediaType(contentType)
	charset, err := htmlindex.Get(parameters["charset"])
	if err != nil || budget.Hold(3*len(text)) != nil {
		return text
	}
	read, err := charset.NewDecoder().String(text)
	if err != nil {
		return text
	}
	return read
}

func deserializeJSONLines(budget *value.Budget, in dataInputs) (any, error) {
	text, err := requiredText(budget, in.Data, "JSON lines")
	if err != nil {
		return nil, err
	}
	list := []any{}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if strings.TrimSpace(line) == "" {
			continue
		}
		value, err := parsed(budget, []byte(line))
		if err != nil {
			return nil, refusal.ForField(refusal.Invalid, "data", "line %d is not JSON: %v", number, err)
		}
		list = append(list, value)
	}
	return list, budget.Err()
}

func serializeJSONLines(budget *value.Budget, in dataInputs) (any, error) {
	list, err := listOf(budget, "data", in.Data)
	if err != nil {
		return nil, err
	}
	out := budget.NewOutput()
	for _, element := range list {
		line, err := writeJSON(budget, element)
		if err != nil {
			return nil, err
		}
		if _, err := out.WriteString(line + "\n"); err != nil {
			return nil, err
		}
	}
	return out.Result()
}

func deserializeBinary(budget *value.Budget, in dataInputs) (any, error) {
	text, rest, isText := textOf(in.Data)
	if !isText {
		return rest, nil
	}
	if !utf8.ValidString(text) {
		return []byte(text), nil
	}
	return unquoted(budget, text), nil
}

func serializeFormData(budget *value.Budget, in dataInputs) (any, error) {
	object, err := objectOf(budget, "data", in.Data)
	if err != nil {
		return nil, err
	}
	return formOf(budget, object)
}

// formOf writes an object as a URL-encoded form, with names in alphabetical order.
func formOf(budget *value.Budget, object map[string]any) (string, error) {
	out := budget.NewOutput()
	separator := ""
	for _, name := range slices.Sorted(maps.Keys(object)) {
		list, isList := object[name].([]any)
		if !isList {
			list = []any{object[name]}
		}
		name := url.QueryEscape(name) + "="
		for _, element := range list {
			for _, part := range []string{separator, name, url.QueryEscape(budget.Text(element))} {
				if _, err := out.WriteString(part); err != nil {
					return "", err
				}
			}
			separator = "&"
		}
	}
	return out.Result()
}

func prettyPrint(budget *value.Budget, in dataInputs) (any, error) {
	value := unquoted(budget, in.Data)
	if text, isText := value.(string); isText {
		return text, nil
	}
	compact, err := writeJSON(budget, value)
	if err != nil {
		return nil, err
	}
	return indented(budget, compact)
}

// indents are the spaces before lines of JSON, at any depth that there is.
var indents = "\n" + strings.Repeat("  ", value.MaxDepth+1)

// indented formats compact JSON on several lines. Deep inside, each has many more bytes than in the compact
// form.
func indented(budget *value.Budget, compact string) (any, error) {
	out := budget.NewOutput()
	depth, from := 0, 0 // from is the start of the unwritten part
	line := func(to int) error {
		_, err := out.WriteString(compact[from:to])
		if err == nil {
			_, err = out.WriteString(indents[:1+2*depth])
		}
		from = to
		return err
	}
	for i := 0; i < len(compact); i++ {
		var err error
		switch c := compact[i]; c {
		case '"':
			for i++; compact[i] != '"'; i++ {
				if compact[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if compact[i+1] == c+2 { // an empty one: both closing brackets follow at once
				i++
				break
			}
			depth++
			err = line(i + 1)
		case '}', ']':
			depth--
			err = line(i)
		case ',':
			err = line(i + 1)
		case ':':
			_, err = out.WriteString(compact[from:i+1] + " ")
			from = i + 1
		}
		if err != nil {
			return nil, err
		}
	}
	_, err := out.WriteString(compact[from:])
	if err != nil {
		return nil, err
	}
	return out.Result()
}

func convertToNumber(budget *value.Budget, in convertInputs) (any, error) {
	val := in.Value
	if text, _, isText := textOf(val); isText {
		if n, ok := value.TextNumber(text); ok {
			return n, nil
		}
		val = unquoted(budget, strings.TrimSpace(text))
	}
	switch x := val.(type) {
	case float64:
		return x, nil
	case int64, int:
		return unquoted(budget, x), nil
	case bool:
		if x {
			return 1.0, nil
		}
		return 0.0, nil
	}
	return nil, refusal.ForField(refusal.Invalid, "value", "%s is no number", shape(in.Value))
}

func convertToInt(budget *value.Budget, in convertInputs) (any, error) {
	n, err := convertToNumber(budget, in)
	if err != nil {
		return nil, err
	}
	return math.Trunc(n.(float64)), nil
}
