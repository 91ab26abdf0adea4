package definition

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// newNames are the new identifiers of a flow's steps and the new keys of config variables, by the old ones.
type newNames struct {
	steps map[string]string
	vars  map[string]string
}

// followRenames updates the references of inputs to steps of their flow and to config variables that were
// renamed since old. If something else has the old name now, references keep referring to that.
func followRenames(old, new *Part) *Part {
	before := partsByID(old)
	vars := newNamesOf(new.ConfigVars(), func(n *Part) (string, string) { return before[n.ID].key(), n.Key() })
	var changes []Change
	for _, v := range new.ConfigVars() {
		changes = append(changes, newNames{vars: vars}.follow(v)...)
	}
	for _, flow := range new.Flows() {
		steps := slices.DeleteFunc(slices.Collect(flow.All()), func(n *Part) bool { return n.Fields["action"] == nil })
		r := newNames{vars: vars, steps: newNamesOf(steps, func(n *Part) (string, string) {
			return before[n.ID].identifier(), Identifier(n.Name())
		})}
		if len(r.steps)+len(r.vars) == 0 {
			continue
		}
		for n := range flow.All() {
			changes = append(changes, r.follow(n)...)
		}
	}
	if len(changes) == 0 {
		return new
	}
	return Apply(new, changes)
}

func (k located) key() string {
	if k.node == nil {
		return ""
	}
	return k.node.Key()
}

func (k located) identifier() string {
	if k.node == nil {
		return ""
	}
	return Identifier(k.node.Name())
}

// newNamesOf returns the new names by the old ones that are no longer in use.
func newNamesOf(parts []*Part, names func(*Part) (was, is string)) map[string]string {
	all, taken := map[string]string{}, map[string]bool{}
	for _, n := range parts {
		was, is := names(n)
		if taken[is] = true; was != "" && was != is {
			all[was] = is
		}
	}
	maps.DeleteFunc(all, func(was, _ string) bool { return taken[was] })
	return all
}

// follow returns the changes to the references of one part.
func (r newNames) follow(n *Part) (changes []Change) {
	set := func(v any, path ...string) {
		if in, is := v.(map[string]any); is {
			if now := r.input(in); !reflect.DeepEqual(now, in) {
				changes = append(changes, Change{Op: SetOp, Node: n.ID, Path: path, Value: now})
			}
		}
	}
	for _, name := range keysOf(n.Inputs()) {
		set(n.Inputs()[name], inputsField, name)
	}
	set(n.Fields["schedule"], "schedule")
	if queue := n.Map("queueConfig"); queue != nil {
		if in, is := queue["dedupeIdField"].(map[string]any); is {
			now := maps.Clone(queue)
			if now["dedupeIdField"] = r.input(in); !reflect.DeepEqual(now, queue) {
				changes = append(changes, Change{Op: SetOp, Node: n.ID, Path: []string{"queueConfig"}, Value: now})
			}
		}
	}
	return changes
}

// input returns an input with the new names.
func (r newNames) input(in map[string]any) map[string]any {
	now := maps.Clone(in)
	if name, computed := in["name"].(map[string]any); computed {
		now["name"] = r.input(name)
	}
	text, isText := in["value"].(string)
	switch {
	case in["type"] == "complex":
		now["value"] = r.items(in["value"])
	case !isText:
	case in["type"] == "configVar":
		now["value"] = other(r.vars, text)
	case in["type"] == "reference":
		now["value"] = r.path(text)
	case in["type"] == "template":
		now["value"] = r.template(text)
	}
	return now
}

func (r newNames) items(v any) any {
	list, is := v.([]any)
	if !is {
		return v
	}
	now := make([]any, len(list))
	for i, item := range list {
		if in, is := item.(map[string]any); is {
			now[i] = r.input(in)
		} else {
			now[i] = r.items(item)
		}
	}
	return now
}

// path returns a reference with the new name of its step; the rest of it stays as it was written.
func (r newNames) path(text string) string {
	path, err := ParsePath(text)
	if err != nil {
		return text
	}
	return other(r.steps, path.Step) + strings.TrimPrefix(text, path.Step)
}

func (r newNames) template(text string) string {
	var b strings.Builder
	for _, part := range ParseTemplate(text) {
		switch part.Kind {
		case PathSegment:
			b.WriteString("{{$" + r.path(part.Text) + "}}")
		case ConfigVarSegment:
			b.WriteString("{{#" + other(r.vars, part.Text) + "}}")
		default:
			b.WriteString(part.Text)
		}
	}
	return b.String()
}

// other returns the new name of a renamed part.
func other(names map[string]string, name string) string {
	if now, there := names[name]; there {
		return now
	}
	return name
}
