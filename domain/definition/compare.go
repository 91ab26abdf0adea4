package definition

// PartDifference is the difference of one part between two definitions.
type PartDifference struct {
	ID      string // empty for the integration itself
	Kind    string // integration, flow, step, branch, config variable or config page
	Name    string // a config variable's key
	Flow    string // name of the flow that it is in, empty outside flows
	New     bool
	Deleted bool
	Moved   bool
	WasName string // the name before, if different
	Fields  []FieldDifference
}

// FieldDifference is a field or an input of a part that changed.
type FieldDifference struct {
	Path   []string // field key, or "inputs" and the input's name
	Before any
	After  any
	Set    bool // it exists now
	WasSet bool // it existed before
}

// Modified reports whether a part on both sides has changed.
func (p PartDifference) Modified() bool { return len(p.Fields) > 0 && !p.New && !p.Deleted }

// Compare returns the differences of two definitions for people: parts in the order of the new one, then
// removed ones. Parts are compared by id, as by [Diff].
func Compare(old, new *Part) []PartDifference {
	before, now := partsByID(old), partsByID(new)
	found := map[string]*PartDifference{}
	at := func(id string) *PartDifference {
		if found[id] == nil {
			found[id] = &PartDifference{}
		}
		return found[id]
	}
	for _, c := range Diff(old, new) {
		switch {
		case c.Op == MoveOp:
			at(c.Node).Moved = true
		case len(c.Path) > 0 && now[c.Node].node != nil:
			_, was := before[c.Node].node.Field(c.Path)
			at(c.Node).Fields = append(at(c.Node).Fields, FieldDifference{Path: c.Path, Before: c.Was, After: c.Value,
				Set: c.Op == SetOp, WasSet: was})
		}
	}
	var all []PartDifference
	for n := range new.All() {
		if was, there := before[n.ID]; !there {
			at(n.ID).New = true
		} else if found[n.ID] != nil && label(was.node) != label(n) {
			found[n.ID].WasName = label(was.node)
		}
		if p := found[n.ID]; p != nil {
			all = append(all, p.of(now[n.ID]))
		}
	}
	for n := range old.All() {
		if _, stays := now[n.ID]; !stays {
			p := PartDifference{Deleted: true}
			all = append(all, p.of(before[n.ID]))
		}
	}
	return all
}

func (p PartDifference) of(k located) PartDifference {
	p.ID, p.Kind, p.Name = k.node.ID, string(k.kind), label(k.node)
	if k.kind != flowPart {
		p.Flow = k.flow
	}
	return p
}

// label is a part's name for people.
func label(n *Part) string {
	if key := n.Key(); key != "" {
		return key
	}
	return n.Name()
}

// Field returns the value of a part at the path of a change.
func (n *Part) Field(path []string) (v any, there bool) {
	if n == nil {
		return nil, false
	}
	if len(path) == 1 {
		v, there = n.Fields[path[0]]
	} else {
		v, there = n.Inputs()[path[1]]
	}
	return v, there
}
