package domain

// UnknownActions warns of each step whose action or trigger is refused by known, which tells why.
func UnknownActions(definition *Node, known func(ref ActionRef, trigger bool) error) []Problem {
	f := findings{}
	var steps func(in spot, list []*Node)
	steps = func(in spot, list []*Node) {
		for _, step := range list {
			s := in.part(step, stepPart)
			if err := known(step.Action(), step.IsTrigger()); err != nil {
				f.warn(s.below("action"), "%v; the step fails when it is reached", err)
			}
			steps(in, step.Steps())
			for _, b := range step.Branches() {
				steps(in, b.Steps())
			}
		}
	}
	for _, flow := range definition.Flows() {
		s := spot{node: definition}.part(flow, flowPart)
		steps(s, flow.Steps())
	}
	return f.warnings
}
