package domain

import (
	"regexp"
	"slices"

	"gopkg.in/yaml.v3"
)

// modernize rewrites a file of the first generation, which was one flow, as version 7. The flow gets
// the integration's name; the trigger becomes its first step; all else keeps its name and value.
// Source: what changed between the generations, section 13 of the observed format.
func modernize(root *yaml.Node) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Line: root.Line}
	flow := &yaml.Node{Kind: yaml.MappingNode, Line: root.Line}
	put(m, "definitionVersion", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "7", Line: root.Line})
	if name := entry(root, "name"); name != nil {
		put(flow, "name", name)
	}
	steps, trigger := entry(root, stepList), entry(root, "trigger")
	if steps != nil || trigger != nil {
		all := &yaml.Node{Kind: yaml.SequenceNode, Line: root.Line}
		if steps != nil {
			all.Line = steps.Line
		}
		all.Content = append(all.Content, modernTrigger(trigger, root.Line))
		if steps != nil {
			loops := map[string]bool{}
			modernSteps(steps, loops)
			modernReferences(steps, loops)
			all.Content = append(all.Content, steps.Content...)
		}
		put(flow, stepList, all)
		put(m, flowList, &yaml.Node{Kind: yaml.SequenceNode, Line: all.Line, Content: []*yaml.Node{flow}})
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch key.Value {
		case "trigger":
		case stepList:
			if value.Kind != yaml.SequenceNode && value.ShortTag() != "!!null" {
				*entry(flow, stepList) = *value // refused as any other list that is none
			}
		case "isSynchronous":
			flow.Content = append(flow.Content, key, value)
		case configVarList:
			m.Content = append(m.Content, key, modernConfigVars(value))
		default:
			m.Content = append(m.Content, key, value)
		}
	}
	return m
}

