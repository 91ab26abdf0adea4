package graph

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
	"heddle/store/live"
)

const (
	updateDocument = `mutation ($input: UpdateInstanceInput!) { updateInstance(input: $input) { instance { id name description enabled needsDeploy labels configState
		integration { id } configVariables { nodes { value status requiredConfigVariable { key } } } flowConfigs { nodes { apiKeys flow { id part name } } } } ` + errorFields + `} }`
	configDocument = `mutation ($id: ID!, $config: [InputInstanceConfigVariable]!) { updateInstanceConfigVariables(input: {id: $id, configVariables: $config}) {
		instance { id configState needsDeploy configVariables { nodes { value } } } ` + errorFields + `} }`
	deleteDocument = `mutation ($id: ID!) { deleteInstance(input: {id: $id}) { instance { id } ` + errorFields + `} }`
	cancelDocument = `mutation ($id: ID!) { cancelExecution(input: {id: $id}) { executionResult { id status resultType error } ` + errorFields + `} }`
	replayDocument = `mutation ($id: ID!) { replayExecution(input: {id: $id}) { executionResult { id status replayForExecution { id } retryCount invokedBy { depth } } ` + errorFields + `} }`
)

// What is missing is said per variable; set by either mutation, or forced, it deploys.
func TestDeployNeedsConfiguration(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, strings.Replace(shop, "    connection: {key: apiKey",
		"    inputs: {user: {type: value, value: ''}, host: {type: value, value: x}, key: {type: value, value: ''}}\n    connection: {key: apiKey", 1))
	h.published(h.org, id)
	instance := h.instance(h.org, "I", id, h.customer(h.org, "Acme"))
	before := len(h.events())
	a := h.do(deployDocument, vars{"id": instance, "force": false})
	if a.refused("deployInstance") != `configVariables: "Shop Login" is a connection without a value for key, user; set it, or force the deploy` || h.since(before) != "" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	a = h.do(configDocument, vars{"id": instance,
		"config": []any{vars{"key": "Shop Login", "values": `[{"name":"key","type":"value","value":"s3cret"}]`}}})
	if a.text("updateInstanceConfigVariables.instance.configState") != "FULLY_CONFIGURED" || strings.Contains(a.body,
		"s3cret") {
		t.Errorf("answered %s", a.body)
	}
	if a := h.do(deployDocument, vars{"id": instance,
		"force": false}); a.at("deployInstance.instance.needsDeploy") != false {
		t.Errorf("answered %s", a.body)
	}
	bad := h.do(configDocument, vars{"id": instance, "config": []any{vars{"key": "Shop Login", "values": "s3cret"}}})
	if !strings.HasPrefix(bad.refused("updateInstanceConfigVariables"),
		`configVariables: "Shop Login" is a connection`) || strings.Contains(bad.body, "s3cret") {
		t.Errorf("answered %s", bad.body)
	}
}

