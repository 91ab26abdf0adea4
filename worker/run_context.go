package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"heddle/app/secrets"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/worker/expression"
)

// contextKey holds everything a run's context depends on, except the instance's keys and values.
type contextKey struct {
	definition                         string // hash
	flow                               string // id
	customer, externalID, customerName string
	instance, instanceName             string
	integration, version               string // ids
	number                             int    // of the version, 0 for none
}

// enter loads the context of the run.
func (x *attempt) enter(definition *definition.Part, instance domain.Instance) (err error) {
	if x.config, err = configValues(x.w.keeper(), definition, instance); err != nil {
		return err
	}
	x.flows, x.runContext = definition.Flows(), x.gatherContext(definition, instance)
	x.scope, x.secrets = expression.NewScope(x.config), x.w.newSecrets(x.run.ID)
	x.scope.Limits.Output = x.w.MaxOutput
	for _, v := range definition.ConfigVars() {
		if connection, ok := x.config[v.Key()].(map[string]any); ok && v.IsConnection() {
			fields, _ := connection["fields"].(map[string]any)
			x.secrets.addConnection(v.Key(), fields)
		}
	}
	if x.run.Queued.InvokedBy != nil { // the flow that invokes it may have passed them on
		x.apiKeys()
	}
	return nil
}

// gatherContext returns the context of the run: the same for many runs, which share it and must not change it.
// Source: the context and trigger payload of the format's SDK.
func (x *attempt) gatherContext(definition *definition.Part, instance domain.Instance) map[string]any {
	customer, _ := x.w.View.Customers.Get(x.run.Organization, instance.Customer)
	of := contextKey{definition: x.run.Queued.Definition, flow: x.flow.ID,
		customer: customer.ID, externalID: customer.ExternalID, customerName: customer.Name,
		instance: instance.ID, instanceName: instance.Name, integration: x.run.Queued.Integration}
	if i, ok := x.w.View.Integrations.Get(x.run.Organization, x.run.Queued.Integration); ok {
		if v, ok := i.Version(x.run.Queued.Version); ok {
			of.version, of.number = v.ID, v.Number
		}
	}
	return x.w.contexts.get(of, func() map[string]any { return of.runContext(x.w.PublicURL, definition, x.flow) })
}

// runContext returns the context in the form of the format's SDK, without the API keys of its flows: a trigger's
// payload is recorded, and answered to callers. Code has them in its context.
func (of contextKey) runContext(base string, definition, flow *definition.Part) map[string]any {
	urls := map[string]any{}
	for _, flow := range definition.Flows() {
		urls[flow.Name()] = domain.TriggerURL(base, of.instance, flow.ID)
	}
	version := map[string]any{"id": of.integration, "name": definition.Name(), "versionSequenceId": of.integration,
		"externalVersion": ""}
	if of.number > 0 {
		version["id"], version["externalVersion"] = of.version, fmt.Sprint(of.number)
	}
	return map[string]any{
		"customer":    map[string]any{"id": of.customer, "externalId": of.externalID, "name": of.customerName},
		"instance":    map[string]any{"id": of.instance, "name": of.instanceName},
		"integration": version,
		"flow":        map[string]any{"id": flow.ID, "name": flow.Name(), "stableId": flow.Text("stableKey")},
		"user":        map[string]any{"id": "", "email": "", "name": "", "externalId": ""},
		"webhookUrls": urls,
		"invokeUrl":   domain.TriggerURL(base, of.instance, flow.ID),
		"globalDebug": false,
	}
}

// addOwn adds the run's own entries.
func (x *attempt) addOwn(facts map[string]any) {
	facts["executionId"], facts["startedAt"] = x.run.ID, x.run.StartedAt.Format(time.RFC3339Nano)
}

// scriptContext returns the context of scripts. The API keys are opened only for scripts that ask for them, and are
// masked as secrets from then on.
func (x *attempt) scriptContext() map[string]any {
	facts := maps.Clone(x.runContext)
	x.addOwn(facts)
	facts["configVars"], facts["webhookApiKeys"] = x.config, x.apiKeys()
	return facts
}

