package builtin

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"heddle/component"
	"heddle/domain"
)

type convertInputs struct {
	Value any `key:"value" label:"Value" doc:"The value to convert."`
}

// conversionActions make one format of another. Their names are those of the two.
func conversionActions() []component.Action {
	return slices.Concat(
		conversions("csv", "CSV", csvDoc, readCSV),
		conversions("json", "JSON", "", deserializeFromJSON),
		conversions("xml", "XML", xmlDoc, readXML),
		conversions("yaml", "YAML", yamlDoc, readYAML),
		conversions("binary", "JavaScript Object", "", func(in dataInputs) (any, error) { return in.Data, nil }),
	)
}

var formats = []struct {
	suffix, label, doc string
	write              func(any) (string, error)
}{
	{"Csv", "CSV", csvDoc, writeCSV},
	{"Json", "JSON", "", writeJSON},
	{"Xml", "XML", xmlDoc, writeXML},
	{"Yaml", "YAML", yamlDoc, writeYAML},
}

func conversions[I any](key, label, doc string, read func(I) (any, error)) []component.Action {
	var actions []component.Action
	for _, to := range formats {
		if strings.EqualFold(to.suffix, key) {
			continue
		}
		about := strings.TrimSpace("Reads " + label + " and writes it as " + to.label + ". " + doc + " " + to.doc)
		actions = append(actions, component.NewAction(key+"To"+to.suffix, label+" to "+to.label, about, pure(func(in I) (any, error) {
			value, err := read(in)
			if err != nil {
				return nil, err
			}
			return to.write(value)
		})))
	}
	return actions
}

func writeJSON(v any) (string, error) {
	b, err := component.JSON(v)
	if err != nil {
		return "", domain.RefuseField(domain.Invalid, "data", "Data has no JSON: %v", err)
	}
	return string(b), nil
}

// requiredText gives the text of an input that must be text.
func requiredText(v any, format string) (string, error) {
	text, rest, isText := textOf(v)
	if !isText {
		return "", domain.RefuseField(domain.Invalid, "data", "Data must be %s text, not %s", format, shape(rest))
	}
	_, contentType, _ := component.Body(v)
	return strings.TrimPrefix(fromUTF8OrType(text, contentType), byteOrderMark), nil
}

// fromUTF8OrType reads what is no UTF-8 by the character set that a content type names, if it does.
func fromUTF8OrType(text, contentType string) string {
	if utf8.ValidString(text) {
		return text
	}
	_, parameters, _ := mime.ParseMediaType(contentType)
	charset, err := htmlindex.Get(parameters["charset"])
	if err != nil {
		return text
	}
	read, err := charset.NewDecoder().String(text)
	if err != nil {
		return text
	}
	return read
}

func deserializeJSONLines(in dataInputs) (any, error) {
	text, err := requiredText(in.Data, "JSON lines")
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
		var value any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			return nil, domain.RefuseField(domain.Invalid, "data", "line %d is not JSON: %v", number, err)
		}
		list = append(list, value)
	}
	return list, nil
}

func serializeJSONLines(in dataInputs) (any, error) {
	list, err := listOf("data", in.Data)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, element := range list {
		line, err := writeJSON(element)
		if err != nil {
			return nil, err
		}
		b.WriteString(line + "\n")
	}
	return b.String(), nil
}

func deserializeBinary(in dataInputs) (any, error) {
	text, rest, isText := textOf(in.Data)
	if !isText {
		return rest, nil
	}
	if !utf8.ValidString(text) {
		return []byte(text), nil
	}
	return unquoted(text), nil
}

func serializeFormData(in dataInputs) (any, error) {
	object, err := objectOf("data", in.Data)
	if err != nil {
		return nil, err
	}
	return formOf(object), nil
}

// formOf writes an object as a URL-encoded form.
func formOf(object map[string]any) string {
	form := url.Values{}
	for name, value := range object {
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		for _, element := range list {
			form.Add(name, component.Text(element))
		}
	}
	return form.Encode() // in alphabetical order
}

func prettyPrint(in dataInputs) (any, error) {
	value := unquoted(in.Data)
	if text, isText := value.(string); isText {
		return text, nil
	}
	compact, err := writeJSON(value)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(compact), "", "  "); err != nil {
		return nil, err
	}
	return b.String(), nil
}

func convertToNumber(in convertInputs) (any, error) {
	value := in.Value
	if text, _, isText := textOf(value); isText {
		if n, ok := component.TextNumber(text); ok {
			return n, nil
		}
		value = unquoted(strings.TrimSpace(text))
	}
	switch x := value.(type) {
	case float64:
		return x, nil
	case int64, int:
		return unquoted(x), nil
	case bool:
		if x {
			return 1.0, nil
		}
		return 0.0, nil
	}
	return nil, domain.RefuseField(domain.Invalid, "value", "%s is no number", shape(in.Value))
}

func convertToInt(in convertInputs) (any, error) {
	n, err := convertToNumber(in)
	if err != nil {
		return nil, err
	}
	return math.Trunc(n.(float64)), nil
}
