package builtin

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"heddle/component"
	"heddle/domain"
)

func init() {
	register(component.Component{
		Key: "change-data-format", Label: "Change data format", Category: "Data",
		Description: "Reads and writes the formats that data comes in.",
		Actions: []component.Action{
			component.NewAction("deserializeFormData", "Deserialize URL-encoded form data",
				"Reads what a form or a webhook sent as application/x-www-form-urlencoded into an object. A name that occurs more than once gives a list.",
				deserializeFormData),
			component.NewAction("deserializeFromJson", "Deserialize JSON",
				"Reads JSON text into the value that it stands for. What is no text has been read already and is passed on.",
				deserializeFromJSON),
		},
	})
}

type dataInputs struct {
	Data any `key:"data" label:"Data" doc:"Text, binary data, or the body of a webhook (an object with data and contentType)." required:"true"`
}

func deserializeFormData(_ context.Context, _ component.Step, in dataInputs) (component.Result, error) {
	text, rest, isText := textOf(in.Data)
	if !isText {
		if _, isObject := rest.(map[string]any); isObject {
			return component.Result{Data: rest}, nil // a multipart form, taken apart on arrival
		}
		return component.Result{}, domain.RefuseField(domain.Invalid, "data", "Data must be URL-encoded form data, not %s", component.Text(rest))
	}
	// Only & separates; a semicolon is data, though package url refuses it.
	values, err := url.ParseQuery(strings.ReplaceAll(text, ";", "%3B"))
	if err != nil {
		return component.Result{}, domain.RefuseField(domain.Invalid, "data", "Data is not URL-encoded form data: %v", err)
	}
	form := make(map[string]any, len(values))
	for name, all := range values {
		if len(all) == 1 {
			form[name] = all[0]
			continue
		}
		list := make([]any, len(all))
		for i, one := range all {
			list[i] = one
		}
		form[name] = list
	}
	return component.Result{Data: form}, nil
}

func deserializeFromJSON(_ context.Context, _ component.Step, in dataInputs) (component.Result, error) {
	text, rest, isText := textOf(in.Data)
	if !isText {
		return component.Result{Data: rest}, nil
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return component.Result{}, domain.RefuseField(domain.Invalid, "data", "Data is not JSON: %v; it begins with %q", err, excerpt(text, 80))
	}
	return component.Result{Data: value}, nil
}

// textOf gives the text in v: v itself, binary data or the data of a body. If it is something else,
// rest is that.
func textOf(v any) (text string, rest any, ok bool) {
	if data, _, isBody := component.Body(v); isBody {
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

// excerpt cuts a text to at most n characters.
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
