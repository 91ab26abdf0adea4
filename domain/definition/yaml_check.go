package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"heddle/domain/refusal"
)

// maxKey keeps every key, however it is quoted, below the 1024 characters that YAML allows a key.
const maxKey = 200

// maxProblems ends the search for problems: nobody reads more, and a hostile file has many.
const maxProblems = 1000

// flowStep is the flow and step of a problem.
type flowStep struct{ flow, step string }

// reader checks a YAML tree for everything that no definition may hold, whatever its keys mean.
type reader struct {
	limits   Limits
	values   int
	problems refusal.Problems
}

func (r *reader) problem(n *yaml.Node, at flowStep, format string, args ...any) {
	if len(r.problems) >= maxProblems {
		return
	}
	r.problems = append(r.problems, refusal.Problem{Line: n.Line, Flow: at.flow, Step: at.step,
		Message: fmt.Sprintf(format, args...)})
}

// parseYAML reads the one document of a text.
func parseYAML(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(readable(text)))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].Tag == "!!null") {
		return nil, refusal.Problems{{Line: 1, Message: "the file is empty; it must hold an integration definition"}}
	}
	if err != nil {
		return nil, yamlProblem(err)
	}
	if err = dec.Decode(&more); err == nil {
		return nil, refusal.Problems{{Line: more.Line,
			Message: "a second document begins here; a file holds one integration, so put each in its own file"}}
	}
	if !errors.Is(err, io.EOF) {
		return nil, yamlProblem(err)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, refusal.Problems{{Line: root.Line,
			Message: "an integration definition must be a map with keys such as name and flows"}}
	}
	return root, nil
}

// readable rewrites what yaml.v3 rejects: the %YAML 1.2 directive and JSON's escapes of slashes and of
// characters beyond U+FFFF.
func readable(text []byte) []byte {
	if rest, is := bytes.CutPrefix(text, []byte("%YAML 1.2")); is {
		return append([]byte("%YAML 1.1"), rest...)
	}
	if !jsonEscapes.Match(text) || !json.Valid(text) {
		return text
	}
	return jsonEscapes.ReplaceAllFunc(text, func(escape []byte) []byte {
		switch string(escape) {
		case `\\`: // an escaped backslash
			return escape
		case `\/`:
			return []byte("/")
		}
		high, _ := strconv.ParseUint(string(escape[2:6]), 16, 16)
		low, _ := strconv.ParseUint(string(escape[8:]), 16, 16)
		return fmt.Appendf(nil, `\U%08X`, utf16.DecodeRune(rune(high), rune(low)))
	})
}

var jsonEscapes = regexp.MustCompile(`\\\\|\\/|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func yamlProblem(err error) refusal.Problems {
	m := yamlLine.FindStringSubmatch(err.Error())
	p := refusal.Problem{Message: "this is not valid YAML: " + err.Error()}
	if m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Message = "this is not valid YAML: " + strings.TrimPrefix(err.Error(), m[0])
	}
	return refusal.Problems{p}
}

// validate walks a node and everything below it.
func (r *reader) validate(n *yaml.Node, depth int, at flowStep) {
	r.values++
	switch {
	case len(r.problems) >= maxProblems:
		return
	case r.values == r.limits.Values+1:
		r.problem(n, at, "the definition holds more than %d values; split the integration", r.limits.Values)
		return
	case r.values > r.limits.Values:
		return
	case depth > r.limits.Depth:
		r.problem(n, at, "this is nested deeper than %d levels; flatten it, or move steps to a flow of their own",
			r.limits.Depth)
		return
	case n.Kind == yaml.AliasNode:
		r.problem(n, at, "alias *%s is not supported; write the value out", n.Value)
		return
	case n.Anchor != "":
		r.problem(n, at, "anchor &%s is not supported; remove it", n.Anchor)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		r.scalar(n, at)
	case yaml.SequenceNode:
		r.tag(n, "!!seq", at)
		for _, item := range n.Content {
			r.validate(item, depth+1, at)
		}
	case yaml.MappingNode:
		r.tag(n, "!!map", at)
		r.mapping(n, depth, at)
	}
}

func (r *reader) tag(n *yaml.Node, want string, at flowStep) {
	if tag := n.ShortTag(); tag != want {
		r.problem(n, at, "tag %s is not supported; remove it", tag)
	}
}

func (r *reader) mapping(n *yaml.Node, depth int, at flowStep) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		r.key(key, at)
		if first, double := seen[key.Value]; double && key.Kind == yaml.ScalarNode {
			r.problem(key, at, "key %q is here twice, first on line %d; keep one", key.Value, first)
		} else {
			seen[key.Value] = key.Line
		}
		if value.Kind != yaml.SequenceNode || key.Value != flowList && key.Value != stepList {
			r.validate(value, depth+1, at)
			continue
		}
		r.values++
		r.tag(value, "!!seq", at)
		if value.Anchor != "" {
			r.problem(value, at, "anchor &%s is not supported; remove it", value.Anchor)
		}
		for _, part := range value.Content {
			inside := flowStep{at.flow, yamlScalar(part, "name")}
			if key.Value == flowList {
				inside = flowStep{flow: yamlScalar(part, "name")}
			}
			r.validate(part, depth+2, inside)
		}
	}
}

func (r *reader) key(key *yaml.Node, at flowStep) {
	switch {
	case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
		r.problem(key, at, "merge key << is not supported; write the keys out")
	case key.Kind == yaml.AliasNode || key.Anchor != "":
		r.problem(key, at, "anchors and aliases are not supported; write the key out")
	case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
		r.problem(key, at, "key %s is not text; put it in quotes", key.Value)
	case len(key.Value) > maxKey:
		r.problem(key, at, "a key has %d bytes; the limit is %d", len(key.Value), maxKey)
	case !utf8.ValidString(key.Value):
		r.problem(key, at, "key %q is not valid UTF-8", key.Value)
	}
}

func (r *reader) scalar(n *yaml.Node, at flowStep) {
	if !utf8.ValidString(n.Value) {
		r.problem(n, at, "the value is not valid UTF-8")
	} else if _, err := scalarValue(n); err != nil {
		r.problem(n, at, "%v", err)
	}
}
