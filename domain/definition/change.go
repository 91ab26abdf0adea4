package definition

import (
	"iter"
	"strings"
)

// Op is the operation of a [Change].
type Op string

// The operations. Without a path, set and unset concern a whole collection, named by List: a child list or
// "inputs". Set makes sure that it exists; unset drops it if it is empty.
const (
	SetOp    Op = "set"    // set the field at Path of Node to Value
	UnsetOp  Op = "unset"  // remove the field at Path from Node
	AddOp    Op = "add"    // put Part into List of Parent, behind After ("": first)
	RemoveOp Op = "remove" // remove Node, with everything below it
	MoveOp   Op = "move"   // put Node into List of Parent, behind After ("": first)
)

// Change is one semantic change of a definition. Parts are named by id, never by their index in a list, so a
// change means the same wherever it is applied; the root is "". Changes made by hand lack From, Below and Was:
// Diff(def, Apply(def, changes)) returns them complete.
type Change struct {
	Op     Op       `json:"op"`
	Node   string   `json:"node,omitempty"`
	Path   []string `json:"path,omitempty"` // field key, or "inputs" and the input's name
	Value  any      `json:"value,omitempty"`
	Parent string   `json:"parent,omitempty"`
	List   string   `json:"list,omitempty"`
	After  string   `json:"after,omitempty"`
	Part   *Part    `json:"part,omitempty"`
	From   string   `json:"from,omitempty"`  // of a move to another parent: the former parent
	Below  []string `json:"below,omitempty"` // of a remove: the parts below it

	// Was is the old value of a set or unset, for people who look at a comparison. It is not stored: whoever
	// folds events has it, and it could double an event's size.
	Was any `json:"-"`
}

func (c *Change) Normalize() {
	if m, ok := c.Value.(map[string]any); ok {
		normalizeMap(m) // it was just read: nobody else has it
	} else {
		c.Value = FieldValue(c.Value)
	}
	c.Part.Normalize()
}

// nesting is the key of every move to another parent: two of them could put each part into the other.
const nesting = "@nesting"

// Touches returns the keys that a change touches: a field or an input, and, after an @, a place: the part's
// own, the one behind it, the first of a list, or the existence of a collection. Two lists of changes to the
// same definition commute if they share no key and no place is above another's, except for the order of parts
// that both put into one place: there the last one comes first. An edit below a part that the other list
// removes shares no key with it and is lost: see [Overlap].
func Touches(c Change) []string {
	switch c.Op {
	case SetOp, UnsetOp:
		if len(c.Path) == 0 {
			return []string{c.Node + "/@" + c.List}
		}
		return []string{c.Node + "/" + strings.Join(c.Path, "/")}
	case AddOp:
		if c.Part == nil {
			return []string{slotKey(c)}
		}
		keys := []string{slotKey(c) + "/" + c.Part.ID}
		for part := range c.Part.All() {
			keys = append(keys, part.ID)
		}
		return keys
	case RemoveOp:
		var keys []string
		for _, id := range append([]string{c.Node}, c.Below...) {
			keys = append(keys, id, id+"/@place", id+"/@next", id+"/@first/"+stepList, id+"/@first/"+branchList)
		}
		return keys
	case MoveOp:
		keys := []string{c.Node + "/@place", c.Node + "/@next", slotKey(c) + "/" + c.Node}
		if c.From != "" {
			keys = append(keys, nesting)
		}
		return keys
	}
	return nil
}

// slotKey is the key of the place that a part is put into.
func slotKey(c Change) string {
	if c.After == "" {
		return c.Parent + "/@first/" + c.List
	}
	return c.After + "/@next"
}

// Overlap returns the keys of b that touch the same as a, see [OverlapKeys]. If there are none, merging the two
// lists loses nothing of either.
func Overlap(a, b []Change) []string { return OverlapKeys(TouchedBy(a), TouchedBy(b)) }

func TouchedBy(changes []Change) []string {
	var keys []string
	for _, c := range changes {
		keys = append(keys, Touches(c)...)
	}
	return keys
}

// OverlapKeys returns the keys of b that touch the same as those of a, in order, each once. It is stricter than
// comparing keys: a key includes everything below it, at a slash, so that an edit inside a part meets the
// removal of the part.
func OverlapKeys(a, b []string) []string {
	touched, above := map[string]bool{}, map[string]bool{}
	for _, key := range a {
		touched[key] = true
		for k := range prefixes(key) {
			above[k] = true
		}
	}
	var overlap []string
	seen := map[string]bool{}
	for _, key := range b {
		hit := above[key]
		for k := range prefixes(key) {
			hit = hit || touched[k]
		}
		if hit && !seen[key] {
			seen[key] = true
			overlap = append(overlap, key)
		}
	}
	return overlap
}

// prefixes yields the key and every key above it.
func prefixes(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range key {
			// A leading slash is a field of the root, which nothing stands above.
			if key[i] == '/' && i > 0 && !yield(key[:i]) {
				return
			}
		}
		yield(key)
	}
}
