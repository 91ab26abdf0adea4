package definition

import (
	"maps"
	"slices"
)

// Apply returns the definition after the changes. It skips a change whose parts are missing: a summary holds
// only some of the parts, and see [Overlap] for merging.
func Apply(def *Part, changes []Change) *Part {
	if def == nil || !addressed(def, changes) {
		return def // as for most edits of a summary: not worth a mutable copy
	}
	t := &tree{parts: map[string]*mutable{}}
	t.root = t.thaw(def, nil, "")
	t.parts[""] = t.root
	for _, c := range changes {
		t.apply(c)
	}
	return t.root.freeze()
}

// addressed reports whether any of the changes concerns the node or a part below it.
func addressed(n *Part, changes []Change) bool {
	for _, c := range changes {
		if c.Node == n.ID && c.Op != AddOp || c.Parent == n.ID && (c.Op == AddOp || c.Op == MoveOp) {
			return true
		}
	}
	for _, children := range n.Children {
		for _, child := range children {
			if addressed(child, changes) {
				return true
			}
		}
	}
	return false
}

// tree is a definition under change; the original nodes stay as they are.
type tree struct {
	root  *mutable
	parts map[string]*mutable
}

func (t *tree) thaw(n *Part, parent *mutable, list string) *mutable {
	p := &mutable{node: n, parent: parent, list: list}
	if parent != nil && n.ID != "" {
		t.parts[n.ID] = p
	}
	if n.Children != nil {
		p.lists = make(map[string][]*mutable, len(n.Children))
	}
	for key, children := range n.Children {
		p.lists[key] = make([]*mutable, 0, len(children))
		for _, child := range children {
			p.lists[key] = append(p.lists[key], t.thaw(child, p, key))
		}
	}
	return p
}

func (t *tree) apply(c Change) {
	p := t.parts[c.Node]
	switch {
	case c.Op == AddOp:
		t.add(c)
	case p == nil:
	case c.Op == SetOp && len(c.Path) > 0:
		p.touch()
		p.fields = setAt(p.fields, c.Path, c.Value)
	case c.Op == SetOp:
		p.ensure(c.List)
	case c.Op == UnsetOp && len(c.Path) > 0:
		p.touch()
		p.fields = unsetAt(p.fields, c.Path)
	case c.Op == UnsetOp:
		p.drop(c.List)
	case c.Op == RemoveOp && p != t.root:
		p.leave()
		t.forget(p)
	case c.Op == MoveOp && p != t.root:
		if to := t.parts[c.Parent]; to != nil && !to.within(p) {
			p.leave()
			to.insert(p, c.List, c.After)
		}
	}
}

func (t *tree) add(c Change) {
	to := t.parts[c.Parent]
	if to == nil || c.Part == nil || t.parts[c.Part.ID] != nil {
		return
	}
	to.insert(t.thaw(t.unknown(c.Part), to, c.List), c.List, c.After)
}

// unknown returns a part without the parts below it that are in the tree already.
func (t *tree) unknown(n *Part) *Part {
	for list, children := range n.Children {
		kept := make([]*Part, 0, len(children))
		for _, child := range children {
			if t.parts[child.ID] == nil {
				kept = append(kept, t.unknown(child))
			}
		}
		if !slices.Equal(kept, children) {
			n = &Part{ID: n.ID, Fields: n.Fields, Children: maps.Clone(n.Children)}
			n.Children[list] = kept
		}
	}
	return n
}

func (t *tree) forget(p *mutable) {
	delete(t.parts, p.node.ID)
	for _, children := range p.lists {
		for _, child := range children {
			t.forget(child)
		}
	}
}
