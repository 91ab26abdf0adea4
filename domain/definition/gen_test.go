package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// maker draws definitions that Parse accepts, with ids, and changes them at random.
type maker struct {
	*rapid.T
	ids    int
	prefix string
}

func (m *maker) newID() string {
	m.ids++
	return fmt.Sprintf("%s%d", m.prefix, m.ids)
}

func (m *maker) n(label string, below int) int { return rapid.IntRange(0, below-1).Draw(m.T, label) }

// awkward are texts that YAML writers get wrong.
var awkward = []string{
	"", " ", "\n", "\n\n", "a", " a", "a ", "a\n", "a\n\n", "a\n\n\nb", "\na", "\n\n a", "  a\nb", "a\n  b\n",
	"a\n \n", "a\n ", "\ta\nb", "a\n\tb\t\n\t", "a\tb", "a: b", "a:", ": a", "a #b", "#a", "- a", "-", "?", "a\r\nb",
	"\r", "a\u2028b\nc", "\u0085", "\ufeffa", "\x00", "\x7f", "true", "No", "null", "~", "1", "1.0", "0x1F", "1e3",
	".inf", "2020-01-01", "12:30:45", "<<", "=", "'a'", `"a"`, `a\b`, "*a", "&a", "!a", "%a", "@a", "`a", "{a}", "[a]",
	"{{#a}} {{$b.results}}", "Größe 🚀", "---", "...", "a\n---\nb", "a\n...\n", "|", ">-\na", "yes\n",
	"function () {\n\n  return 1;\n}\n", strings.Repeat("word ", 40) + "end", strings.Repeat("two  spaces ", 20) + "x",
	strings.Repeat("x", 200), strings.Repeat("long ", 30) + "\n" + strings.Repeat("line ", 30),
	" " + strings.Repeat("word ", 40), strings.Repeat("a \tb ", 30), "# " + strings.Repeat("comment: ", 20) + "x",
	"k\uFFFDx", "\U0001FFFF",
}

func (m *maker) text() string {
	return rapid.OneOf(rapid.SampledFrom(awkward), rapid.String()).Draw(m.T, "text")
}

func (m *maker) value(depth int) any {
	kind := m.n("kind", 7)
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(m.T, "flag")
	case 2:
		return rapid.Int64().Draw(m.T, "int")
	case 3:
		return FieldValue(rapid.Float64().Draw(m.T, "float"))
	case 4:
		return m.text()
	case 5:
		list := make([]any, m.n("items", 4))
		for i := range list {
			list[i] = m.value(depth - 1)
		}
		return list
	}
	all := map[string]any{}
	for range m.n("keys", 4) {
		all[m.key()] = m.value(depth - 1)
	}
	return all
}

func (m *maker) key() string {
	key := m.text()
	for len(key) > maxKey || key == "type" || key == "name" {
		key = "k"
	}
	return key
}

func (m *maker) fields(known map[string]any) map[string]any {
	for range m.n("unknown fields", 3) {
		known["x-"+string("abc"[m.n("field", 3)])] = m.value(2)
	}
	return known
}

func (m *maker) inputs() map[string]any {
	in := map[string]any{}
	for range m.n("inputs", 4) {
		in[m.key()] = map[string]any{"type": "value", "value": m.value(2)}
	}
	return in
}

func (m *maker) name() string {
	return rapid.SampledFrom([]string{"Fetch", "Get a Queue's URL", "2nd", "yes", "Loop: each", "Größe",
		"Send #1"}).Draw(m.T, "name")
}

func (m *maker) step(depth int) *Part {
	component := map[string]any{"key": "http", "isPublic": true, "version": latest}
	s := &Part{ID: m.newID(), Fields: m.fields(map[string]any{
		"name": m.name(), "action": map[string]any{"key": "get", "component": component},
	})}
	if m.n("has inputs", 4) > 0 {
		s.Fields[inputsField] = m.inputs()
	}
	if depth > 0 && m.n("loop", 3) == 0 {
		s.Children = map[string][]*Part{stepList: m.steps(depth - 1)}
	}
	if depth > 0 && m.n("branch", 3) == 0 {
		branches := make([]*Part, m.n("branches", 3))
		for i := range branches {
			branches[i] = &Part{ID: m.newID(), Fields: m.fields(map[string]any{"name": m.name()}),
				Children: map[string][]*Part{stepList: m.steps(depth - 1)}}
		}
		s.Children = map[string][]*Part{branchList: branches}
	}
	return s
}

func (m *maker) steps(depth int) []*Part {
	steps := make([]*Part, m.n("steps", 4))
	for i := range steps {
		steps[i] = m.step(depth)
	}
	return steps
}

func (m *maker) flow() *Part {
	trigger := m.step(0)
	trigger.Fields["isTrigger"] = true
	return &Part{ID: m.newID(), Fields: m.fields(map[string]any{"name": m.name(), "isSynchronous": false}),
		Children: map[string][]*Part{stepList: append([]*Part{trigger}, m.steps(2)...)}}
}

