package definition

import (
	"reflect"
	"slices"
	"strings"
)

// Side is the side whose change is taken when both have changed the same.
type Side string

// The sides of a merge.
const (
	Mine   Side = "MINE"
	Theirs Side = "THEIRS"
)

// MergeConflict is a difference between the changes that two sides made to the same.
type MergeConflict struct {
	Key    string   // see [Touches]; names the conflict when choosing a side
	Part   string   // id
	Path   []string // of a field; none for the part's place
	Mine   []Change
	Theirs []Change
}

// Merge merges two changed copies of a definition, part by part and field by field. For each conflict, take
// names the side to take; the others are returned, and mine is taken for them in the result. If both put parts
// into the same place, both stay, theirs first.
func Merge(base, mine, theirs *Part, take map[string]Side) (merged *Part, conflicts []MergeConflict) {
	m := merge{mine: changesOf(base, mine), theirs: changesOf(base, theirs), mineNow: mine, theirsNow: theirs}
	m.mine.changes = slices.DeleteFunc(m.mine.changes, m.theirs.has)
	drop := map[Side]map[int]bool{Mine: {}, Theirs: {}}
	for _, key := range m.find() {
		c := m.conflicts[key]
		switch side := take[key]; side {
		case Theirs:
			mark(drop[Mine], c.mine)
			continue
		case Mine:
		default:
			conflicts = append(conflicts, MergeConflict{Key: key, Part: c.part, Path: c.path,
				Mine: pickChanges(m.mine.changes, c.mine), Theirs: pickChanges(m.theirs.changes, c.theirs)})
		}
		mark(drop[Theirs], c.theirs)
	}
	merged = Apply(base, m.theirs.without(drop[Theirs]))
	for _, c := range m.mine.without(drop[Mine]) {
		merged = Apply(merged, []Change{behind(c, merged, mine)})
	}
	return merged, conflicts
}

// side is one side's changes.
type side struct {
	changes []Change
	now     map[string]sibling
}

func changesOf(base, now *Part) side { return side{Diff(base, now), siblingsByID(now)} }

// has reports whether the side has made the very same change.
func (s side) has(c Change) bool {
	return slices.ContainsFunc(s.changes, func(o Change) bool {
		switch {
		case c.Op == RemoveOp:
			return s.removes(o, c.Node)
		case o.Op != c.Op || o.Node != c.Node || o.List != c.List || o.Parent != c.Parent || o.After != c.After ||
			!slices.Equal(o.Path, c.Path):
			return false
		}
		return reflect.DeepEqual(o.Value, c.Value) && o.Part.Equal(c.Part)
	})
}

// removes reports whether a change of the side removes a part for good.
func (s side) removes(c Change, id string) bool {
	if c.Op != RemoveOp || c.Node != id && !slices.Contains(c.Below, id) {
		return false
	}
	_, lives := s.now[id]
	return !lives
}

func (s side) without(drop map[int]bool) []Change {
	var kept []Change
	for i, c := range s.changes {
		if !drop[i] {
			kept = append(kept, c)
		}
	}
	return kept
}

func mark(set map[int]bool, indexes []int) {
	for _, i := range indexes {
		set[i] = true
	}
}

func pickChanges(changes []Change, indexes []int) []Change {
	var picked []Change
	for _, i := range indexes {
		picked = append(picked, changes[i])
	}
	return picked
}

type merge struct {
	mine, theirs       side
	mineNow, theirsNow *Part
	conflicts          map[string]*clash
}

// clash holds the places of conflicting changes.
type clash struct {
	conflictPlace
	mine, theirs []int
}

// conflictPlace is a part's place, or a field of it.
type conflictPlace struct {
	part string
	path []string
}

// find returns the keys of conflicting changes, in the order of mine.
func (m *merge) find() (keys []string) {
	m.conflicts = map[string]*clash{}
	for i, x := range m.mine.changes {
		for j, y := range m.theirs.changes {
			at, clashes := m.clash(x, y)
			if !clashes {
				continue
			}
			key := at.part + "/@place"
			if len(at.path) > 0 {
				key = at.part + "/" + strings.Join(at.path, "/")
			}
			c := m.conflicts[key]
			if c == nil {
				c = &clash{conflictPlace: at}
				m.conflicts[key] = c
				keys = append(keys, key)
			}
			if !slices.Contains(c.mine, i) {
				c.mine = append(c.mine, i)
			}
			if !slices.Contains(c.theirs, j) {
				c.theirs = append(c.theirs, j)
			}
		}
	}
	return keys
}

// clash reports whether two changes contradict each other, and returns the place.
func (m *merge) clash(x, y Change) (at conflictPlace, clashes bool) {
	switch {
	case x.Op == RemoveOp && y.Op == RemoveOp:
	case x.Op == RemoveOp:
		return m.mine.loses(x, y)
	case y.Op == RemoveOp:
		return m.theirs.loses(y, x)
	case x.Op == MoveOp && y.Op == MoveOp:
		return conflictPlace{part: x.Node}, x.Node == y.Node ||
			m.mineNow.holds(y.Node, x.Parent) && m.theirsNow.holds(x.Node, y.Parent)
	case x.setsField() && y.setsField() && x.Node == y.Node:
		n := min(len(x.Path), len(y.Path))
		return conflictPlace{x.Node, x.Path}, slices.Equal(x.Path[:n], y.Path[:n])
	}
	return conflictPlace{}, false
}

func (c Change) setsField() bool { return (c.Op == SetOp || c.Op == UnsetOp) && len(c.Path) > 0 }

// loses reports whether a removal of this side removes the subject of a change.
func (s side) loses(removal, c Change) (at conflictPlace, clashes bool) {
	switch {
	case c.setsField():
		return conflictPlace{c.Node, c.Path}, s.removes(removal, c.Node)
	case c.Op == MoveOp:
		return conflictPlace{part: c.Node}, s.removes(removal, c.Node) || s.removes(removal, c.Parent)
	case c.Op == AddOp:
		return conflictPlace{part: c.Part.ID}, s.removes(removal, c.Parent)
	}
	return conflictPlace{}, false
}

// holds reports whether a part is another one or stands in it.
func (n *Part) holds(part, inner string) bool {
	p := n.Find(part)
	return p != nil && p.Find(inner) != nil
}

// behind re-anchors a change after the nearest preceding sibling that still exists.
func behind(c Change, in, order *Part) Change {
	if c.After == "" || c.Op != AddOp && c.Op != MoveOp {
		return c
	}
	there := map[string]bool{}
	if parent := in.Find(c.Parent); parent != nil {
		for _, n := range parent.Children[c.List] {
			there[n.ID] = true
		}
	}
	siblings := order.Find(c.Parent)
	for !there[c.After] {
		i := slices.IndexFunc(siblings.Children[c.List], func(n *Part) bool { return n.ID == c.After })
		if i <= 0 {
			c.After = ""
			return c
		}
		c.After = siblings.Children[c.List][i-1].ID
	}
	return c
}
