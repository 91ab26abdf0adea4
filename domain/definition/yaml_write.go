package definition

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"heddle/domain/refusal"
)

// ExportOptions say how a definition is written.
type ExportOptions struct {
	Version          int  // 0 or 7: the only version that can be written
	LatestComponents bool // write LATEST instead of every pinned component version
}

// Export writes a definition as canonical YAML: keys in alphabetical order, lists in theirs, the same
// bytes for the same definition. Parse reads exactly the same definition again. Ids are not written.
func Export(def *Part, o ExportOptions) ([]byte, error) {
	if o.Version != 0 && o.Version != DefinitionVersion {
		return nil, refusal.New(refusal.Invalid, "a definition cannot be written as version %d, only as %d", o.Version,
			DefinitionVersion)
	}
	root := plain(def).(map[string]any)
	root["definitionVersion"] = int64(DefinitionVersion)
	if o.LatestComponents {
		root = unpin(root, "").(map[string]any)
	}
	w := &yamlWriter{keys: map[string]string{}}
	w.value(root, 0)
	return []byte(w.b.String()), nil
}

// plain returns the node as one value, its children beside its fields.
func plain(n *Part) any {
	m := make(map[string]any, len(n.Fields)+len(n.Children))
	maps.Copy(m, n.Fields)
	for key, children := range n.Children {
		list := make([]any, len(children))
		for i, child := range children {
			list[i] = plain(child)
		}
		m[key] = list
	}
	return m
}

// unpin makes the component references in a value follow the newest version. They stand under the key
// component, and in the list supplementalComponents; literals of users are left alone.
func unpin(v any, under string) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = unpin(item, under)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, item := range v {
			if key != "inputs" && key != "schemas" && key != "importMetadata" {
				item = unpin(item, key)
			}
			m[key] = item
		}
		if _, ref := m["key"].(string); ref && (under == "component" || under == "supplementalComponents") {
			m["version"] = latest
			delete(m, "signature")
		}
		return m
	}
	return v
}

// yamlWriter writes the few YAML forms that read back exactly and alike everywhere.
type yamlWriter struct {
	b    strings.Builder
	keys map[string]string // as written: the same few repeat
}

func (w *yamlWriter) key(key string) string {
	text, known := w.keys[key]
	if !known {
		text = flowScalar(key)
		w.keys[key] = text
	}
	return text
}

// value writes v and a line end. The cursor stands where the first line of v goes: at the indent, or
// behind "- ".
func (w *yamlWriter) value(v any, indent int) {
	switch v := v.(type) {
	case map[string]any:
		for i, key := range keysOf(v) {
			if i > 0 {
				w.indent(indent)
			}
			w.b.WriteString(w.key(key))
			w.b.WriteByte(':')
			w.after(v[key], indent+2)
		}
	case []any:
		for i, item := range v {
			if i > 0 {
				w.indent(indent)
			}
			w.b.WriteByte('-')
			if filled(item) {
				w.b.WriteByte(' ')
				w.value(item, indent+2)
			} else {
				w.after(item, indent+2)
			}
		}
	}
}

// after writes what follows "key:" or, for anything but filled maps and lists, "-".
func (w *yamlWriter) after(v any, indent int) {
	if filled(v) {
		w.b.WriteByte('\n')
		w.indent(indent)
		w.value(v, indent)
		return
	}
	w.b.WriteByte(' ')
	switch v := v.(type) {
	case map[string]any:
		w.b.WriteString("{}")
	case []any:
		w.b.WriteString("[]")
	case nil:
		w.b.WriteString("null")
	case string:
		w.text(v, indent)
	case float64:
		w.b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	default: // bool, int64
		fmt.Fprint(&w.b, v)
	}
	w.b.WriteByte('\n')
}

func filled(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

func (w *yamlWriter) indent(n int) { w.b.WriteString(strings.Repeat(" ", n)) }