func TestUpdateInstance(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	instance := h.instance(h.org, "I", id, h.customer(h.org, "Acme"))
	h.do(configDocument, vars{"id": instance, "config": []any{vars{"key": "Shop URL", "value": "https://a.example"}}})
	h.do(importDocument, vars{"definition": strings.Replace(shop, "Sends orders on.", "Two.", 1), "onto": id})
	second := h.published(h.org, id)
	flow := h.do(updateDocument, vars{"input": vars{"id": instance}}).text("updateInstance.instance.flowConfigs.nodes.0.flow.id")
	a := h.do(updateDocument, vars{"input": vars{"id": instance, "name": "J", "description": "Ours",
		"labels": []any{"A", nil, "a"}, "integration": second, "enabled": false,
		"configVariables": []any{vars{"key": "Shop Login",
			"values": `[{"name":"key","type":"value","value":"s3cret"}]`}},
		"flowConfigs": []any{vars{"flowId": flow, "apiKeys": []any{"endpoint-key-1", "endpoint-key-2"}}},
		"configMode":  "INSTANCE", "globalDebug": true}})
	at := func(path string) string { return a.text("updateInstance.instance." + path) }
	if at("name") != "J" || at("description") != "Ours" || a.at("updateInstance.instance.enabled") != false ||
		at("integration.id") != second ||
		at("configVariables.nodes.0.value") != "https://shop.example" || at("configState") != "FULLY_CONFIGURED" ||
		at("labels.0") != "a" {
		t.Errorf("answered %s", a.body)
	}
	if at("flowConfigs.nodes.0.apiKeys.0") != "…ey-1" || strings.Contains(a.body, "endpoint") {
		t.Errorf("keys: %s", a.body)
	}
	for _, r := range h.events() {
		if bytes.Contains(r.Data, []byte("endpoint-key")) || bytes.Contains(r.Data, []byte("s3cret")) {
			t.Errorf("%s holds a secret", r.Kind)
		}
	}
	other := h.imported(h.org, strings.Replace(shop, "name: Shop", "name: Other", 1))
	for want, input := range map[string]vars{
		"name: must not be empty":                                  {"name": ""},
		"integration: is no version of the instance's integration": {"integration": h.published(h.org, other)},
		"flowConfigs: Record not found: flow x": {"flowConfigs": []any{vars{"flowId": "x",
			"apiKeys": []any{"12345678"}}}},
		"flowConfigs: a flow may have 20 API keys of 8 to 1024 charact": {"flowConfigs": []any{vars{"flowId": flow,
			"apiKeys": []any{"short"}}}},
		`configVariables: "No" is no config variable`: {"configVariables": []any{vars{"key": "No",
			"value": "1"}}},
	} {
		input["id"] = instance
		before := len(h.events())
		if a := h.do(updateDocument, vars{"input": input}); !strings.HasPrefix(a.refused("updateInstance"), want) ||
			h.since(before) != "" {
			t.Errorf("want %s: answered %s", want, a.body)
		}
	}
	if a := h.do(updateDocument, vars{"input": vars{"id": uuid.NewString()}}); a.refused("updateInstance") != "id: Record not found: instance" {
		t.Errorf("answered %s", a.body)
	}
}

func TestDeleteInstance(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.published(h.org, id)
	customer := h.customer(h.org, "Acme")
	instance := h.instance(h.org, "I", id, customer)
	if a := h.do(deleteDocument, vars{"id": instance}); a.text("deleteInstance.instance.id") != instance {
		t.Errorf("answered %s", a.body)
	}
	a := h.do(`query ($c: ID!) { instances { totalCount } customer(id: $c) { instances { totalCount } } }`,
		vars{"c": customer})
	if a.at("instances.totalCount") != 0.0 || a.at("customer.instances.totalCount") != 0.0 {
		t.Errorf("it is listed: %s", a.body)
	}
	for _, document := range []string{deleteDocument, deployDocument} {
		if a := h.do(document, vars{"id": instance}); !strings.Contains(a.body, "Record not found: instance") {
			t.Errorf("answered %s", a.body)
		}
	}
	system := domain.SystemInstanceID(id)
	if a := h.do(deleteDocument, vars{"id": system}); !strings.Contains(a.body, "goes with its integration only") {
		t.Errorf("answered %s", a.body)
	}
}

func TestCancelExecution(t *testing.T) {
	h := newHarness(t)
	canceled, stop := h.Live.Subscribe(live.CancelTopic)
	defer stop()
	run := h.executed(h.org, uuid.NewString(), 0)
	ended, done := h.Live.Subscribe(live.EndTopic(run))
	defer done()
	for range 2 { // the second time it is already so
		a := h.do(cancelDocument, vars{"id": run})
		if a.text("cancelExecution.executionResult.status") != "CANCELED" ||
			a.text("cancelExecution.executionResult.resultType") != "CANCELED" {
			t.Errorf("answered %s", a.body)
		}
		<-ended
		if id := <-canceled; string(id) != run {
			t.Errorf("told of %s", id)
		}
	}
	if a := h.do(cancelDocument, vars{"id": h.executed(h.org, uuid.NewString(),
		1)}); !strings.Contains(a.refused("cancelExecution"), "has ended already") {
		t.Errorf("answered %s", a.body)
	}
	if a := h.do(cancelDocument, vars{"id": uuid.NewString()}); !strings.Contains(a.refused("cancelExecution"),
		"Record not found") {
		t.Errorf("answered %s", a.body)
	}
	listed := h.do(`{ executionResults(status: CANCELED) { nodes { id } } }`, nil)
	if listed.texts("executionResults.nodes", "id") != run {
		t.Errorf("listed %s", listed.body)
	}
}

