package definition

import (
	"maps"
	"slices"
)

type mutable struct {
	node    *Part
	fields  map[string]any // nil: the node's
	lists   map[string][]*mutable
	parent  *mutable
	list    string
	changed bool
}

func (p *mutable) touch() {
	if p.fields == nil {
		if p.fields = p.node.Fields; p.fields == nil {
			p.fields = map[string]any{}
		}
	}
	p.changed = true
}

func (p *mutable) within(ancestor *mutable) bool {
	for ; p != nil; p = p.parent {
		if p == ancestor {
			return true
		}
	}
	return false
}

func (p *mutable) leave() {
	from := p.parent
	from.lists[p.list] = slices.DeleteFunc(from.lists[p.list], func(x *mutable) bool { return x == p })
	from.changed = true
}

// insert puts a part behind another one, or first; at the end if the other one is missing.
func (p *mutable) insert(child *mutable, list, after string) {
	at := 0
	if after != "" {
		i := slices.IndexFunc(p.lists[list], func(x *mutable) bool { return x.node.ID == after })
		if at = i + 1; i < 0 {
			at = len(p.lists[list])
		}
	}
	if p.lists == nil {
		p.lists = map[string][]*mutable{}
	}
	p.lists[list] = slices.Insert(p.lists[list], at, child)
	p.changed, child.parent, child.list = true, p, list
}

func (p *mutable) ensure(list string) {
	p.touch()
	if list == inputsField {
		if _, there := p.fields[list]; !there {
			p.fields = setAt(p.fields, []string{list}, map[string]any{})
		}
	} else if _, there := p.lists[list]; !there {
		if p.lists == nil {
			p.lists = map[string][]*mutable{}
		}
		p.lists[list] = []*mutable{}
	}
}

func (p *mutable) drop(list string) {
	p.touch()
	if list != inputsField {
		if len(p.lists[list]) == 0 {
			delete(p.lists, list)
		}
	} else if m, is := p.fields[list].(map[string]any); is && len(m) == 0 {
		p.fields = unsetAt(p.fields, []string{list})
	}
}

// freeze returns the node of a part, the original one if nothing changed.
func (p *mutable) freeze() *Part {
	changed := p.changed
	lists := make(map[string][]*Part, len(p.lists))
	for key, children := range p.lists {
		lists[key] = make([]*Part, len(children))
		for i, child := range children {
			lists[key][i] = child.freeze()
		}
		changed = changed || !slices.Equal(lists[key], p.node.Children[key])
	}
	if !changed {
		return p.node
	}
	n := &Part{ID: p.node.ID, Fields: p.fields}
	if p.fields == nil {
		n.Fields = p.node.Fields
	}
	if len(lists) > 0 {
		n.Children = lists
	}
	return n
}

// setAt returns a copy of m with a value at a path; maps on the way are copied, or made.
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

// unsetAt returns m without the value at a path.
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
