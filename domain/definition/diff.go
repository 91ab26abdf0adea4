package definition

// Diff returns the changes that make new of old. Parts are compared by id, so both must have come from
// [Identify] or [Apply]; inputs are compared one by one, every other field as a whole.
func Diff(old, new *Part) []Change {
	d := &differ{old: siblingsByID(old), new: siblingsByID(new)}
	d.node(old, new)
	d.removals(old)
	return append(d.changes, d.drops...)
}

// sibling is a part with its parent and list.
type sibling struct {
	node   *Part
	parent string
	list   string
}

// siblingsByID returns every part below the root by id.
func siblingsByID(root *Part) map[string]sibling {
	all := map[string]sibling{}
	for n := range root.All() {
		for list, children := range n.Children {
			for _, child := range children {
				all[child.ID] = sibling{child, n.ID, list}
			}
		}
	}
	return all
}

type differ struct {
	old, new map[string]sibling
	changes  []Change
	drops    []Change // of collections: last, when they are empty
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

// node compares one part, then its lists from the first item to the last, parents before children: a moved or
// added part finds its parent and the part before it already in place, so no move can put a part into itself.
func (d *differ) node(old, new *Part) {
	d.fields(old, new)
	for _, list := range keysOf(old.Children, new.Children) {
		children, there := new.Children[list]
		_, was := old.Children[list]
		switch {
		case there && !was:
			d.add(Change{Op: SetOp, Node: new.ID, List: list})
		case was && !there:
			d.drops = append(d.drops, Change{Op: UnsetOp, Node: new.ID, List: list})
		}
		d.list(new.ID, list, old.Children[list], children)
	}
}

// list puts the children of one list into their places.
func (d *differ) list(parent, list string, before, children []*Part) {
	stay := staying(before, children)
	after := ""
	for _, child := range children {
		was, known := d.old[child.ID]
		switch {
		case !known:
			d.add(Change{Op: AddOp, Parent: parent, List: list, After: after, Part: d.onlyNew(child)})
			d.inside(child)
		case !stay[child.ID]:
			c := Change{Op: MoveOp, Node: child.ID, Parent: parent, List: list, After: after}
			if was.parent != parent {
				c.From = was.parent
			}
			d.add(c)
			fallthrough
		default:
			d.node(was.node, child)
		}
		after = child.ID
	}
}

// inside handles the parts that were moved into an added part.
func (d *differ) inside(n *Part) {
	for _, list := range keysOf(n.Children) {
		after := ""
		for _, child := range n.Children[list] {
			if was, known := d.old[child.ID]; known {
				d.add(Change{Op: MoveOp, Node: child.ID, Parent: n.ID, List: list, After: after, From: was.parent})
				d.node(was.node, child)
			} else {
				d.inside(child)
			}
			after = child.ID
		}
	}
}

// onlyNew returns an added part without the parts that are moved into it.
func (d *differ) onlyNew(n *Part) *Part {
	c := &Part{ID: n.ID, Fields: n.Fields}
	if n.Children != nil {
		c.Children = make(map[string][]*Part, len(n.Children))
	}
	for list, children := range n.Children {
		c.Children[list] = []*Part{}
		for _, child := range children {
			if _, known := d.old[child.ID]; !known {
				c.Children[list] = append(c.Children[list], d.onlyNew(child))
			}
		}
	}
	return c
}

// removals removes the missing parts. Parts that live on have been moved away before.
func (d *differ) removals(n *Part) {
	for _, list := range keysOf(n.Children) {
		for _, child := range n.Children[list] {
			if _, stays := d.new[child.ID]; stays {
				d.removals(child)
				continue
			}
			c := Change{Op: RemoveOp, Node: child.ID}
			for part := range child.All() {
				if part != child {
					c.Below = append(c.Below, part.ID)
				}
			}
			d.add(c)
			d.rescued(child)
		}
	}
}

// rescued looks for parts that live on inside a removed one and lost parts themselves.
func (d *differ) rescued(n *Part) {
	for _, list := range keysOf(n.Children) {
		for _, child := range n.Children[list] {
			if _, stays := d.new[child.ID]; stays {
				d.removals(child)
			} else {
				d.rescued(child)
			}
		}
	}
}
