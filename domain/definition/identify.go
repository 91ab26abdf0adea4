package definition

import (
	"iter"
	"maps"
)

// Identify assigns an id to every part of a definition. A part that matches one of old (nil if there is none)
// takes its id: the part with the same stableKey, else the one that renameAttributes names, else the one of the
// same name — steps anywhere in the same flow, so that a step moved into a branch is still the same. All other
// parts get an id from newID. A trigger never matches another step. The result no longer knows the lines of a
// text, as edits would soon make them wrong: [Check] a parsed definition before. Source: the format's stableKey
// and renameAttributes; it has no ids of its own.
func Identify(def, old *Part, newID func() string) *Part {
	if old == nil {
		old = &Part{}
	}
	i := matcher{same: map[*Part]*Part{}, taken: map[*Part]bool{}, newID: newID}
	names := renamed(def)
	i.match(def.Flows(), old.Flows(), (*Part).Name, names[flowList])
	i.match(def.ConfigVars(), old.ConfigVars(), (*Part).Key, names[configVarList])
	i.match(def.Pages(), old.Pages(), (*Part).Name, nil)
	for _, flow := range def.Flows() {
		if was := i.same[flow]; was != nil {
			i.flow(flow, was)
		}
	}
	return i.give(def, old.ID)
}

// matcher pairs the parts of a new definition with those of an old one.
type matcher struct {
	same  map[*Part]*Part // from new to old
	taken map[*Part]bool  // old parts that are paired
	newID func() string
}

func (i *matcher) pair(part, was *Part) {
	i.same[part], i.taken[was] = was, true
}

func (i *matcher) flow(flow, was *Part) {
	names := renamed(flow)[stepList]
	triggers, steps := stepsOf(flow)
	oldTriggers, oldSteps := stepsOf(was)
	i.match(triggers, oldTriggers, (*Part).Name, names)
	i.match(steps, oldSteps, (*Part).Name, names)
	// A flow has one trigger; it stays the same whatever it is called.
	if len(triggers) == 1 && len(oldTriggers) == 1 && i.same[triggers[0]] == nil && !i.taken[oldTriggers[0]] {
		i.pair(triggers[0], oldTriggers[0])
	}
	for _, list := range [][]*Part{triggers, steps} {
		for _, step := range list {
			if was := i.same[step]; was != nil {
				i.match(step.Branches(), was.Branches(), (*Part).Name, nil)
			}
		}
	}
}

// stepsOf returns all steps of a flow, at any depth, triggers apart.
func stepsOf(flow *Part) (triggers, steps []*Part) {
	for s := range walkSteps(flow) {
		if s.IsTrigger() {
			triggers = append(triggers, s)
		} else {
			steps = append(steps, s)
		}
	}
	return triggers, steps
}

// walkSteps yields the steps below a flow, step or branch in the order in which they can run.
func walkSteps(n *Part) iter.Seq[*Part] {
	var walk func(n *Part, yield func(*Part) bool) bool
	walk = func(n *Part, yield func(*Part) bool) bool {
		for _, s := range n.Steps() {
			if !yield(s) || !walk(s, yield) {
				return false
			}
		}
		for _, b := range n.Branches() {
			if !walk(b, yield) {
				return false
			}
		}
		return true
	}
	return func(yield func(*Part) bool) { walk(n, yield) }
}

// match pairs parts by stableKey, then by rename, then by name; parts of one name by their order.
func (i *matcher) match(parts, olds []*Part, name func(*Part) string, oldNames map[string]string) {
	stableKey := func(n *Part) string { return n.Text("stableKey") }
	i.by(stableKey, stableKey, parts, olds)
	present, before := map[string]bool{}, map[string]bool{}
	for _, p := range parts {
		present[name(p)] = true
	}
	for _, o := range olds {
		before[name(o)] = true
	}
	i.by(func(p *Part) string {
		// If the old name is in use again, or the new name existed already, the rename is a past one.
		if from := oldNames[name(p)]; !present[from] && !before[name(p)] {
			return from
		}
		return ""
	}, name, parts, olds)
	i.by(name, name, parts, olds)
}

// by pairs the parts with the unpaired old ones that have the same, not empty, name.
func (i *matcher) by(name, oldName func(*Part) string, parts, olds []*Part) {
	free := map[string][]*Part{}
	for _, o := range olds {
		if !i.taken[o] && oldName(o) != "" {
			free[oldName(o)] = append(free[oldName(o)], o)
		}
	}
	for _, p := range parts {
		if candidates := free[name(p)]; i.same[p] == nil && len(candidates) > 0 {
			i.pair(p, candidates[0])
			free[name(p)] = candidates[1:]
		}
	}
}

// give returns the tree with ids.
func (i *matcher) give(n *Part, id string) *Part {
	c := &Part{ID: id, Fields: n.Fields}
	if n.Children != nil {
		c.Children = maps.Clone(n.Children)
	}
	for _, key := range keysOf(n.Children) {
		list := make([]*Part, len(n.Children[key]))
		for k, child := range n.Children[key] {
			if was := i.same[child]; was != nil {
				list[k] = i.give(child, was.ID)
			} else {
				list[k] = i.give(child, i.newID())
			}
		}
		c.Children[key] = list
	}
	return c
}

// renamed reads renameAttributes: old name by new name, per list.
func renamed(n *Part) map[string]map[string]string {
	all := map[string]map[string]string{}
	for list, v := range n.Map("renameAttributes") {
		items, _ := v.([]any)
		all[list] = map[string]string{}
		for _, item := range items {
			m, _ := item.(map[string]any)
			from, _ := m["oldName"].(string)
			to, _ := m["newName"].(string)
			if from != "" && to != "" {
				all[list][to] = from
			}
		}
	}
	return all
}