func (m *maker) definition() *Part {
	def := &Part{
		Fields: m.fields(map[string]any{"name": "An integration", "definitionVersion": int64(7),
			"description": m.text()}),
		Children: map[string][]*Part{flowList: {m.flow()}},
	}
	for range m.n("more flows", 2) {
		def.Children[flowList] = append(def.Children[flowList], m.flow())
	}
	if m.n("config vars", 2) > 0 {
		def.Children[configVarList] = []*Part{}
		for range m.n("config var count", 3) {
			def.Children[configVarList] = append(def.Children[configVarList], m.configVar())
		}
	}
	return def
}

func (m *maker) configVar() *Part {
	return &Part{ID: m.newID(),
		Fields: m.fields(map[string]any{"key": m.name(), "dataType": "string", inputsField: m.inputs()})}
}

// deepCopy returns a tree that may be changed in place.
func deepCopy(n *Part) *Part {
	c := &Part{ID: n.ID, Fields: maps.Clone(n.Fields), lines: n.lines}
	if c.Fields == nil {
		c.Fields = map[string]any{}
	}
	if in, ok := c.Fields[inputsField].(map[string]any); ok {
		c.Fields[inputsField] = maps.Clone(in)
	}
	if n.Children != nil {
		c.Children = map[string][]*Part{}
	}
	for list, children := range n.Children {
		c.Children[list] = []*Part{}
		for _, child := range children {
			c.Children[list] = append(c.Children[list], deepCopy(child))
		}
	}
	return c
}

// mutate returns the definition after some random edits. Triggers stay the triggers of their flows.
func (m *maker) mutate(def *Part) *Part {
	def = deepCopy(def)
	for range 1 + m.n("edits", 4) {
		m.edit(def)
	}
	return def
}

func (m *maker) edit(def *Part) {
	all := slices.Collect(def.All())
	n := all[m.n("node", len(all))]
	lists := keysOf(n.Children)
	switch kind := m.n("edit", 9); {
	case kind == 0:
		n.Fields["x-"+string("abc"[m.n("field", 3)])] = m.value(1)
	case kind == 1:
		delete(n.Fields, "x-"+string("abc"[m.n("field", 3)]))
	case kind == 2 && n != def:
		n.Fields["name"] = m.text()
	case kind == 3:
		m.editInputs(n)
	case kind == 4 && len(lists) > 0: // add
		list := lists[m.n("list", len(lists))]
		made := map[string]func() *Part{
			flowList: m.flow, configVarList: m.configVar, stepList: func() *Part { return m.step(1) },
			branchList: func() *Part { return &Part{ID: m.newID(), Fields: map[string]any{"name": m.text()}} },
			pageList:   func() *Part { return &Part{ID: m.newID(), Fields: map[string]any{"name": m.text()}} },
		}[list]()
		insert(n, list, m.n("at", len(n.Children[list])+1), made)
	case kind == 5: // remove
		if p, list, i := parentOf(def, n); p != nil {
			p.Children[list] = slices.Delete(p.Children[list], i, i+1)
		}
	case kind == 6 || kind == 7: // move
		if p, list, i := parentOf(def, n); p != nil && !n.IsTrigger() {
			p.Children[list] = slices.Delete(p.Children[list], i, i+1)
			rest := slices.DeleteFunc(slices.Collect(def.All()), func(to *Part) bool {
				_, has := to.Children[list]
				return !has && to != p
			})
			to := rest[m.n("to", len(rest))]
			insert(to, list, m.n("at", len(to.Children[list])+1), n)
		}
	case kind == 8: // a list appears or goes
		if _, there := n.Children[stepList]; there {
			delete(n.Children, stepList)
		} else if n != def {
			n.Children = map[string][]*Part{stepList: {}}
		}
	}
}

func (m *maker) editInputs(n *Part) {
	in, there := n.Fields[inputsField].(map[string]any)
	names := keysOf(in)
	switch kind := m.n("input edit", 4); {
	case kind == 0 && there:
		delete(n.Fields, inputsField)
	case kind == 1 && len(names) > 0:
		delete(in, names[m.n("input", len(names))])
	case !there:
		n.Fields[inputsField] = m.inputs()
	default:
		in[m.key()] = map[string]any{"type": "value", "value": m.text()}
	}
}

func insert(n *Part, list string, at int, child *Part) {
	if n.Children == nil {
		n.Children = map[string][]*Part{}
	}
	n.Children[list] = slices.Insert(n.Children[list], at, child)
}

func parentOf(def, n *Part) (parent *Part, list string, at int) {
	for p := range def.All() {
		for list, children := range p.Children {
			if i := slices.Index(children, n); i >= 0 {
				return p, list, i
			}
		}
	}
	return nil, "", 0
}
