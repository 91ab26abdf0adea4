package expression

import (
	"testing"

	"heddle/component/value"
)

// Any text of an input resolves to a value that can be stored, or is refused.
func FuzzResolve(f *testing.F) {
	for _, text := range []string{"hook.results.body.data", "hook.results.body.data.0",
		"{{$hook.results.body}} and {{#Key}}", "{{", "a[", `a["b"].c`, "hook.results.list.length",
		"hook.results.__proto__.constructor", "9.results"} {
		for _, kind := range []string{"reference", "template", "configVar", "value"} {
			f.Add(kind, text)
		}
	}
	scope := NewScope(map[string]any{"Key": "v", "": nil})
	scope.Set("hook", map[string]any{"body": map[string]any{"data": "x"}, "list": []any{1.0, nil, []byte{0xff}}})
	f.Fuzz(func(t *testing.T, kind, text string) {
		val, err := Resolve(map[string]any{"type": kind, "value": text}, scope)
		if err != nil {
			return
		}
		data, err := value.Encode(val)
		if err != nil || len(data) > 100*len(text)+1000 {
			t.Fatalf("%s %q gives %d bytes, %v", kind, text, len(data), err)
		}
	})
}
