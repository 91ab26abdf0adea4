package domain

import (
	"maps"
	"slices"
)

// Apply gives the definition after the changes. A change that addresses what is not there is
// skipped: a summary holds only some of the parts, and see [Overlap] for merging.
func Apply(def *Node, changes []Change) *Node {
	if len(changes) == 0 {
		return def
	}
	t := &tree{parts: map[string]*growing{}}
	t.root = t.grow(def, nil, "")
	t.parts[""] = t.root
	for _, c := range changes {
		t.apply(c)
	}
	return t.root.settle()
}

// tree is a definition that is being changed; the nodes that it grew from stay as they are.
type tree struct {
	root  *growing
	parts map[string]*growing
}

type growing struct {
	node    *Node
	fields  map[string]any // nil: the node's
	lists   map[string][]*growing
	parent  *growing
	list    string
	changed bool
}

func (t *tree) grow(n *Node, parent *growing, list string) *growing {
	p := &growing{node: n, parent: parent, list: list}
	if parent != nil && n.ID != "" {
		t.parts[n.ID] = p
	}
	if n.Children != nil {
		p.lists = make(map[string][]*growing, len(n.Children))
	}
	for key, children := range n.Children {
		p.lists[key] = make([]*growing, 0, len(children))
		for _, child := range children {
			p.lists[key] = append(p.lists[key], t.grow(child, p, key))
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
	to.insert(t.grow(t.unknown(c.Part), to, c.List), c.List, c.After)
}

// unknown gives a part without the parts below it that are in the tree already.
func (t *tree) unknown(n *Node) *Node {
	for list, children := range n.Children {
		kept := make([]*Node, 0, len(children))
		for _, child := range children {
			if t.parts[child.ID] == nil {
				kept = append(kept, t.unknown(child))
			}
		}
		if !slices.Equal(kept, children) {
			n = &Node{ID: n.ID, Fields: n.Fields, Children: maps.Clone(n.Children), lines: n.lines}
			n.Children[list] = kept
		}
	}
	return n
}

func (t *tree) forget(p *growing) {
	delete(t.parts, p.node.ID)
	for _, children := range p.lists {
		for _, child := range children {
			t.forget(child)
		}
	}
}

func (p *growing) touch() {
	if p.fields == nil {
		if p.fields = p.node.Fields; p.fields == nil {
			p.fields = map[string]any{}
		}
	}
	p.changed = true
}

func (p *growing) within(ancestor *growing) bool {
	for ; p != nil; p = p.parent {
		if p == ancestor {
			return true
		}
	}
	return false
}

func (p *growing) leave() {
	from := p.parent
	from.lists[p.list] = slices.DeleteFunc(from.lists[p.list], func(x *growing) bool { return x == p })
	from.changed = true
}

// insert puts a part behind another one, or first; at the end if the other one is not there.
func (p *growing) insert(child *growing, list, after string) {
	at := 0
	if after != "" {
		i := slices.IndexFunc(p.lists[list], func(x *growing) bool { return x.node.ID == after })
		if at = i + 1; i < 0 {
			at = len(p.lists[list])
		}
	}
	if p.lists == nil {
		p.lists = map[string][]*growing{}
	}
	p.lists[list] = slices.Insert(p.lists[list], at, child)
	p.changed, child.parent, child.list = true, p, list
}

func (p *growing) ensure(list string) {
	p.touch()
	if list == inputsField {
		if _, there := p.fields[list]; !there {
			p.fields = setAt(p.fields, []string{list}, map[string]any{})
		}
	} else if _, there := p.lists[list]; !there {
		if p.lists == nil {
			p.lists = map[string][]*growing{}
		}
		p.lists[list] = []*growing{}
	}
}

func (p *growing) drop(list string) {
	p.touch()
	if list != inputsField {
		if len(p.lists[list]) == 0 {
			delete(p.lists, list)
		}
	} else if m, is := p.fields[list].(map[string]any); is && len(m) == 0 {
		p.fields = unsetAt(p.fields, []string{list})
	}
}

// settle gives the node of a part, the very same one where nothing changed.
func (p *growing) settle() *Node {
	changed := p.changed
	lists := make(map[string][]*Node, len(p.lists))
	for key, children := range p.lists {
		lists[key] = make([]*Node, len(children))
		for i, child := range children {
			lists[key][i] = child.settle()
		}
		changed = changed || !slices.Equal(lists[key], p.node.Children[key])
	}
	if !changed {
		return p.node
	}
	n := &Node{ID: p.node.ID, Fields: p.fields, lines: p.node.lines}
	if p.fields == nil {
		n.Fields = p.node.Fields
	}
	if len(lists) > 0 {
		n.Children = lists
	}
	return n
}

// setAt gives a copy of m with a value at a path; maps on the way are copied, or made.
func setAt(m map[string]any, path []string, v any) map[string]any {
	c := make(map[string]any, len(m)+1)
	maps.Copy(c, m)
	if len(path) > 1 {
		below, _ := m[path[0]].(map[string]any)
		v = setAt(below, path[1:], v)
	}
	c[path[0]] = v
	return c
}

// unsetAt gives m without what is at a path.
func unsetAt(m map[string]any, path []string) map[string]any {
	below, isMap := m[path[0]].(map[string]any)
	if len(path) > 1 && !isMap {
		return m
	}
	c := maps.Clone(m)
	if len(path) > 1 {
		c[path[0]] = unsetAt(below, path[1:])
	} else {
		delete(c, path[0])
	}
	return c
}

// Summary keeps of a definition what lists of integrations show: the names and kinds of the root and
// of each flow, and what triggers the flow. Folding changes over a summary is summing up again what
// Apply gives.
func Summary(def *Node) *Node {
	s := &Node{ID: def.ID, Fields: pick(def, "name", "description", "category", "labels", "endpointType", "definitionVersion")}
	if flows, there := def.Children[flowList]; there {
		list := make([]*Node, len(flows))
		for i, flow := range flows {
			list[i] = summarizeFlow(flow)
		}
		s.Children = map[string][]*Node{flowList: list}
	}
	return s
}

func summarizeFlow(flow *Node) *Node {
	s := &Node{ID: flow.ID, Fields: pick(flow, "name", "description", "isSynchronous", "endpointSecurityType", "stableKey")}
	var triggers []*Node
	for _, step := range flow.Steps() {
		if step.IsTrigger() {
			triggers = append(triggers, &Node{ID: step.ID, Fields: pick(step, "action", "isTrigger")})
		}
	}
	if triggers != nil {
		s.Children = map[string][]*Node{stepList: triggers}
	}
	return s
}

func pick(n *Node, keys ...string) map[string]any {
	m := map[string]any{}
	for _, key := range keys {
		if v, there := n.Fields[key]; there {
			m[key] = v
		}
	}
	return m
}
