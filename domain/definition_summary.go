package domain

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
