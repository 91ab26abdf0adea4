package worker

import (
	"context"
	"encoding/json"
	"fmt"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/worker/cron"
	"heddle/worker/expression"
)

// startPlan lists the flows of a version that start by themselves. It never changes.
type startPlan struct {
	flows     []plannedStart
	variables []*definition.Part // config variables
}

type plannedStart struct {
	flow     string // id
	trigger  component.Trigger
	onDeploy any              // the input that has each deploy start the flow, too; nil for none
	schedule map[string]any   // the trigger's, nil for none
	variable *definition.Part // the config variable that holds it, nil for none
}

// planOf reads a version's definition. A schedule may stand beside any trigger, such as one that polls.
func (c *scheduler) planOf(definition *definition.Part) startPlan {
	p := startPlan{variables: definition.ConfigVars()}
	for _, flow := range definition.Flows() {
		step := flow.Trigger()
		if step == nil {
			continue
		}
		ref := step.Action()
		one := plannedStart{flow: flow.ID, schedule: step.Map("schedule")}
		if trigger, err := c.w.Components.LookupTrigger(ref.Component, ref.Key); err == nil {
			one.trigger, one.onDeploy = trigger, step.Inputs()[trigger.StartInput]
		}
		if one.schedule["type"] == "configVar" {
			for _, v := range p.variables {
				if v.Key() == one.schedule["value"] {
					one.variable = v
				}
			}
		}
		if one.schedule != nil || one.onDeploy != nil || one.trigger.Start == component.StartDeploy ||
			one.trigger.Start == component.StartRemove {
			p.flows = append(p.flows, one)
		}
	}
	return p
}

// deploys reports whether the last deploy of an instance starts a flow. Config variables that were set since then
// do not count: they hold from the next deploy on.
func (p startPlan) deploys(f plannedStart, instance domain.Instance) (bool, error) {
	if f.onDeploy == nil {
		return f.trigger.Deploys(nil)
	}
	input, _ := f.onDeploy.(map[string]any)
	if input["type"] != "value" && instance.NeedsDeploy {
		return false, nil
	}
	config := map[string]any{}
	for _, v := range p.variables {
		config[v.Key()] = configData(v, instance)
	}
	value, err := expression.Resolve(f.onDeploy, expression.NewScope(config))
	if err != nil {
		return false, err
	}
	return f.trigger.Deploys(value)
}

// plan returns the start plan of a version, which is read once.
func (c *scheduler) plan(ctx context.Context, integration domain.Integration, version string) (startPlan, error) {
	if p, known := c.plans[version]; known {
		return p, nil
	}
	v, ok := integration.Version(version)
	if !ok {
		return startPlan{}, fmt.Errorf("integration %s has no version %s", integration.ID, version)
	}
	definition, err := c.w.Definitions.Get(ctx, integration.Organization, v.Definition)
	if err != nil {
		return startPlan{}, err
	}
	c.plans[version] = c.planOf(definition)
	return c.plans[version], nil
}

// times is a schedule as the definition or a config variable holds it.
type times struct {
	cron, kind, zone string
}

// timesOf returns when a flow of an instance is due. once is true for a flow that is due a single time; the error
// says what is wrong with the configuration.
func (p plannedStart) timesOf(instance domain.Instance) (s cron.Schedule, once, none bool, err error) {
	meta, _ := p.schedule["meta"].(map[string]any)
	t := times{cron: textOf(p.schedule["value"]), kind: textOf(meta["scheduleType"]), zone: textOf(meta["timeZone"])}
	if p.schedule["type"] == "configVar" {
		if p.variable == nil {
			return s, false, false, refusal.New(refusal.Invalid, "there is no config variable %q for the schedule",
				t.cron)
		}
		t = variableTimes(p.variable, instance)
	}
	switch {
	case t.kind == "once":
		return s, true, false, nil
	case t.kind == "none" || t.cron == "":
		return s, false, true, nil
	}
	s, err = cron.Parse(t.cron, t.zone)
	return s, false, false, err
}

// variableTimes reads a schedule from a config variable: cron fields, or an object with value,
// schedule_type and time_zone. Source: execution-semantics, schedules.
func variableTimes(v *definition.Part, instance domain.Instance) times {
	t := times{cron: v.Default(), kind: v.Text("scheduleType"), zone: v.Text("timeZone")}
	if set, ok := instance.Config[v.ID]; ok {
		t.cron = set.Value
	}
	var object struct {
		Value    string `json:"value"`
		Kind     string `json:"schedule_type"`
		TimeZone string `json:"time_zone"`
	}
	if json.Unmarshal([]byte(t.cron), &object) == nil {
		t = times{cron: object.Value, kind: object.Kind, zone: object.TimeZone}
	}
	return t
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}
