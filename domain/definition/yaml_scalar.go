package definition

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

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

// isClean reports whether every character stands for itself in a block; more lists control characters that do.
func isClean(s, more string) bool {
	for _, r := range s {
		if !isPrintable(r) && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return true
}

// isPrintable leaves out what YAML forbids or takes for a line end.
func isPrintable(r rune) bool {
	return r >= 0x20 && r < 0x7f || r >= 0xa0 && r <= 0xd7ff && r != 0x2028 && r != 0x2029 ||
		r >= 0xe000 && r <= 0xfffd && r != 0xfeff && r != 0xfffd || r >= 0x10000
}

// isPlain reports whether a clean text on one line reads back without quotes.
func isPlain(s string) bool {
	return s != "" && (s[0] == '_' || 'A' <= s[0]&^0x20 && s[0]&^0x20 <= 'Z') && !isReserved(s) &&
		s[len(s)-1] != ' ' && s[len(s)-1] != ':' && !strings.Contains(s, ": ") && !strings.Contains(s, " #")
}

// reservedScalars are read as something other than text by YAML 1.1 or 1.2, in any case.
var reservedScalars = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

func isReserved(s string) bool {
	return len(s) <= len("false") && slices.ContainsFunc(reservedScalars, func(r string) bool {
		return strings.EqualFold(s, r)
	})
}

// flowScalar writes a text on one line: plain, in single quotes, or escaped in double quotes.
func flowScalar(s string) string {
	switch {
	case !isClean(s, ""):
		return escaped(s)
	case isPlain(s):
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
