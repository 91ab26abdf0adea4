package definition

import (
	"slices"
	"strconv"
	"strings"
)

// scope is the steps of a flow as seen from the current step.
type scope struct {
	order   map[string]int  // rank of each step by identifier, in the order in which they can run
	at      int             // rank of the current step
	around  map[string]bool // identifiers of the loops around it
	present map[string]string
}

// steps checks a list of steps in the order in which identifier numbered them.
func (c *checker) steps(flow location, steps []*Part, sc *scope) {
	for _, step := range steps {
		s := flow.part(step, stepPart)
		sc.at++
		inner := sc.enter(step)
		c.inputs(s, sc)
		if m := step.Map("schedule"); m["type"] == "configVar" {
			c.input(s.below("schedule"), m, sc)
		}
		c.steps(flow, step.Steps(), inner)
		sc.at = inner.at
		for _, branch := range step.Branches() {
			c.steps(flow, branch.Steps(), sc)
		}
	}
}

// enter returns the scope of a loop's body.
func (sc *scope) enter(loop *Part) *scope {
	inner := *sc
	inner.around = map[string]bool{Identifier(loop.Name()): true}
	for id := range sc.around {
		inner.around[id] = true
	}
	return &inner
}

func (c *checker) inputs(s location, sc *scope) {
	in := s.node.Inputs()
	for _, name := range keysOf(in) {
		if m, ok := in[name].(map[string]any); ok {
			c.input(s.below(inputsField).below(name), m, sc)
		}
	}
}

// input checks the references in an input; sc is nil outside flows.
func (c *checker) input(s location, in map[string]any, sc *scope) {
	if name, computed := in["name"].(map[string]any); computed {
		c.input(s.below("name"), name, sc)
	}
	text, _ := in["value"].(string)
	switch {
	case in["type"] == "complex":
		list, _ := in["value"].([]any)
		c.items(s.below("value"), list, sc)
	case text == "": // not set
	case in["type"] == "configVar":
		c.configVar(s, text)
	case in["type"] == "reference":
		c.reference(s, text, sc)
	case in["type"] == "template":
		for _, part := range ParseTemplate(text) {
			switch part.Kind {
			case ConfigVarSegment:
				c.configVar(s, part.Text)
			case PathSegment:
				c.reference(s, part.Text, sc)
			}
		}
	}
}

// items checks the items of a complex input: inputs, and conditions as nested lists.
func (c *checker) items(s location, list []any, sc *scope) {
	for i, item := range list {
		switch item := item.(type) {
		case map[string]any:
			c.input(s.below(strconv.Itoa(i)), item, sc)
		case []any:
			c.items(s.below(strconv.Itoa(i)), item, sc)
		}
	}
}

// reference checks that a reference names a step whose data exists when this step runs. A step in an earlier
// branch or loop body is accepted: where branches meet again, an action picks whichever ran. Source: the
// observed format, section 6.3.
func (c *checker) reference(s location, text string, sc *scope) {
	path, err := ParsePath(text)
	if err != nil {
		c.refuse(s, "%v", err)
		return
	}
	if sc == nil {
		c.refuse(s,
			"reference %q: a config variable cannot refer to the data of a step; use a value, configVar or template",
			text)
		return
	}
	at, known := sc.order[path.Step]
	item := path.Kind == KindCurrentItem || path.Kind == KindIndex
	switch {
	case !known:
		c.refuse(s, "dangling reference %q: the flow has no step %s; %s", text, path.Step, sc.suggest(path.Step))
	case at == sc.at:
		c.refuse(s, "reference %q is to the step itself, which has no data yet; name an earlier step", text)
	case at > sc.at:
		c.refuse(s, "reference %q is to step %q, which runs later; name an earlier step", text, sc.present[path.Step])
	case item && !sc.around[path.Step]:
		c.refuse(s, "reference %q: %s is there only inside the loop, and step %q is no loop around this step", text,
			path.Kind, sc.present[path.Step])
	}
}

// suggest names the steps that a reference may have meant.
func (sc *scope) suggest(id string) string {
	var near []string
	for known := range sc.order {
		if strings.EqualFold(known, id) || len(id) > 3 && (strings.HasPrefix(known, id) ||
			strings.HasPrefix(id, known) && known != "") {
			near = append(near, known)
		}
	}
	if len(near) == 0 {
		return "name one of its steps"
	}
	slices.Sort(near)
	return "did you mean " + strings.Join(near, " or ") + "?"
}
