package builtin

import (
	"encoding/hex"
	"slices"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func init() {
	register(component.Component{
		Key: "change-data-format", Label: "Change data format", Category: "Data",
		Description: "Reads and writes the formats that data comes in.",
		Actions:     slices.Concat(readActions(), conversionActions(), writeActions()),
	})
}

// readActions parse text or bytes to values.
func readActions() []component.Action {
	return []component.Action{
		component.NewAction("deserializeFormData", "Deserialize URL-encoded form data",
			"Reads what a form or a webhook sent as application/x-www-form-urlencoded into an object. A name that occurs more than once gives a list. What is escaped wrongly stays as it is.",
			pure(deserializeFormData)),
		component.NewAction("deserializeFromJson", "Deserialize JSON",
			"Reads JSON text into the value that it stands for. What is no text has been read already and is passed on.",
			pure(deserializeFromJSON)),
		component.NewAction("deserializeJsonl", "Deserialize JSON lines",
			"Reads text with a JSON value on each line into a list; empty lines are skipped.",
			pure(deserializeJSONLines)),
		component.NewAction("deserializeFromXml", "Deserialize XML", "Reads XML text into an object. "+xmlDoc,
			pure(readXML)),
		component.NewAction("deserializeFromCsv", "Deserialize CSV", "Reads CSV text into a list. "+csvDoc,
			pure(readCSV)),
		component.NewAction("deserializeFromYaml", "Deserialize YAML",
			"Reads YAML text into the value that it stands for. "+yamlDoc, pure(readYAML)),
		component.NewAction("deserializeFromBinary", "Deserialize binary",
			"Reads binary data that is text: what it stands for if it is JSON, else the text. Binary data that is no UTF-8 is passed on.", pure(deserializeBinary)),
	}
}

// writeActions render values as text, or as simple values.
func writeActions() []component.Action {
	return []component.Action{
		component.NewAction("serializeFormData", "Serialize URL-encoded form data",
			"Writes an object as application/x-www-form-urlencoded, with names in alphabetical order. A list gives its name for each element; other values inside are JSON.",
			pure(serializeFormData)),
		component.NewAction("serializeJsonl", "Serialize JSON lines", "Writes a list with a JSON value on each line.",
			pure(serializeJSONLines)),
		component.NewAction("prettyPrint", "Pretty print",
			"Writes a value, or what JSON text stands for, as JSON on several lines. Other text stays as it is.",
			pure(prettyPrint)),
		component.NewAction("convertToBoolean", "Convert to boolean",
			"Takes true, t, yes, y and 1 for true, false, f, no, n, 0 and nothing for false, in either case; other values as JavaScript does.", pure(func(budget *value.Budget, in convertInputs) (any, error) {
				return isTrue(unquoted(budget, in.Value)), nil
			})),
		component.NewAction("convertToInt", "Convert to integer",
			"Gives the whole part of a number, or of text that is one.", pure(convertToInt)),
		component.NewAction("convertToNumber", "Convert to number", "Gives a number, or the number that text is.",
			pure(convertToNumber)),
		component.NewAction("convertToString", "Convert to string",
			"Gives text: of lists and objects their JSON, of nothing an empty one.",
			pure(func(budget *value.Budget, in convertInputs) (any, error) { return budget.Text(in.Value), nil })),
	}
}

type dataInputs struct {
	Data any `key:"data" label:"Data" doc:"Text, binary data, or the body of a webhook (an object with data and contentType). Binary data is UTF-8, or in the character set that the content type names." required:"true"`
}

func deserializeFormData(budget *value.Budget, in dataInputs) (any, error) {
	text, rest, isText := textOf(in.Data)
	if !isText {
		if _, isObject := rest.(map[string]any); isObject {
			return rest, nil // a multipart form, parsed on arrival
		}
		return nil, refusal.ForField(refusal.Invalid, "data", "Data must be URL-encoded form data, not %s", shape(rest))
	}
	form := map[string]any{}
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, val, _ := strings.Cut(part, "=")
		if err := budget.Hold(value.TextBytes + len(part)); err != nil {
			return nil, err
		}
		if err := addElement(budget, form, unescaped(name), unescaped(val)); err != nil {
			return nil, err
		}
	}
	return form, nil
}

// unescaped decodes a part of a form. An invalid escape, such as the sign in 100%, stands for itself.
func unescaped(part string) string {
	if !strings.ContainsAny(part, "+%") {
		return part
	}
	text := make([]byte, 0, len(part))
	for i := 0; i < len(part); i++ {
		switch c := part[i]; {
		case c == '+':
			text = append(text, ' ')
		case c == '%' && i+2 < len(part) && hexDigits[part[i+1]] && hexDigits[part[i+2]]:
			text, _ = hex.AppendDecode(text, []byte(part[i+1:i+3])) // two hex digits are always a byte
			i += 2
		default:
			text = append(text, c)
		}
	}
	return string(text)
}

var hexDigits = func() (is [256]bool) {
	for _, c := range "0123456789abcdefABCDEF" {
		is[c] = true
	}
	return is
}()

func deserializeFromJSON(budget *value.Budget, in dataInputs) (any, error) {
	if _, rest, isText := textOf(in.Data); !isText {
		return rest, nil
	}
	text, err := requiredText(budget, in.Data, "JSON")
	if err != nil {
		return nil, err
	}
	value, err := parsed(budget, []byte(text))
	if err != nil {
		return nil, refusal.ForField(refusal.Invalid, "data", "Data is not JSON: %v; it begins with %q", err,
			excerpt(text, 80))
	}
	return value, nil
}

// byteOrderMark precedes the text in files of some programs.
const byteOrderMark = "\uFEFF"

// textOf returns the text in v: v itself, binary data or the data of a body. If it is something else, rest is
// that.
func textOf(v any) (text string, rest any, ok bool) {
	if data, _, isBody := value.Body(v); isBody {
		v = data
	}
	switch x := v.(type) {
	case string:
		return x, nil, true
	case []byte:
		return string(x), nil, true
	}
	return "", v, false
}

// excerpt truncates a text to n characters.
func excerpt(text string, n int) string {
	count := 0
	for i := range text {
		if count == n {
			return text[:i] + "…"
		}
		count++
	}
	return text
}
