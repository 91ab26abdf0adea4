// Package definition is the format of integrations, version 7: it reads and writes their YAML, checks them,
// assigns ids to their parts, and compares, changes and merges them. It is pure and knows no aggregates, so
// that every floor can use it. What happens to a definition is in package domain.
package definition

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Part is an integration definition (the root), or a part of it that has an identity: a flow, step, branch,
// config variable or config page. It is one generic tree, so that nothing in a file is lost and comparing,
// changing and merging need no code per field. A Part is never changed once built; changes return new parts
// that share the unchanged ones.
type Part struct {
	// ID is assigned when the part first appears and survives renames and moves; it is never in the YAML. The
	// root's is empty: the integration has its own.
	ID string `json:"id,omitempty"`
	// Fields holds every YAML key but the child lists. Values are nil, bool, int64, float64, string,
	// []any and map[string]any. A field that is nil counts as not set.
	Fields map[string]any `json:"fields,omitempty"`
	// Children holds the child lists by YAML key: flows, requiredConfigVars and configPages of the root, steps
	// of a flow, steps (a loop's) and branches of a step, steps of a branch. An empty list is kept.
	Children map[string][]*Part `json:"children,omitempty"`

	lines map[string]int // line by key path ("inputs/url"), "" for the node; nil if not read from text
}

// ActionRef names the action or trigger of a component that a step runs.
type ActionRef struct {
	Component string // component key
	Key       string // action key
	Private   bool   // a component of the organization, not a built-in or public one
	Version   string // number, "LATEST", or "" when the file pins none
}

// Text returns a text field, or "".
func (n *Part) Text(key string) string {
	s, _ := n.Fields[key].(string)
	return s
}

// Default returns the default value of a config variable, which is text. Any other value is returned as its
// JSON.
func (n *Part) Default() string {
	switch v := n.Fields["defaultValue"].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		text, _ := json.Marshal(v) // every value of a file has a JSON form
		return string(text)
	}
}

// Flag returns a boolean field, false if it is not set.
func (n *Part) Flag(key string) bool {
	b, _ := n.Fields[key].(bool)
	return b
}

// Map returns a field that is a map, or nil. The caller must not change it.
func (n *Part) Map(key string) map[string]any {
	m, _ := n.Fields[key].(map[string]any)
	return m
}

// Name returns the name of an integration, flow, step, branch or page.
func (n *Part) Name() string { return n.Text("name") }

// Key returns the key of a config variable.
func (n *Part) Key() string { return n.Text("key") }

// Flows returns the root's flows.
func (n *Part) Flows() []*Part { return n.Children[flowList] }

// Flow returns the root's flow with this id, nil if there is none.
func (n *Part) Flow(id string) *Part {
	if i := slices.IndexFunc(n.Flows(), func(flow *Part) bool { return flow.ID == id }); i >= 0 {
		return n.Flows()[i]
	}
	return nil
}

// ConfigVars returns the root's config variables.
func (n *Part) ConfigVars() []*Part { return n.Children[configVarList] }

// Pages returns the root's config pages.
func (n *Part) Pages() []*Part { return n.Children[pageList] }

// Steps returns the steps of a flow (the trigger first), of a branch, or of a loop's body.
func (n *Part) Steps() []*Part { return n.Children[stepList] }

// Branches returns the branches of a step.
func (n *Part) Branches() []*Part { return n.Children[branchList] }

// IsTrigger reports whether a step is its flow's trigger.
func (n *Part) IsTrigger() bool { return n.Flag("isTrigger") }

// Trigger returns the trigger step of a flow, nil if it has none.
func (n *Part) Trigger() *Part {
	if i := slices.IndexFunc(n.Steps(), (*Part).IsTrigger); i >= 0 {
		return n.Steps()[i]
	}
	return nil
}

// Inputs returns the inputs of a step or config variable by name, each a map with type and value. The caller
// must not change it.
func (n *Part) Inputs() map[string]any { return n.Map("inputs") }

// Action returns the action that a step runs.
func (n *Part) Action() ActionRef { return actionRef(n.Map("action")) }

// Connection returns the connection that a config variable stands for, and whether it is one.
func (n *Part) Connection() (ActionRef, bool) {
	m := n.Map("connection")
	return actionRef(m), m != nil
}

// IsConnection reports whether a config variable is a connection.
func (n *Part) IsConnection() bool {
	_, is := n.Connection()
	return is || n.Text("dataType") == "connection"
}

// DataSource returns the data source that fills a config variable, and whether it has one.
func (n *Part) DataSource() (ActionRef, bool) {
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
	switch v := component["version"].(type) {
	case nil:
	case string:
		ref.Version = v
	default:
		ref.Version = fmt.Sprint(v)
	}
	return ref
}

// Find returns the part with this id, nil if there is none.
func (n *Part) Find(id string) *Part {
	for part := range n.All() {
		if part.ID == id {
			return part
		}
	}
	return nil
}

// All yields the node and every part below it, list by list in alphabetical order, parents first.
func (n *Part) All() iter.Seq[*Part] {
	return func(yield func(*Part) bool) { n.all(yield) }
}

func (n *Part) all(yield func(*Part) bool) bool {
	if !yield(n) {
		return false
	}
	for _, list := range keysOf(n.Children) {
		for _, child := range n.Children[list] {
			if !child.all(yield) {
				return false
			}
		}
	}
	return true
}

// keysOf returns the keys of the maps, sorted.
func keysOf[V any](ms ...map[string]V) []string {
	size := 0
	for _, m := range ms {
		size += len(m)
	}
	keys := make([]string, 0, size)
	for _, m := range ms {
		for key := range m {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Equal reports whether two nodes hold the same, ids included.
func (n *Part) Equal(o *Part) bool {
	if n == nil || o == nil || n == o {
		return n == o
	}
	return n.ID == o.ID && len(n.Fields) == len(o.Fields) &&
		(len(n.Fields) == 0 || reflect.DeepEqual(n.Fields, o.Fields)) &&
		maps.EqualFunc(n.Children, o.Children, func(a, b []*Part) bool {
			return slices.EqualFunc(a, b, (*Part).Equal)
		})
}

// line returns the line of the longest known start of the path.
func (n *Part) line(path ...string) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if line := n.lines[strings.Join(path, "/")]; line > 0 {
			return line
		}
	}
	return n.lines[""]
}
