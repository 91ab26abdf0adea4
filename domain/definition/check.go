package definition

import (
	"strconv"

	"heddle/domain/refusal"
)

// Check returns everything that keeps a definition from running: all that [Parse] refuses (an edited definition
// has not been through it), parts that cannot be distinguished, and references that lead nowhere. err is
// [Problems]; warnings are odd but harmless, and repeat those of Parse.
func Check(def *Part) (warnings []refusal.Problem, err error) {
	c := &checker{findings: structure(def), configVars: map[string]bool{}, flows: map[string]bool{}}
	root := location{node: def}
	c.unique(root, def.ConfigVars(), (*Part).Key, configVarPart)
	c.unique(root, def.Flows(), (*Part).Name, flowPart)
	for _, v := range def.ConfigVars() {
		c.configVars[v.Key()] = true
	}
	for _, f := range def.Flows() {
		c.flows[f.Name()] = true
	}
	if name := def.Text("preprocessFlowName"); name != "" && !c.flows[name] {
		c.refuse(root.below("preprocessFlowName"), "there is no flow %q; name one of the flows", name)
	}
	for _, page := range def.Pages() {
		c.page(location{node: page})
	}
	for _, v := range def.ConfigVars() {
		c.inputs(location{node: v}, nil)
	}
	for _, flow := range def.Flows() {
		c.flow(root.part(flow, flowPart))
	}
	if len(c.problems) > 0 {
		return c.warnings.ByLine(), c.problems.ByLine()
	}
	return c.warnings.ByLine(), nil
}

type checker struct {
	*findings
	configVars map[string]bool
	flows      map[string]bool
}

// unique refuses parts that share a name. Empty names are refused elsewhere.
func (c *checker) unique(s location, parts []*Part, name func(*Part) string, kind partKind) {
	seen := map[string]bool{}
	for _, p := range parts {
		if n := name(p); n != "" && seen[n] {
			at := s.part(p, kind)
			c.refuse(at, "there is another %s %q; rename one of them", kind, n)
		}
		seen[name(p)] = true
	}
}

func (c *checker) page(s location) {
	elements, _ := s.node.Fields["elements"].([]any)
	for i, e := range elements {
		m, _ := e.(map[string]any)
		key, _ := m["value"].(string)
		if m["type"] == "configVar" && key != "" {
			c.configVar(s.below("elements").below(strconv.Itoa(i)), key)
		}
	}
}

func (c *checker) configVar(s location, key string) {
	if !c.configVars[key] {
		c.refuse(s, "there is no config variable %q; add it or name another", key)
	}
}

func (c *checker) flow(s location) {
	sc := &scope{order: map[string]int{}, present: map[string]string{}, around: map[string]bool{}}
	c.trigger(s)
	for step := range walkSteps(s.node) {
		c.identifier(s.part(step, stepPart), sc)
		c.unique(s.part(step, stepPart), step.Branches(), (*Part).Name, branchPart)
	}
	c.queue(s)
	sc.at = -1
	c.steps(s, s.node.Steps(), sc)
}

func (c *checker) identifier(s location, sc *scope) {
	name, id := s.node.Name(), Identifier(s.node.Name())
	other, double := sc.present[id]
	switch {
	case name == "": // refused with the other required fields
	case id == "":
		c.refuse(s.below("name"), "the name has no letter or digit, so nothing could refer to the step; rename it")
	case double:
		c.refuse(s.below("name"), "references could not tell it from step %q of the same flow: both are %s; rename one",
			other, id)
	}
	if !double {
		sc.present[id], sc.order[id] = name, len(sc.order)
	}
}

// trigger checks that the flow has one trigger and that it comes first.
func (c *checker) trigger(s location) {
	found := false
	for step := range walkSteps(s.node) {
		first := len(s.node.Steps()) > 0 && step == s.node.Steps()[0]
		switch {
		case !step.IsTrigger():
		case found:
			c.refuse(s.part(step, stepPart).below("isTrigger"),
				"a flow has one trigger and this is another; remove it or move it to a flow of its own")
		case !first:
			c.refuse(s.part(step, stepPart).below("isTrigger"),
				"the trigger must be the first step of the flow; move it there")
		}
		found = found || step.IsTrigger()
	}
	if !found {
		c.refuse(s, "the flow has no trigger; give its first step isTrigger: true")
	}
}

// MaxConcurrencyLimit is how many runs of a flow the format lets a queueConfig have under way at once.
const MaxConcurrencyLimit = 15

// queue refuses contradictory combinations of queueing options. Source: the observed format, section 10.
func (c *checker) queue(s location) {
	q := s.node.Map("queueConfig")
	fifo, _ := q["usesFifoQueue"].(bool)
	single, _ := q["singletonExecutions"].(bool)
	scheduled := false
	if t := s.node.Trigger(); t != nil {
		scheduled = t.Map("schedule") != nil
	}
	at := s.below("queueConfig")
	switch {
	case fifo && single:
		c.refuse(at, "usesFifoQueue and singletonExecutions exclude each other; choose one")
	case fifo && scheduled:
		c.refuse(at.below("usesFifoQueue"), "a flow with a schedule cannot use a FIFO queue; remove one of them")
	case single && !scheduled:
		c.refuse(at.below("singletonExecutions"),
			"only a flow with a schedule can run as a singleton; remove it or add a schedule")
	}
	if n, told := q["concurrencyLimit"].(int64); told && (n < 2 || n > MaxConcurrencyLimit) {
		c.refuse(at.below("concurrencyLimit"), "%d is out of range; choose 2 to %d", n, MaxConcurrencyLimit)
	}
}
