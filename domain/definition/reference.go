package definition

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"heddle/domain/refusal"
)

// Identifier returns the first segment of references to a step with the display name: every run of characters
// other than ASCII letters and digits separates words; the first word is lower case, each other word has only
// its first letter in upper case. Source: the one rule that resolves every reference of the known exported
// files; it splits words neither at a change of case nor at digits. If the rule leaves nothing of a name, the
// letters and digits of other scripts are used; without those, too, the identifier is "".
func Identifier(name string) string {
	identifier := make([]byte, 0, len(name))
	within := false // a word
	for _, c := range []byte(name) {
		lower := c | 0x20 // of a letter
		isLetter := 'a' <= lower && lower <= 'z'
		switch first := !within && len(identifier) > 0; {
		case isLetter && first:
			identifier = append(identifier, lower-0x20)
		case isLetter:
			identifier = append(identifier, lower)
		case '0' <= c && c <= '9':
			identifier = append(identifier, c)
		default:
			within = false
			continue
		}
		within = true
	}
	if len(identifier) > 0 {
		return string(identifier)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, name)
}

// What the second segment of a reference can name.
const (
	KindResults     = "results"     // what the step returned
	KindCurrentItem = "currentItem" // inside a loop: the element of this iteration
	KindIndex       = "index"       // inside a loop: the number of this iteration, from 0
	KindError       = "error"       // the error of a step whose error was ignored
)

var pathKinds = []string{KindResults, KindCurrentItem, KindIndex, KindError}

// Path is a parsed reference to data of an earlier step. A segment of digits is an array index or a property
// named by digits: only the data decides.
type Path struct {
	Step string   // identifier of the step, see [Identifier]
	Kind string   // one of KindResults, KindCurrentItem, KindIndex, KindError
	Rest []string // property names and indices below that
}

// ParsePath reads a reference such as "fetchOrders.results.body.data[0].Id": segments are separated
// by dots and may hold spaces, hyphens and the like; [0] and ["a.b"] may follow a segment, with or
// without a dot.
func ParsePath(text string) (Path, error) {
	segments, err := splitPath(text)
	if err != nil {
		return Path{}, err
	}
	if len(segments) < 2 || !slices.Contains(pathKinds, segments[1]) {
		return Path{}, refusal.New(refusal.Invalid,
			"reference %q must name a step and then one of %s, as in %s.results", text, strings.Join(pathKinds, ", "),
			segments[0])
	}
	path := Path{Step: segments[0], Kind: segments[1]}
	if len(segments) > 2 {
		path.Rest = segments[2:]
	}
	return path, nil
}

// String writes the path so that ParsePath reads the same again.
func (p Path) String() string {
	var b strings.Builder
	b.WriteString(p.Step + "." + p.Kind)
	for _, s := range p.Rest {
		if s == "" || strings.ContainsAny(s, ".[") {
			b.WriteString("[" + quoteSegment(s) + "]")
		} else {
			b.WriteString("." + s)
		}
	}
	return b.String()
}

var segmentEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quoteSegment(s string) string { return `"` + segmentEscapes.Replace(s) + `"` }

func splitPath(text string) ([]string, error) {
	segments := make([]string, 0, 8) // few paths are longer
	for i := 0; ; {
		var segment string
		var err error
		if i < len(text) && text[i] == '[' && len(segments) > 0 {
			segment, i, err = bracket(text, i)
		} else {
			start := i
			for i < len(text) && text[i] != '.' && text[i] != '[' {
				i++
			}
			if segment = text[start:i]; segment == "" {
				err = fmt.Errorf("there is an empty segment")
			}
		}
		if err != nil {
			return nil, refusal.New(refusal.Invalid, "reference %q cannot be read: %v", text, err)
		}
		segments = append(segments, segment)
		switch {
		case i == len(text):
			return segments, nil
		case text[i] == '.':
			i++
		case text[i] != '[':
			return nil, refusal.New(refusal.Invalid, "reference %q cannot be read: after ] only a dot or [ can follow",
				text)
		}
	}
}

// bracket reads [0], ["key"], ['key'] or [key] at text[start:] and returns where the path goes on.
func bracket(text string, start int) (segment string, next int, err error) {
	i := start + 1
	if i < len(text) && (text[i] == '"' || text[i] == '\'') {
		quote := text[i]
		var b strings.Builder
		for i++; i < len(text) && text[i] != quote; i++ {
			if text[i] == '\\' && i+1 < len(text) {
				i++
			}
			b.WriteByte(text[i])
		}
		if i+1 >= len(text) || text[i+1] != ']' {
			return "", 0, fmt.Errorf("[%c is not closed by %c]", quote, quote)
		}
		return b.String(), i + 2, nil
	}
	end := strings.IndexByte(text[i:], ']')
	if end < 1 {
		return "", 0, fmt.Errorf("[ needs an index or a quoted name and then ]")
	}
	return text[i : i+end], i + end + 1, nil
}

// SegmentKind is the kind of a part of a template.
type SegmentKind int

// The kinds of template parts.
const (
	LiteralSegment   SegmentKind = iota // text as it is
	ConfigVarSegment                    // the key of a config variable, written {{#key}}
	PathSegment                         // a reference, written {{$path}}; see [ParsePath]
)

// Segment is a piece of a template: literal text, or the content of a placeholder, untouched.
type Segment struct {
	Kind SegmentKind
	Text string
}

// ParseTemplate splits a template into its parts. A placeholder ends at the first }}, on whichever line.
// Everything else is literal, so any text is a template.
func ParseTemplate(text string) []Segment {
	var parts []Segment
	literal := 0 // start of the text that is in no part yet
	for at := 0; ; {
		open := strings.Index(text[at:], "{{")
		if open < 0 {
			break
		}
		start := at + open
		at = start + 1 // the second brace may be the first one of a placeholder
		if !strings.HasPrefix(text[start+2:], "#") && !strings.HasPrefix(text[start+2:], "$") {
			continue
		}
		size := strings.Index(text[start+3:], "}}")
		if size < 0 {
			break
		}
		if start > literal {
			parts = append(parts, Segment{LiteralSegment, text[literal:start]})
		}
		kind := ConfigVarSegment
		if text[start+2] == '$' {
			kind = PathSegment
		}
		parts = append(parts, Segment{kind, text[start+3 : start+3+size]})
		at = start + 3 + size + 2
		literal = at
	}
	if literal < len(text) {
		parts = append(parts, Segment{LiteralSegment, text[literal:]})
	}
	return parts
}
