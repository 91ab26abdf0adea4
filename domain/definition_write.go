package domain

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ExportOptions say how a definition is written.
type ExportOptions struct {
	Version          int  // 0 or 7: the only version that can be written
	LatestComponents bool // write LATEST instead of every pinned component version
}

// Export writes a definition as canonical YAML: keys in alphabetical order, lists in theirs, the same
// bytes for the same definition. Parse reads exactly the same definition again. Ids are not written.
func Export(def *Node, o ExportOptions) ([]byte, error) {
	if o.Version != 0 && o.Version != DefinitionVersion {
		return nil, Refuse(Invalid, "a definition cannot be written as version %d, only as %d", o.Version, DefinitionVersion)
	}
	root := plain(def).(map[string]any)
	root["definitionVersion"] = int64(DefinitionVersion)
	if o.LatestComponents {
		root = unpin(root, "").(map[string]any)
	}
	w := &yamlWriter{}
	w.value(root, 0)
	return []byte(w.b.String()), nil
}

// plain gives the node as one value, its children beside its fields.
func plain(n *Node) any {
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

// unpin makes the component references in a value follow the newest version. They stand under the
// key component, and in the list supplementalComponents; what users wrote as literals is left alone.
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
type yamlWriter struct{ b strings.Builder }

// value writes v and a line end. The cursor stands where the first line of v goes: at the indent, or
// behind "- ".
func (w *yamlWriter) value(v any, indent int) {
	switch v := v.(type) {
	case map[string]any:
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				w.indent(indent)
			}
			w.b.WriteString(flowScalar(key))
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

// text writes a string literally if it has lines, folded if it is long, else on one line.
func (w *yamlWriter) text(s string, indent int) {
	switch {
	case isLiteral(s):
		body := strings.TrimRight(s, "\n")
		w.b.WriteString("|" + chomping(len(s)-len(body)))
		for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
			w.b.WriteByte('\n')
			if line != "" {
				w.indent(indent)
				w.b.WriteString(line)
			}
		}
	case len(s) > lineWidth && isFoldable(s):
		w.b.WriteString(">-")
		for _, line := range fold(s) {
			w.b.WriteByte('\n')
			w.indent(indent)
			w.b.WriteString(line)
		}
	default:
		w.b.WriteString(flowScalar(s))
	}
}

func chomping(lineEnds int) string {
	switch lineEnds {
	case 0:
		return "-"
	case 1:
		return ""
	}
	return "+"
}

// isLiteral reports whether a text has lines and reads back from a literal block. Such a block takes
// its indent from the first line that has any character, so that must be neither space nor tab.
func isLiteral(s string) bool {
	first := strings.TrimLeft(s, "\n")
	return strings.Contains(s, "\n") && first != "" && first[0] != ' ' && first[0] != '\t' && isClean(s, "\n\t")
}

const lineWidth = 80

func isFoldable(s string) bool {
	return isClean(s, "\t") && len(fold(s)) > 1 &&
		!strings.ContainsAny(s[:1], " \t") && !strings.ContainsAny(s[len(s)-1:], " \t")
}

// fold breaks a text at single spaces, where a folded block puts a space back.
func fold(s string) []string {
	var lines []string
	start, last := 0, -1
	for i := 1; i+1 < len(s); i++ {
		if s[i] == ' ' && !strings.ContainsRune(" \t", rune(s[i-1])) && !strings.ContainsRune(" \t", rune(s[i+1])) {
			if i-start > lineWidth && last > start {
				lines = append(lines, s[start:last])
				start = last + 1
			}
			last = i
		}
	}
	if len(s)-start > lineWidth && last > start {
		lines = append(lines, s[start:last])
		start = last + 1
	}
	return append(lines, s[start:])
}

// isClean reports whether every character stands for itself in a block; more lists control
// characters that do.
func isClean(s, more string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !isPrintable(r) && !strings.ContainsRune(more, r) })
}

// isPrintable leaves out what YAML forbids or takes for a line end.
func isPrintable(r rune) bool {
	return r >= 0x20 && r < 0x7f || r >= 0xa0 && r <= 0xd7ff && r != 0x2028 && r != 0x2029 ||
		r >= 0xe000 && r <= 0xfffd && r != 0xfeff && r != 0xfffd || r >= 0x10000
}

// plainScalar matches text that needs no quotes, if it is no reserved word and has no ": " or " #".
var plainScalar = regexp.MustCompile(`^[A-Za-z_][^\x00-\x1f\x7f-\x9f]*$`)

var reservedScalar = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)

// flowScalar writes a text on one line: plain, in single quotes, or escaped in double quotes.
func flowScalar(s string) string {
	switch {
	case !isClean(s, ""):
		return escaped(s)
	case plainScalar.MatchString(s) && !reservedScalar.MatchString(s) && !strings.HasSuffix(s, " ") &&
		!strings.HasSuffix(s, ":") && !strings.Contains(s, ": ") && !strings.Contains(s, " #"):
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case isPrintable(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= math.MaxUint16:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
