package definition

import (
	"iter"
	"strings"
)

// Op is what a [Change] does.
type Op string

// The operations. Without a path, set and unset concern a whole collection, named by List: a child
// list or "inputs". Set makes sure that it is there; unset drops it if it is empty.
const (
	SetOp    Op = "set"    // give Value to the field at Path of Node
	UnsetOp  Op = "unset"  // take the field at Path from Node
	AddOp    Op = "add"    // put Part into List of Parent, behind After ("": first)
	RemoveOp Op = "remove" // take Node away, with everything below it
	MoveOp   Op = "move"   // put Node into List of Parent, behind After ("": first)
)

// Change is one semantic change of a definition. Parts are named by id, never by their place in a
// list, so a change means the same wherever it is applied; the root is "". What was put together by
// hand lacks From, Below and Was: Diff(def, Apply(def, changes)) gives the same changes complete.
type Change struct {
	Op     Op       `json:"op"`
	Node   string   `json:"node,omitempty"`
	Path   []string `json:"path,omitempty"` // field key, or "inputs" and the input's name
	Value  any      `json:"value,omitempty"`
	Parent string   `json:"parent,omitempty"`
	List   string   `json:"list,omitempty"`
	After  string   `json:"after,omitempty"`
	Part   *Part    `json:"part,omitempty"`
	From   string   `json:"from,omitempty"`  // of a move to another parent: the one it leaves
	Below  []string `json:"below,omitempty"` // of a remove: the parts that go with it

	// Was is the old value of a set or unset. It is for people that look at a comparison and is not
	// stored: whoever folds events has it, and stored it could double an event.
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

// nesting is touched by every move to another parent: two of them could put each part into the other.
const nesting = "@nesting"

// Touches gives the keys of what a change touches: a field or an input, and behind an @ a place: the
// part's own, the one behind it, the first of a list, whether a collection is there. Two lists of
// changes made from the same definition give the same in either order if they have no key in common and
// none of a place that is above another's, but for the order of parts that both put into one place: there
// the last one comes first. An edit of what the other list removes has none in common with it and is
// lost: see [Overlap].
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

// Overlap gives the keys of b that touch what a touches, see [OverlapKeys]. None means that merging the
// two lists loses nothing of either.
func Overlap(a, b []Change) []string { return OverlapKeys(TouchedBy(a), TouchedBy(b)) }

func TouchedBy(changes []Change) []string {
	var keys []string
	for _, c := range changes {
		keys = append(keys, Touches(c)...)
	}
	return keys
}

// OverlapKeys gives the keys of b that touch what those of a do, in order, each once. It is stricter
// than comparing keys: a key stands for everything below it too, at a slash, so that an edit inside a
// part meets the removal of the part.
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
