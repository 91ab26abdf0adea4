package definition

import (
	"regexp"
	"slices"

	"gopkg.in/yaml.v3"
)

// upgrade rewrites a file of the first generation, which was one flow, as version 7. The flow gets the
// integration's name; the trigger becomes its first step; all else keeps its name and value. Source: the
// changes between the generations, section 13 of the observed format.
func upgrade(root *yaml.Node) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Line: root.Line}
	flow := &yaml.Node{Kind: yaml.MappingNode, Line: root.Line}
	yamlPut(m, "definitionVersion", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "7", Line: root.Line})
	if name := yamlEntry(root, "name"); name != nil {
		yamlPut(flow, "name", name)
	}
	steps, trigger := yamlEntry(root, stepList), yamlEntry(root, "trigger")
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
		yamlPut(flow, stepList, all)
		yamlPut(m, flowList, &yaml.Node{Kind: yaml.SequenceNode, Line: all.Line, Content: []*yaml.Node{flow}})
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch key.Value {
		case "trigger":
		case stepList:
			if value.Kind != yaml.SequenceNode && value.ShortTag() != "!!null" {
				*yamlEntry(flow, stepList) = *value // refused like any other list that is none
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

// modernTrigger returns the step for the trigger of an integration of the first generation.
func modernTrigger(trigger *yaml.Node, line int) *yaml.Node {
	step := &yaml.Node{Kind: yaml.MappingNode, Line: line}
	component, key := "webhook-triggers", "webhook"
	if trigger != nil && trigger.ShortTag() != "!!null" {
		if trigger.Kind != yaml.MappingNode {
			return trigger // refused like any other step that is no map
		}
		step.Line = trigger.Line
		step.Content = slices.Clone(trigger.Content)
		if schedule := yamlEntry(trigger, "schedule"); isSchedule(schedule) {
			component, key = "schedule-triggers", "schedule"
			if schedule.Kind == yaml.ScalarNode {
				yamlReplace(step, "schedule", scheduleOf(schedule))
			}
		}
	}
	if yamlScalar(step, "name") == "" {
		yamlReplace(step, "name", yamlText("Integration Trigger", step.Line))
	}
	if action := yamlEntry(step, "action"); action != nil {
		modernAction(action)
	} else {
		yamlPut(step, "action", yamlMap(step.Line, "component", componentOf(component, step.Line), "key",
			yamlText(key, step.Line)))
	}
	if yamlEntry(step, "inputs") == nil {
		yamlPut(step, "inputs", yamlMap(step.Line))
	}
	yamlReplace(step, "isTrigger", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true", Line: step.Line})
	return step
}

func isSchedule(n *yaml.Node) bool {
	return n != nil && (n.Kind == yaml.MappingNode && yamlScalar(n, "value") != "" ||
		n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Value != "")
}

// scheduleOf writes a bare cron text the way later versions do.
func scheduleOf(cron *yaml.Node) *yaml.Node {
	meta := yamlMap(cron.Line, "scheduleType", yamlText("custom", cron.Line), "timeZone", yamlText("", cron.Line))
	return yamlMap(cron.Line, "meta", meta, "type", yamlText("value", cron.Line), "value", cron)
}

// modernSteps rewrites the actions of a list of steps, at any depth, and collects the identifiers of
// the loops whose references change with them.
func modernSteps(steps *yaml.Node, loops map[string]bool) {
	for _, step := range steps.Content {
		if action := yamlEntry(step, "action"); action != nil {
			modernAction(action)
			if key := yamlEntry(action, "key"); key != nil && key.Value == "loopOverCollection" {
				key.Value = "loopOverItems"
				loops[Identifier(yamlScalar(step, "name"))] = true
				yamlRename(yamlEntry(step, "inputs"), "collection", "items")
			}
		}
		if body := yamlEntry(step, stepList); body != nil {
			modernSteps(body, loops)
		}
		if branches := yamlEntry(step, branchList); branches != nil {
			for _, branch := range branches.Content {
				if body := yamlEntry(branch, stepList); body != nil {
					modernSteps(body, loops)
				}
			}
		}
	}
}

// modernAction replaces componentKey by a reference to the newest version of that component.
func modernAction(action *yaml.Node) {
	if action.Kind != yaml.MappingNode || yamlEntry(action, "component") != nil {
		return
	}
	if key := yamlEntry(action, "componentKey"); key != nil {
		yamlRename(action, "componentKey", "component")
		component := componentOf(key.Value, key.Line)
		if key.Value == "reformat" {
			component = componentOf("change-data-format", key.Line) // the same component's later name
		}
		yamlReplace(action, "component", component)
	}
}

var formerItem = regexp.MustCompile(`(^|\{\{\$)([0-9A-Za-z]+)\.current($|[.\[}])`)

// modernReferences writes currentItem where a reference to one of the loops says current.
func modernReferences(n *yaml.Node, loops map[string]bool) {
	value := yamlEntry(n, "value")
	if kind := yamlScalar(n, "type"); value != nil && value.Kind == yaml.ScalarNode &&
		(kind == "reference" || kind == "template") {
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

// modernConfigVars returns a list for a map from key to default value.
func modernConfigVars(vars *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Line: vars.Line}
	if vars.Kind == yaml.SequenceNode {
		list.Content = vars.Content
	} else if vars.Kind != yaml.MappingNode {
		return vars
	}
	for i := 0; vars.Kind == yaml.MappingNode && i+1 < len(vars.Content); i += 2 {
		key, value := vars.Content[i], vars.Content[i+1]
		v := yamlMap(key.Line, "key", key)
		switch {
		case value.Kind == yaml.MappingNode:
			v.Content = append(v.Content, value.Content...)
		case value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null":
			yamlPut(v, "defaultValue", yamlText(value.Value, value.Line)) // a default is always text
		default:
			yamlPut(v, "defaultValue", value)
		}
		list.Content = append(list.Content, v)
	}
	for _, v := range list.Content {
		if v.Kind == yaml.MappingNode && yamlEntry(v, "dataType") == nil && yamlEntry(v, "connection") == nil {
			yamlPut(v, "dataType", yamlText("string", v.Line))
		}
	}
	return list
}

func componentOf(key string, line int) *yaml.Node {
	public := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true", Line: line}
	return yamlMap(line, "isPublic", public, "key", yamlText(key, line), "version", yamlText(latest, line))
}
