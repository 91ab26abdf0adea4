package domain

import (
	"testing"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

func TestInstanceChanges(t *testing.T) {
	created := InstanceCreated{Name: "I", Customer: "c", Integration: "i", Version: "v1"}
	system := InstanceCreated{Name: "Test", Integration: "i", System: true}
	name, empty, version, labels := "J", " ", "v2", []string{"A", "a"}
	yes, no := true, false
	keys := FlowKeysSet{Flow: "f", Keys: []FlowKey{{Sealed: []byte("s")}}}
	config := InstanceConfigured{Values: []ConfigValue{{Variable: "x", Value: "1"}}, Replace: true}
	update := func(e InstanceUpdated, enabled *bool, config *InstanceConfigured,
		keys ...FlowKeysSet) func(Instance) (Changes[Instance], error) {
		return func(i Instance) (Changes[Instance], error) { return i.Update(e, enabled, config, keys) }
	}
	lower := []string{"a"}
	const none = "NOT_FOUND id: Record not found: instance"
	decides(t, Instances, map[string]row[Instance]{
		"renaming": {given: events[Instance](created), when: update(InstanceUpdated{Name: &name}, nil, nil),
			then: events[Instance](InstanceUpdated{Name: &name})},
		"no name": {given: events[Instance](created), when: update(InstanceUpdated{Name: &empty}, nil,
			nil), refused: "INVALID name: must not be empty"},
		"labels": {given: events[Instance](created), when: update(InstanceUpdated{Labels: &labels}, nil,
			nil), then: events[Instance](InstanceUpdated{Labels: &lower})},
		"nothing": {given: events[Instance](created), when: update(InstanceUpdated{}, &yes, nil)},
		"disabling": {given: events[Instance](created), when: update(InstanceUpdated{}, &no, nil),
			then: events[Instance](InstanceDisabled{})},
		"enabling": {given: events[Instance](created, InstanceDisabled{}),
			when: update(InstanceUpdated{}, &yes, nil), then: events[Instance](InstanceEnabled{})},
		"all at once": {given: events[Instance](created), when: update(InstanceUpdated{Version: &version}, &no,
			&config, keys), then: events[Instance](InstanceUpdated{Version: &version}, InstanceDisabled{},
			config, keys)},
		"the system's version": {given: events[Instance](system), when: update(InstanceUpdated{Version: &version}, nil,
			nil), refused: "INVALID integration: the system instance always runs the draft"},
		"updating none": {when: update(InstanceUpdated{Name: &name}, nil, nil), refused: none},
		"updating what went": {given: events[Instance](created, InstanceRemoved{}),
			when: update(InstanceUpdated{Name: &name}, nil, nil), refused: none},
		"removing": {given: events[Instance](created), when: Instance.Remove,
			then: events[Instance](InstanceRemoved{})},
		"removing twice": {given: events[Instance](created, InstanceRemoved{}), when: Instance.Remove},
		"removing the system": {given: events[Instance](system), when: Instance.Remove,
			refused: "INVALID id: the system instance goes with its integration only"},
		"removing none": {when: Instance.Remove, refused: none},
		"deploying what went": {given: events[Instance](created, InstanceRemoved{}), when: Instance.Deploy,
			refused: none},
	})
	set := []Event[Instance]{created, InstanceDeployed{Version: "v1"},
		InstanceConfigured{Values: []ConfigValue{{Variable: "y", Value: "2"}}}, config, keys,
		InstanceUpdated{Name: &name, Version: &version}, InstanceDisabled{}}
	pure(t, "changing", Instances, set)
	i := folded(t, Instances, set)
	if _, left := i.Config["y"]; left || i.Config["x"].Value != "1" || i.Name != "J" || i.Version != "v2" ||
		i.Deployed != "v1" || !i.NeedsDeploy || len(i.Keys["f"]) != 1 {
		t.Errorf("folded to %+v", i)
	}
	if why, ok := i.Runs(); ok || why != "the instance is disabled" {
		t.Errorf("a disabled one runs: %s", why)
	}
	if why, ok := folded(t, Instances, append(set, InstanceRemoved{})).Runs(); ok ||
		why != "the instance has been removed" {
		t.Errorf("a removed one runs: %s", why)
	}
}

func TestCheckConfigValue(t *testing.T) {
	variable := func(fields map[string]any) *definition.Part {
		fields["key"] = "V"
		return &definition.Part{Fields: fields}
	}
	list := []any{"a", "b"}
	for _, c := range []struct {
		fields    map[string]any
		good, bad string
		wants     string
	}{
		{map[string]any{"dataType": "string"}, "anything", "", ""},
		{map[string]any{"dataType": "number"}, "-1.5", "x", "a number"},
		{map[string]any{"dataType": "boolean"}, "true", "yes", "true or false"},
		{map[string]any{"dataType": "date"}, "2026-01-31", "31.1.2026", "a date such as 2026-01-31"},
		{map[string]any{"dataType": "timestamp"}, "2026-01-31T12:00:00Z", "noon",
			"a time such as 2026-01-31T12:00:00Z"},
		{map[string]any{"dataType": "jsonForm"}, `{"a": 1}`, "{", "JSON"},
		{map[string]any{"dataType": "picklist", "pickList": list}, "b", "c", "one of a, b"},
		{map[string]any{"dataType": "picklist"}, "free", "", ""},
		{map[string]any{"dataType": "number", "collectionType": "valuelist"}, "[1, 2]", "1", "a JSON list"},
	} {
		v := variable(c.fields)
		if err := CheckConfigValue(v, c.good); err != nil {
			t.Errorf("%v: %v", c.fields, err)
		}
		if c.wants == "" {
			continue
		}
		if err := CheckConfigValue(v, c.bad); refusal.CodeOf(err) != refusal.Invalid ||
			err.Error() != `configVariables: "V" must be `+c.wants {
			t.Errorf("%v: %v", c.fields, err)
		}
	}
}
