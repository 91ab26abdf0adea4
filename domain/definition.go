package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Node is an integration definition (the root), or a part of it that has an identity: a flow, step,
// branch, config variable or config page. It is one generic tree, so that nothing a file holds is
// lost and comparing, changing and merging need no code per field. A Node is never changed once
// built; whatever changes a definition returns new nodes that share the unchanged ones.
type Node struct {
	// ID is given when the part first appears and survives renames and moves; it is never in the
	// YAML. The root's is empty: the integration has its own.
	ID string `json:"id,omitempty"`
	// Fields holds every YAML key but the child lists. Values are nil, bool, int64, float64, string,
	// []any and map[string]any. A field that is nil counts as not set.
	Fields map[string]any `json:"fields,omitempty"`
	// Children holds the child lists by YAML key: flows, requiredConfigVars and configPages of the
	// root, steps of a flow, steps (a loop's) and branches of a step, steps of a branch. A list that
	// is there and empty stays there.
	Children map[string][]*Node `json:"children,omitempty"`

	lines map[string]int // line by key path ("inputs/url"), "" for the node; nil if not read from text
}

// ActionRef names the action or trigger of a component that a step runs.
type ActionRef struct {
	Component string // component key
	Key       string // action key
	Private   bool   // a component of the organization, not a built-in or public one
	Version   string // number, "LATEST", or "" when the file pins none
}

// Text gives a field that is text, or "".
func (n *Node) Text(key string) string {
	s, _ := n.Fields[key].(string)
	return s
}

// Flag gives a field that is true or false, false when it is not set.
func (n *Node) Flag(key string) bool {
	b, _ := n.Fields[key].(bool)
	return b
}

// Map gives a field that is a map, or nil. It must not be changed.
func (n *Node) Map(key string) map[string]any {
	m, _ := n.Fields[key].(map[string]any)
	return m
}

// Name gives the name of an integration, flow, step, branch or page.
func (n *Node) Name() string { return n.Text("name") }

// Key gives the key of a config variable.
func (n *Node) Key() string { return n.Text("key") }

// Flows gives the root's flows.
func (n *Node) Flows() []*Node { return n.Children[flowList] }

// ConfigVars gives the root's config variables.
func (n *Node) ConfigVars() []*Node { return n.Children[configVarList] }

// Pages gives the root's config pages.
func (n *Node) Pages() []*Node { return n.Children[pageList] }

// Steps gives the steps of a flow (the trigger first), of a branch, or of a loop's body.
func (n *Node) Steps() []*Node { return n.Children[stepList] }

// Branches gives the branches of a step.
func (n *Node) Branches() []*Node { return n.Children[branchList] }

// IsTrigger reports whether a step is its flow's trigger.
func (n *Node) IsTrigger() bool { return n.Flag("isTrigger") }

// Trigger gives the trigger step of a flow, nil if it has none.
func (n *Node) Trigger() *Node {
	if i := slices.IndexFunc(n.Steps(), (*Node).IsTrigger); i >= 0 {
		return n.Steps()[i]
	}
	return nil
}

// Inputs gives the inputs of a step or config variable by name, each a map with type and value. It
// must not be changed.
func (n *Node) Inputs() map[string]any { return n.Map("inputs") }

// Action gives what a step runs.
func (n *Node) Action() ActionRef { return actionRef(n.Map("action")) }

// Connection gives the connection that a config variable stands for, and whether it is one.
func (n *Node) Connection() (ActionRef, bool) {
	m := n.Map("connection")
	return actionRef(m), m != nil
}

// DataSource gives the data source that fills a config variable, and whether it has one.
func (n *Node) DataSource() (ActionRef, bool) {
	m := n.Map("dataSource")
	return actionRef(m), m != nil
}

func actionRef(m map[string]any) ActionRef {
	var ref ActionRef
	ref.Key, _ = m["key"].(string)
	component, _ := m["component"].(map[string]any)
	ref.Component, _ = component["key"].(string)
	public, told := component["isPublic"].(bool)
	ref.Private = told && !public
	if v := component["version"]; v != nil {
		ref.Version = fmt.Sprint(v)
	}
	return ref
}

// Find gives the part with this id, nil if there is none.
func (n *Node) Find(id string) *Node {
	for part := range n.All() {
		if part.ID == id {
			return part
		}
	}
	return nil
}

// All yields the node and every part below it, list by list in alphabetical order, parents first.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.all(yield) }
}

func (n *Node) all(yield func(*Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, list := range slices.Sorted(maps.Keys(n.Children)) {
		for _, child := range n.Children[list] {
			if !child.all(yield) {
				return false
			}
		}
	}
	return true
}

// Equal reports whether two nodes hold the same, ids included.
func (n *Node) Equal(o *Node) bool {
	if n == nil || o == nil || n == o {
		return n == o
	}
	return n.ID == o.ID && len(n.Fields) == len(o.Fields) &&
		(len(n.Fields) == 0 || reflect.DeepEqual(n.Fields, o.Fields)) &&
		maps.EqualFunc(n.Children, o.Children, func(a, b []*Node) bool {
			return slices.EqualFunc(a, b, (*Node).Equal)
		})
}

// line gives the line of the longest known start of the path.
func (n *Node) line(path ...string) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if line := n.lines[strings.Join(path, "/")]; line > 0 {
			return line
		}
	}
	return n.lines[""]
}

// EncodeDefinition writes a definition as JSON, ids included, the same bytes for the same definition.
func EncodeDefinition(def *Node) ([]byte, error) { return encodeJSON(def) }

// DecodeDefinition reads what EncodeDefinition wrote.
func DecodeDefinition(data []byte) (*Node, error) {
	def := new(Node)
	if err := json.Unmarshal(data, def); err != nil {
		return nil, fmt.Errorf("decoding definition: %w", err)
	}
	return def, nil
}

// Hash names the content of a definition, ids included: the hex SHA-256 of its encoding. It panics on
// a value that no definition can hold.
func Hash(def *Node) string {
	data, err := EncodeDefinition(def)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// UnmarshalJSON reads a node in one pass, however deep it is, and keeps whole numbers whole.
func (n *Node) UnmarshalJSON(data []byte) error {
	v, err := decodeJSON(data)
	if err != nil {
		return err
	}
	node, err := nodeOf(v)
	if err == nil {
		*n = *node
	}
	return err
}

func nodeOf(v any) (*Node, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a part of a definition is %T, not an object", v)
	}
	n := new(Node)
	n.ID, _ = m["id"].(string)
	n.Fields, _ = m["fields"].(map[string]any)
	lists, _ := m["children"].(map[string]any)
	if len(lists) > 0 {
		n.Children = make(map[string][]*Node, len(lists))
	}
	for name, v := range lists {
		items, _ := v.([]any)
		list := make([]*Node, len(items))
		for i, item := range items {
			var err error
			if list[i], err = nodeOf(item); err != nil {
				return nil, err
			}
		}
		n.Children[name] = list
	}
	return n, nil
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding definition: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// decodeJSON reads any JSON value with the Go types that fields have.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return FieldValue(v), nil
}

// FieldValue gives a value the Go types that fields have: numbers become int64 when they are whole,
// else float64. Values that come from elsewhere, such as a GraphQL argument, pass through here.
func FieldValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return FieldValue(f)
	case int:
		return int64(v)
	case float64:
		// JSON does not tell 1.0 from 1, so neither do fields; 2^63 is the first float beyond int64.
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v)
		}
		return v
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = FieldValue(item)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, item := range v {
			m[key] = FieldValue(item)
		}
		return m
	}
	return v
}
