package worker

import (
	"encoding/json"
	"testing"

	"heddle/domain"
	"heddle/domain/definition"
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
		{map[string]any{"dataType": "number", "defaultValue": int64(5)}, "-", `"5"`}, // not in quotes in the file
		{map[string]any{"dataType": "boolean", "defaultValue": false}, "-", `"false"`},
		{map[string]any{"dataType": "string", "collectionType": "valuelist", "defaultValue": []any{"a", int64(1)}}, "-",
			`["a","1"]`},
		{map[string]any{"dataType": "jsonForm", "defaultValue": map[string]any{"a": 1.5}}, "-", `{"a":1.5}`},
		{map[string]any{"dataType": "string", "defaultValue": nil}, "-", `""`},
		{map[string]any{"dataType": "jsonForm", "defaultValue": ""}, "-", `""`},
		{map[string]any{"dataType": "jsonForm"}, `[{"source": "a", "n": 1}]`, `[{"n":1,"source":"a"}]`},
		{map[string]any{"dataType": "objectSelection"}, `{"a": [1]}`, `{"a":[1]}`},
		{map[string]any{"dataType": "objectFieldMap"}, `no JSON`, `"no JSON"`},
		{map[string]any{"dataType": "string", "collectionType": "valuelist", "defaultValue": `["a", 1, true]`}, "-",
			`["a","1","true"]`},
		{map[string]any{"dataType": "string", "collectionType": "valuelist"}, "-", `[]`},
		{map[string]any{"dataType": "string", "collectionType": "keyvaluelist"}, `[{"key": "k", "value": "v"}]`,
			`[{"key":"k","value":"v"}]`},
		{map[string]any{"dataType": "schedule", "defaultValue": "5 * * * *", "scheduleType": "hour"}, "-",
			`{"schedule_type":"hour","time_zone":"","value":"5 * * * *"}`},
		{map[string]any{"dataType": "schedule"},
			`{"value": "0 1 * * *", "schedule_type": "day", "time_zone": "Asia/Tokyo"}`,
			`{"schedule_type":"day","time_zone":"Asia/Tokyo","value":"0 1 * * *"}`},
	} {
		instance := domain.Instance{Config: map[string]domain.ConfigValue{}}
		if c.set != "-" {
			instance.Config["v"] = domain.ConfigValue{Value: c.set}
		}
		got, err := json.Marshal(configData(&definition.Part{ID: "v", Fields: c.fields}, instance))
		if err != nil || string(got) != c.want {
			t.Errorf("%v set to %q: %s, %v, want %s", c.fields, c.set, got, err, c.want)
		}
	}
}

// A value list from a config variable is a list where it is used.
func TestConfigListIsLoopedOver(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		each("All", "{type: configVar, value: Names}", step("one", "call", echo("all.currentItem"))))) +
		"requiredConfigVars:\n  - {key: Names, dataType: string, collectionType: valuelist, defaultValue: '[\"x\", \"y\"]'}\n")
	h.start()
	if a := h.post(urls["Main"], "", ""); a.Body.String() != `["x","y"]` {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}

// The fields of a connection may refer to config variables that are not connections.
func TestConnectionDefaults(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", step("one", "call", ", echo: {type: configVar, value: Conn}"))) + `requiredConfigVars:
  - key: Conn
    connection: {key: basic, component: {key: http, isPublic: true, version: LATEST}}
    inputs: {username: {type: value, value: u}, baseUrl: {type: template, value: 'https://{{#Host}}/{{#None}}'}, port: {type: configVar, value: Port}, other: {type: scopedConfigVar, value: x}, no: {type: value, value: null}}
  - {key: Host, dataType: string, defaultValue: api.example}
  - {key: Port, dataType: number, defaultValue: 8443}
`)
	h.start()
	if a := h.post(urls["Main"], "", ""); a.Body.String() != `{"configVarKey":"Conn","fields":{"baseUrl":"https://api.example/","no":null,"port":"8443","username":"u"},"key":"Conn"}` {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
}

// Runs share what they know about where they run, until that is another: whoever is called, by whatever name.
func TestFactsFollowTheirPlace(t *testing.T) {
	h := newHarness(t)
	text := integrationOf(flow("Main", "    isSynchronous: true\n", "", step("one", "call", echo("hook.results"))))
	first, urls := h.deploy(text)
	second, others := h.deploy(text)
	h.start()
	names := func(url string) (id, name, invoke string) {
		a := h.post(url, "", "")
		var r struct {
			ExecutionID, InvokeURL string
			Instance               struct{ ID, Name string }
		}
		if err := json.Unmarshal(a.Body.Bytes(), &r); err != nil || r.ExecutionID != a.Header().Get(ExecutionHeader) {
			t.Fatalf("answered %d %s", a.Code, a.Body)
		}
		return r.Instance.ID, r.Instance.Name, r.InvokeURL
	}
	see := func(url, id, name string) {
		t.Helper()
		if i, n, invoke := names(url); i != id || n != name || invoke != h.PublicURL+url {
			t.Errorf("%s: instance %s %q, %s; want %s %q", url, i, n, invoke, id, name)
		}
	}
	for range 2 {
		see(urls["Main"], first, "Test")
		see(others["Main"], second, "Test")
	}
	name := "Renamed"
	if err := h.View.Wait(h.ctx, changeAll(h, domain.Instances, first,
		domain.InstanceUpdated{Name: &name})); err != nil {
		t.Fatal(err)
	}
	see(urls["Main"], first, name)
	see(others["Main"], second, "Test")
	if h.stop(); len(h.contexts.known) != 3 {
		t.Errorf("%d places are remembered, not 3", len(h.contexts.known))
	}
}

// Facts are not remembered without end.
func TestPlacesAreBounded(t *testing.T) {
	var p contextCache
	for n := range 2*maxContexts + 1 {
		p.get(contextKey{number: n}, func() map[string]any { return map[string]any{} })
	}
	if len(p.known) != 1 {
		t.Errorf("%d places are remembered", len(p.known))
	}
}