// modernTrigger makes the step of a flow that the trigger of an integration once was.
func modernTrigger(trigger *yaml.Node, line int) *yaml.Node {
	step := &yaml.Node{Kind: yaml.MappingNode, Line: line}
	component, key := "webhook-triggers", "webhook"
	if trigger != nil && trigger.ShortTag() != "!!null" {
		if trigger.Kind != yaml.MappingNode {
			return trigger // refused as any other step that is no map
		}
		step.Line = trigger.Line
		step.Content = slices.Clone(trigger.Content)
		if schedule := entry(trigger, "schedule"); isSchedule(schedule) {
			component, key = "schedule-triggers", "schedule"
			if schedule.Kind == yaml.ScalarNode {
				replace(step, "schedule", scheduleOf(schedule))
			}
		}
	}
	if scalarAt(step, "name") == "" {
		replace(step, "name", text("Integration Trigger", step.Line))
	}
	if action := entry(step, "action"); action != nil {
		modernAction(action)
	} else {
		put(step, "action", mapping(step.Line, "component", componentOf(component, step.Line), "key", text(key, step.Line)))
	}
	if entry(step, "inputs") == nil {
		put(step, "inputs", mapping(step.Line))
	}
	replace(step, "isTrigger", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true", Line: step.Line})
	return step
}

func isSchedule(n *yaml.Node) bool {
	return n != nil && (n.Kind == yaml.MappingNode && scalarAt(n, "value") != "" ||
		n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Value != "")
}

// scheduleOf writes a bare cron text the way later versions do.
func scheduleOf(cron *yaml.Node) *yaml.Node {
	meta := mapping(cron.Line, "scheduleType", text("custom", cron.Line), "timeZone", text("", cron.Line))
	return mapping(cron.Line, "meta", meta, "type", text("value", cron.Line), "value", cron)
}

// modernSteps rewrites the actions of a list of steps, at any depth, and collects the identifiers of
// the loops whose references change with them.
func modernSteps(steps *yaml.Node, loops map[string]bool) {
	for _, step := range steps.Content {
		if action := entry(step, "action"); action != nil {
			modernAction(action)
			if key := entry(action, "key"); key != nil && key.Value == "loopOverCollection" {
				key.Value = "loopOverItems"
				loops[Identifier(scalarAt(step, "name"))] = true
				rename(entry(step, "inputs"), "collection", "items")
			}
		}
		if body := entry(step, stepList); body != nil {
			modernSteps(body, loops)
		}
		if branches := entry(step, branchList); branches != nil {
			for _, branch := range branches.Content {
				if body := entry(branch, stepList); body != nil {
					modernSteps(body, loops)
				}
			}
		}
	}
}

// modernAction replaces componentKey by a reference to the newest version of that component.
func modernAction(action *yaml.Node) {
	if action.Kind != yaml.MappingNode || entry(action, "component") != nil {
		return
	}
	if key := entry(action, "componentKey"); key != nil {
		rename(action, "componentKey", "component")
		component := componentOf(key.Value, key.Line)
		if key.Value == "reformat" {
			component = componentOf("change-data-format", key.Line) // the same component's later name
		}
		replace(action, "component", component)
	}
}

var formerItem = regexp.MustCompile(`(^|\{\{\$)([0-9A-Za-z]+)\.current($|[.\[}])`)

// modernReferences writes currentItem where a reference to one of the loops says current.
func modernReferences(n *yaml.Node, loops map[string]bool) {
	value := entry(n, "value")
	if kind := scalarAt(n, "type"); value != nil && value.Kind == yaml.ScalarNode && (kind == "reference" || kind == "template") {
		value.Value = formerItem.ReplaceAllStringFunc(value.Value, func(match string) string {
			m := formerItem.FindStringSubmatch(match)
			if !loops[m[2]] || kind == "template" && m[1] == "" {
				return match
			}
			return m[1] + m[2] + "." + KindCurrentItem + m[3]
		})
	}
	for _, child := range n.Content {
		modernReferences(child, loops)
	}
}

// modernConfigVars makes a list of what was a map from key to default value.
func modernConfigVars(vars *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Line: vars.Line}
	if vars.Kind == yaml.SequenceNode {
		list.Content = vars.Content
	} else if vars.Kind != yaml.MappingNode {
		return vars
	}
	for i := 0; vars.Kind == yaml.MappingNode && i+1 < len(vars.Content); i += 2 {
		key, value := vars.Content[i], vars.Content[i+1]
		v := mapping(key.Line, "key", key)
		switch {
		case value.Kind == yaml.MappingNode:
			v.Content = append(v.Content, value.Content...)
		case value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null":
			put(v, "defaultValue", text(value.Value, value.Line)) // a default is always text
		default:
			put(v, "defaultValue", value)
		}
		list.Content = append(list.Content, v)
	}
	for _, v := range list.Content {
		if v.Kind == yaml.MappingNode && entry(v, "dataType") == nil && entry(v, "connection") == nil {
			put(v, "dataType", text("string", v.Line))
		}
	}
	return list
}

func componentOf(key string, line int) *yaml.Node {
	public := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true", Line: line}
	return mapping(line, "isPublic", public, "key", text(key, line), "version", text(latest, line))
}

func text(value string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: line}
}

// mapping makes a mapping of alternating keys (string) and values (*yaml.Node).
func mapping(line int, pairs ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Line: line}
	for i := 0; i+1 < len(pairs); i += 2 {
		put(m, pairs[i].(string), pairs[i+1].(*yaml.Node))
	}
	return m
}

func put(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, text(key, value.Line), value)
}

// replace sets a key, whether the mapping has it or not, without changing the old value in place.
func replace(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = value
			return
		}
	}
	put(m, key, value)
}

func rename(m *yaml.Node, from, to string) {
	if m != nil && m.Kind == yaml.MappingNode && entry(m, to) == nil {
		for i := 0; i+1 < len(m.Content); i += 2 {
			if m.Content[i].Value == from {
				m.Content[i] = text(to, m.Content[i].Line)
			}
		}
	}
}
