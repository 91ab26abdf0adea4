package worker

import (
	"bytes"
	"errors"
	"mime"
	"strings"

	"heddle/component/value"
	"heddle/domain/refusal"
)

// bodyLimits bound the memory of a body's parsed form. All parts of a form share them.
type bodyLimits struct {
	memory int // HEDDLE_MAX_BODY_MEMORY: bytes that JSON takes once it is read, as estimated
	parts  int // HEDDLE_MAX_BODY_PARTS: of a multipart form
}

// parseBody returns a JSON body as a value, a multipart form by field, and any other as it came. A body that does
// not match its content type also stays as it came: the flow may know better. It refuses a body that exceeds a
// limit before it holds more than the body.
func parseBody(data any, contentType string, limits bodyLimits) (any, error) {
	switch media, params, _ := mime.ParseMediaType(contentType); {
	case isJSON(media):
		return parseJSON(data, bytesOf(data), &limits)
	case media == "multipart/form-data":
		parts, err := splitForm(bytesOf(data), params["boundary"], limits.parts)
		if err != nil || len(parts) == 0 {
			return data, limitsOnly(err)
		}
		return fieldsOf(parts, &limits)
	}
	return data, nil
}

// checkBody reports an exceeded limit as parseBody does, without holding the parsed form.
func checkBody(body []byte, contentType string, limits bodyLimits) error {
	switch media, params, _ := mime.ParseMediaType(contentType); {
	case isJSON(media):
		return limits.spend(body)
	case media == "multipart/form-data":
		parts, err := splitForm(body, params["boundary"], limits.parts)
		for _, part := range parts {
			if err == nil && isJSON(part.contentType) {
				err = limits.spend(part.data)
			}
		}
		return limitsOnly(err)
	}
	return nil
}

// limitsOnly drops errors about a body that does not match its type.
func limitsOnly(err error) error {
	if errors.Is(err, errNoForm) {
		return nil
	}
	return err
}

func parseJSON(data any, body []byte, limits *bodyLimits) (any, error) {
	if err := limits.spend(body); err != nil {
		return nil, err
	}
	value, err := value.ParseJSON(bytes.TrimPrefix(body, []byte("\uFEFF"))) // some programs write a byte order mark
	if err != nil {
		return data, nil
	}
	return value, nil
}

// spend books the estimated memory of a JSON text against the limit. It refuses a text that exceeds it or is nested
// too deep to be stored.
func (l *bodyLimits) spend(text []byte) error {
	m := value.MeasureJSON(text)
	if m.Depth > value.MaxDepth {
		return refusal.New(refusal.Invalid, "the JSON of the body is nested deeper than %d levels", value.MaxDepth)
	}
	if l.memory -= m.Bytes; l.memory < 0 {
		return refusal.Exceed("HEDDLE_MAX_BODY_MEMORY", "the JSON of the body has more values than there is memory for")
	}
	return nil
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// bytesOf returns the bytes of delivered data.
func bytesOf(data any) []byte {
	switch d := data.(type) {
	case string:
		return []byte(d)
	case []byte:
		return d
	}
	return nil
}

// textOrBytes returns a string if the bytes are text, and nil for an empty body.
func textOrBytes(body []byte) any {
	switch {
	case len(body) == 0:
		return nil
	case value.IsText(body):
		return string(body)
	}
	return body
}