func TestReplayExecution(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	instance := h.instance(h.org, "I", id, h.customer(h.org, "Acme"))
	state, _ := h.View.Integrations.Get(h.id, id)
	published, _ := state.Version(version)
	flow := h.do(updateDocument, vars{"input": vars{"id": instance}}).text("updateInstance.instance.flowConfigs.nodes.0.flow.part")
	old := uuid.NewString()
	happen(h, h.org.system(t.Context()), domain.Runs, old, domain.RunQueued{Instance: instance, Integration: id,
		Version: uuid.NewString(), Definition: "old", Flow: flow,
		FlowName: "Orders", Invoke: domain.InvokedByWebhook, Digest: "d", Synchronous: true,
		Payload: domain.Content{Inline: []byte(`{"data":"x"}`), Size: 12}})
	if a := h.do(replayDocument, vars{"id": old}); !strings.Contains(a.refused("replayExecution"),
		"has not been deployed") {
		t.Errorf("answered %s", a.body)
	}
	h.do(deployDocument, vars{"id": instance})
	a := h.do(replayDocument, vars{"id": old})
	again := a.text("replayExecution.executionResult.id")
	if again == old || a.text("replayExecution.executionResult.replayForExecution.id") != old ||
		a.text("replayExecution.executionResult.status") != "QUEUED" {
		t.Fatalf("answered %s", a.body)
	}
	run, _, err := store.Load(t.Context(), h.Log, domain.Runs, again)
	if err != nil || run.Queued.Version != version || run.Queued.Definition != published.Definition ||
		run.Queued.Synchronous || run.Queued.Digest != "" ||
		string(run.Queued.Payload.Inline) != `{"data":"x"}` {
		t.Errorf("queued %+v, %v", run.Queued, err)
	}
	if a := h.do(replayDocument, vars{"id": uuid.NewString()}); !strings.Contains(a.refused("replayExecution"),
		"Record not found") {
		t.Errorf("answered %s", a.body)
	}
	happen(h, h.org.system(t.Context()), domain.Runs, old, domain.RunSuperseded{By: again})
	canceled := h.do(`query ($id: ID!) { executionResult(id: $id) { canceledByExecution { id canceledByExecution { id } } } }`, vars{"id": old})
	if by := "executionResult.canceledByExecution."; canceled.text(by+"id") != again ||
		canceled.at(by+"canceledByExecution") != nil {
		t.Errorf("answered %s", canceled.body)
	}
	gone := uuid.NewString()
	happen(h, h.org.system(t.Context()), domain.Runs, gone, domain.RunQueued{Instance: instance, Integration: id,
		Flow: uuid.NewString(), FlowName: "Gone", Invoke: domain.InvokedByWebhook})
	if a := h.do(replayDocument, vars{"id": gone}); !strings.Contains(a.refused("replayExecution"),
		`has not the flow "Gone"`) {
		t.Errorf("answered %s", a.body)
	}
}

// What an attempt wrote that was made again is in the log, too, at its place.
func TestLogsOfFailures(t *testing.T) {
	h := newHarness(t)
	run, at := uuid.NewString(), time.Now().UTC()
	line := func(message string) []domain.LogLine {
		return []domain.LogLine{{Time: at, Severity: "INFO", Message: message}}
	}
	happen(h, h.org.system(t.Context()), domain.Runs, run,
		domain.RunQueued{FlowName: "F", Invoke: domain.InvokedByWebhook}, domain.RunClaimed{Claim: 1},
		domain.StepFinished{Claim: 1, Path: "a", Name: "A", Ended: at, Log: line("first")},
		domain.StepRetried{Claim: 1, Path: "b", Name: "B", Attempt: 1, Log: line("tried")},
		domain.RunRestarted{Claim: 1, Attempt: 1, Error: "broke"}, domain.RunClaimed{Claim: 2},
		domain.StepFinished{Claim: 2, Path: "a", Name: "A", Attempt: 1, Ended: at.Add(time.Hour), Log: line("second")},
		domain.RunFinished{Claim: 2, Result: domain.Completed})
	a := h.do(`query ($id: ID!) { logs(executionResult: $id) { nodes { message } } executionResult(id: $id) { retryCount } }`, vars{"id": run})
	want := "Starting Instance Execution first tried attempt 1 of the flow failed and it begins again: broke second Ending Instance Execution"
	if a.texts("logs.nodes", "message") != want || a.at("executionResult.retryCount") != 1.0 {
		t.Errorf("answered %s", a.body)
	}
}
