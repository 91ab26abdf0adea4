package definition

import (
	"fmt"
	"slices"
	"strings"

	"heddle/domain/refusal"
)

// Edit makes changes that were put together by hand. It refuses changes of missing parts, which [Apply] would
// skip, and values that no definition can hold. References are left to [Check], as a definition under edit is
// often incomplete. References to a renamed part follow it. The changes are returned complete, without those
// that have no effect.
func Edit(def *Part, changes []Change, limits Limits) ([]Change, error) {
	edited := def
	for _, c := range changes {
		if err := addressable(edited, c); err != nil {
			return nil, err
		}
		edited = Apply(edited, []Change{c})
	}
	edited = followRenames(def, Tidy(edited))
	if f := structure(edited); len(f.problems) > 0 {
		return nil, f.problems
	}
	complete := Diff(def, edited)
	if len(complete) == 0 {
		return nil, nil
	}
	return complete, limits.Allow(edited)
}

// addressable refuses a change whose parts are not where it says.
func addressable(def *Part, c Change) error {
	parts := partsByID(def)
	part, there := parts[c.Node]
	if c.Op != AddOp && !there {
		return refusal.New(refusal.NotFound, "there is no part %q in the draft", c.Node)
	}
	switch c.Op {
	case SetOp, UnsetOp:
		return settable(part, c)
	case AddOp:
		if err := receives(parts, c); err != nil {
			return err
		}
		if c.Part == nil {
			return refusal.ForField(refusal.Invalid, "part", "give the part that is to be added")
		}
		for n := range c.Part.All() {
			if _, taken := parts[n.ID]; taken || n.ID == "" {
				return refusal.ForField(refusal.Conflict, "node", "the id %q is that of another part; choose a new one",
					n.ID)
			}
		}
		return nil
	case RemoveOp, MoveOp:
		if c.Node == "" {
			return refusal.ForField(refusal.Invalid, "node",
				"the integration itself can't be removed or moved; name a part of it")
		}
		if c.Op == RemoveOp {
			return nil
		}
		if err := receives(parts, c); err != nil {
			return err
		}
		if childLists[parts[c.Parent].kind][c.List] != part.kind {
			return refusal.ForField(refusal.Invalid, "list", "a %s can't be moved to %s", part.kind, c.List)
		}
		if c.After == c.Node || part.node.Find(c.Parent) != nil {
			return refusal.ForField(refusal.Invalid, "parent", "a part can't be moved into or behind itself")
		}
		return nil
	}
	return refusal.ForField(refusal.Invalid, "op",
		"%q is no operation; the operations are set, unset, add, remove and move", c.Op)
}

// CheckPlace refuses a place that no edit can set: that of a part or, with a path, of a field of it.
func CheckPlace(def *Part, id string, path []string) error {
	part, there := partsByID(def)[id]
	if !there {
		return refusal.ForField(refusal.NotFound, "part", "there is no part %q in the draft", id)
	}
	if len(path) == 0 {
		return nil
	}
	return settable(part, Change{Path: path})
}

func settable(part located, c Change) error {
	_, isList := childLists[part.kind][c.List]
	switch {
	case len(c.Path) == 0 && (isList || c.List == inputsField):
		return nil
	case len(c.Path) == 1 || len(c.Path) == 2 && c.Path[0] == inputsField:
		return nil
	}
	return refusal.ForField(refusal.Invalid, "path",
		"%q is no place in a %s: give the key of a field, or inputs and the name of an input",
		strings.Join(c.Path, "."), part.kind)
}

// receives refuses to put a part into a missing list.
func receives(parts map[string]located, c Change) error {
	parent, there := parts[c.Parent]
	if !there {
		return refusal.New(refusal.NotFound, "there is no part %q in the draft to put anything into", c.Parent)
	}
	if _, known := childLists[parent.kind][c.List]; !known {
		return refusal.ForField(refusal.Invalid, "list", "a %s has no list %q", parent.kind, c.List)
	}
	if c.After != "" && !slices.ContainsFunc(parent.node.Children[c.List], func(n *Part) bool {
		return n.ID == c.After
	}) {
		return refusal.New(refusal.NotFound, "there is no part %q in that list of the draft to put anything behind",
			c.After)
	}
	return nil
}

// located is a part with its kind and flow.
type located struct {
	node *Part
	kind partKind
	flow string // name of the flow that it is in
}

// partsByID returns every part by id, the root under "".
func partsByID(def *Part) map[string]located {
	all := map[string]located{}
	var walk func(k located)
	walk = func(k located) {
		all[k.node.ID] = k
		for list, children := range k.node.Children {
			for _, child := range children {
				below := located{child, childLists[k.kind][list], k.flow}
				if below.kind == flowPart {
					below.flow = child.Name()
				}
				walk(below)
			}
		}
	}
	walk(located{node: def, kind: rootPart})
	return all
}

// NewPart makes a part for a list from its fields in the format, its own parts included. Each gets an id from
// newID, the part itself the first.
func NewPart(list string, said map[string]any, newID func() string) (*Part, error) {
	for _, lists := range childLists {
		if kind, known := lists[list]; known {
			return newPart(kind, said, newID)
		}
	}
	return nil, refusal.ForField(refusal.Invalid, "list", "%q is no list of parts", list)
}

func newPart(kind partKind, said map[string]any, newID func() string) (*Part, error) {
	n := &Part{ID: newID(), Fields: map[string]any{}}
	for _, key := range keysOf(said) {
		below, isList := childLists[kind][key]
		if !isList {
			n.Fields[key] = FieldValue(said[key])
			continue
		}
		items, is := said[key].([]any)
		if !is && said[key] != nil {
			return nil, refusal.ForField(refusal.Invalid, "part", "%s must be a list, each item a %s", key, below)
		}
		if n.Children == nil {
			n.Children = map[string][]*Part{}
		}
		n.Children[key] = []*Part{}
		for _, item := range items {
			m, is := item.(map[string]any)
			if !is {
				return nil, refusal.ForField(refusal.Invalid, "part",
					"each item of %s must be a map that describes a %s", key, below)
			}
			child, err := newPart(below, m, newID)
			if err != nil {
				return nil, err
			}
			n.Children[key] = append(n.Children[key], child)
		}
	}
	return n, nil
}

// Place describes a key of [Touches] for people.
func Place(def *Part, key string) string {
	id, path, _ := strings.Cut(key, "/")
	part, there := partsByID(def)[id]
	if !there {
		return "a part that is gone"
	}
	where := string(part.kind)
	if name := part.node.Name() + part.node.Key(); name != "" && id != "" {
		where = fmt.Sprintf("%s %q", part.kind, name)
	}
	if part.flow != "" && part.kind != flowPart {
		where += fmt.Sprintf(" of flow %q", part.flow)
	}
	switch {
	case strings.HasPrefix(path, "@"):
		return "what stands around " + where
	case path != "":
		return strings.ReplaceAll(path, "/", ".") + " of " + where
	}
	return where
}
