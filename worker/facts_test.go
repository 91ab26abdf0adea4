package worker

import (
	"encoding/json"
	"testing"

	"heddle/domain"
)

// Steps see what is JSON, a list or a schedule as such, and all else as text.
func TestConfigData(t *testing.T) {
	for _, c := range []struct {
		fields map[string]any
		set    string // "-" for none
		want   string
	}{
		{map[string]any{"dataType": "string", "defaultValue": "[1]"}, "-", `"[1]"`},
		{map[string]any{"dataType": "number", "defaultValue": "5"}, "6", `"6"`},
		{map[string]any{"dataType": "boolean", "defaultValue": "true"}, "", `""`},
		{map[string]any{"dataType": "jsonForm", "defaultValue": ""}, "-", `""`},
		{map[string]any{"dataType": "jsonForm"}, `[{"source": "a", "n": 1}]`, `[{"n":1,"source":"a"}]`},
		{map[string]any{"dataType": "objectSelection"}, `{"a": [1]}`, `{"a":[1]}`},
		{map[string]any{"dataType": "objectFieldMap"}, `no JSON`, `"no JSON"`},
		{map[string]any{"dataType": "string", "collectionType": "valuelist", "defaultValue": `["a", 1, true]`}, "-", `["a","1","true"]`},
		{map[string]any{"dataType": "string", "collectionType": "valuelist"}, "-", `[]`},
		{map[string]any{"dataType": "string", "collectionType": "keyvaluelist"}, `[{"key": "k", "value": "v"}]`, `[{"key":"k","value":"v"}]`},
		{map[string]any{"dataType": "schedule", "defaultValue": "5 * * * *", "scheduleType": "hour"}, "-", `{"schedule_type":"hour","time_zone":"","value":"5 * * * *"}`},
		{map[string]any{"dataType": "schedule"}, `{"value": "0 1 * * *", "schedule_type": "day", "time_zone": "Asia/Tokyo"}`, `{"schedule_type":"day","time_zone":"Asia/Tokyo","value":"0 1 * * *"}`},
	} {
		instance := domain.Instance{Config: map[string]domain.ConfigValue{}}
		if c.set != "-" {
			instance.Config["v"] = domain.ConfigValue{Value: c.set}
		}
		got, err := json.Marshal(configData(&domain.Node{ID: "v", Fields: c.fields}, instance))
		if err != nil || string(got) != c.want {
			t.Errorf("%v set to %q: %s, %v, want %s", c.fields, c.set, got, err, c.want)
		}
	}
}

// A value list from a config variable is a list where it is used.
func TestConfigListIsLoopedOver(t *testing.T) {
	h := newHouse(t)
	_, urls := h.deploy(definition(flow("Main", "    isSynchronous: true\n", "",
		each("All", "{type: configVar, value: Names}", step("one", "call", echo("all.currentItem"))))) +
		"requiredConfigVars:\n  - {key: Names, dataType: string, collectionType: valuelist, defaultValue: '[\"x\", \"y\"]'}\n")
	h.start()
	if a := h.post(urls["Main"], "", ""); a.Body.String() != `["x","y"]` {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}