// apiKeys returns the API keys of each flow of the instance by the flow's name.
func (x *attempt) apiKeys() map[string]any {
	if x.keys != nil {
		return x.keys
	}
	keys := map[string]any{}
	instance, _ := x.w.View.Instances.Get(x.run.Organization, x.run.Queued.Instance)
	for _, flow := range x.flows {
		list := []any{}
		opened, err := x.w.keeper().FlowKeys(instance, flow.ID)
		if err != nil {
			x.w.Logger.Warn("a flow's API keys are left out of a run's context", "run", x.run.ID, "error", err)
		}
		for _, key := range opened {
			x.secrets.add("API key of "+flow.Name(), key)
			list = append(list, key)
		}
		keys[flow.Name()] = list
	}
	x.keys = keys
	return keys
}

// contextCache holds at most maxContexts run contexts; when there are more, it starts over.
type contextCache struct {
	mu    sync.Mutex
	known map[contextKey]map[string]any
}

const maxContexts = 1024

func (p *contextCache) get(of contextKey, gather func() map[string]any) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	facts, known := p.known[of]
	if !known {
		if p.known == nil || len(p.known) >= maxContexts {
			p.known = map[contextKey]map[string]any{}
		}
		facts = gather()
		p.known[of] = facts
	}
	return facts
}

// configValues returns every config variable's value by key: its default if the instance sets none; a connection's
// as an object with its fields, unsealed.
func configValues(keeper secrets.Keeper, def *definition.Part, instance domain.Instance) (map[string]any, error) {
	values := map[string]any{}
	var connections []*definition.Part
	for _, v := range def.ConfigVars() {
		if v.IsConnection() {
			connections = append(connections, v)
		} else {
			values[v.Key()] = configData(v, instance)
		}
	}
	plain := expression.NewScope(values)
	for _, v := range connections {
		fields, err := connectionFields(keeper, v, instance, plain)
		if err != nil {
			return nil, err
		}
		values[v.Key()] = map[string]any{"key": v.Key(), "configVarKey": v.Key(), "fields": fields}
	}
	return values, nil
}

// configData returns the value of a plain config variable in the form that steps see: by its data type as JSON,
// lists as lists, schedules as objects, everything else as text. Source: execution-semantics, config variables at
// run time.
func configData(v *definition.Part, instance domain.Instance) any {
	text := v.Default()
	if set, isSet := instance.Config[v.ID]; isSet {
		text = set.Value
	}
	collection := v.Text("collectionType") != ""
	switch v.Text("dataType") {
	case "schedule":
		t := variableTimes(v, instance)
		return map[string]any{"value": t.cron, "schedule_type": t.kind, "time_zone": t.zone}
	case "jsonForm", "objectSelection", "objectFieldMap":
	default:
		if !collection {
			return text
		}
	}
	var data any
	if json.Unmarshal([]byte(text), &data) != nil { // nothing is set, or by a version that had another type
		if collection && text == "" {
			return []any{}
		}
		return text
	}
	if list, ok := data.([]any); ok && collection {
		for i, item := range list {
			if _, pair := item.(map[string]any); !pair {
				list[i] = value.Text(item)
			}
		}
	}
	return data
}

// connectionFields returns the defaults of the definition, which may refer to plain config variables, overridden by
// the values of the instance.
func connectionFields(keeper secrets.Keeper, v *definition.Part, instance domain.Instance, plain *expression.Scope,
) (map[string]any, error) {
	fields := map[string]any{}
	for name, input := range v.Inputs() {
		if value, err := expression.Resolve(input, plain); err == nil { // else of a kind that steps can't use
			fields[name] = value
		}
	}
	sealed := instance.Config[v.ID].Sealed
	if len(sealed) == 0 {
		return fields, nil
	}
	opened, err := keeper.Open(instance, domain.ConfigContext(instance.ID, v.ID), sealed)
	if err != nil {
		return nil, fmt.Errorf("unsealing connection %q: %w", v.Key(), err)
	}
	var set map[string]any
	if err := json.Unmarshal(opened, &set); err != nil {
		return nil, fmt.Errorf("reading connection %q: %w", v.Key(), err)
	}
	maps.Copy(fields, set)
	return fields, nil
}
