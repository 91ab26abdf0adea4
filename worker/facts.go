package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"heddle/component"
	"heddle/domain"
)

// gatherFacts tells what a run knows about where it runs. Source: the context and trigger payload
// of the format's SDK.
func (x *execution) gatherFacts(definition *domain.Node, instance domain.Instance) map[string]any {
	customer, _ := x.View.Customers.Get(x.run.Organization, instance.Customer)
	urls, keys := map[string]any{}, map[string]any{}
	for _, flow := range definition.Flows() {
		urls[flow.Name()] = domain.TriggerURL(x.PublicURL, instance.ID, flow.ID)
		list := []any{}
		own, err := x.flowKeys(instance, flow.ID)
		if err != nil {
			x.Logger.Warn("a flow's API keys are left out of a run's context", "run", x.run.ID, "error", err)
		}
		for _, key := range own {
			list = append(list, key)
		}
		keys[flow.Name()] = list
	}
	version := map[string]any{"id": x.run.Queued.Integration, "name": definition.Name(), "versionSequenceId": x.run.Queued.Integration, "externalVersion": ""}
	if i, ok := x.View.Integrations.Get(x.run.Organization, x.run.Queued.Integration); ok {
		if v, ok := i.Version(x.run.Queued.Version); ok {
			version["id"], version["externalVersion"] = v.ID, fmt.Sprint(v.Number)
		}
	}
	return map[string]any{
		"executionId":    x.run.ID,
		"startedAt":      x.run.StartedAt.Format(time.RFC3339Nano),
		"customer":       map[string]any{"id": customer.ID, "externalId": customer.ExternalID, "name": customer.Name},
		"instance":       map[string]any{"id": instance.ID, "name": instance.Name},
		"integration":    version,
		"flow":           map[string]any{"id": x.flow.ID, "name": x.flow.Name(), "stableId": x.flow.Text("stableKey")},
		"user":           map[string]any{"id": "", "email": "", "name": "", "externalId": ""},
		"webhookUrls":    urls,
		"webhookApiKeys": keys,
		"invokeUrl":      domain.TriggerURL(x.PublicURL, instance.ID, x.flow.ID),
		"configVars":     x.config,
		"globalDebug":    false,
	}
}

// configValues gives every config variable's value by key: its default where the instance sets none; a
// connection's as an object with its fields, unsealed.
func (w *Worker) configValues(definition *domain.Node, instance domain.Instance) (map[string]any, error) {
	values := map[string]any{}
	for _, v := range definition.ConfigVars() {
		if _, connection := v.Connection(); connection || v.Text("dataType") == "connection" {
			fields, err := w.connectionFields(v, instance, instance.Config[v.ID].Sealed)
			if err != nil {
				return nil, err
			}
			values[v.Key()] = map[string]any{"key": v.Key(), "configVarKey": v.Key(), "fields": fields}
			continue
		}
		values[v.Key()] = configData(v, instance)
	}
	return values, nil
}

// configData gives the value of a plain config variable in the form that steps see: JSON by its data
// type as what it says, lists as lists, schedules as objects, all else as text. Source: execution-semantics,
// config variables at run time.
func configData(v *domain.Node, instance domain.Instance) any {
	text := v.Text("defaultValue")
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
				list[i] = component.Text(item)
			}
		}
	}
	return data
}

// connectionFields gives the defaults that the definition has, and over them what the instance sets.
func (w *Worker) connectionFields(v *domain.Node, instance domain.Instance, sealed []byte) (map[string]any, error) {
	fields := map[string]any{}
	for name, input := range v.Inputs() {
		if m, ok := input.(map[string]any); ok && m["type"] == "value" {
			fields[name] = m["value"]
		}
	}
	if len(sealed) == 0 {
		return fields, nil
	}
	key, place, ok := w.View.DataKey(instance)
	if !ok {
		return nil, fmt.Errorf("the data key of instance %s is missing", instance.ID)
	}
	plain, err := w.Vault.Open(key, place, domain.ConfigPlace(instance.ID, v.ID), sealed)
	if err != nil {
		return nil, fmt.Errorf("unsealing connection %q: %w", v.Key(), err)
	}
	var set map[string]any
	if err := json.Unmarshal(plain, &set); err != nil {
		return nil, fmt.Errorf("reading connection %q: %w", v.Key(), err)
	}
	maps.Copy(fields, set)
	return fields, nil
}
