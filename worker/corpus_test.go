package worker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/definition"
)

// corpus is where definitions are that other people wrote; where it is missing they are skipped.
const corpus = "../../shared/corpus"

// answering answers every request with one JSON value, without a network.
type answering struct{ value any }

// RoundTrip implements [http.RoundTripper].
func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := json.Marshal(a.value)
	return &http.Response{StatusCode: 200, Status: "200 OK", Proto: "HTTP/1.1", Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body))}, err
}

// answered is a step whose requests get the answer that later steps expect.
type answered struct {
	component.Step
	client *http.Client
}

// HTTP implements [component.Step].
func (a answered) HTTP() *http.Client { return a.client }

// asked is what code asks of steps and of the configuration where no reference says it, by file.
var asked = map[string]string{
	"jira-example.yml": `{"Jira Issue Field Mapper": [{"source": "summary", "destination": "title"}],
		"listIssues": {"issues": [{"id": "1", "fields": {"project": {"id": "1"}, "issuetype": {"id": "1"}}}]}, "getIssue": {"fields": {"project": {"id": "1"}, "issuetype": {"id": "1"}}},
		"createTicketInJiraFromAcmeTrigger": {"body": {"data": {"issuekey": "1", "assignee": "a", "summary": "s", "status": "open", "projectid": "1", "issuetype": "1"}}}}`,
	"progix-acmeerp.yaml":           `{"webhookTrigger": {"body": {"data": {"fuelUsed": [{"type": "Hydrazine", "pounds": 5}]}}}}`,
	"slack-incident-monitoring.yml": `{"createIncidentTrigger": {"body": {"data": {"assignee": {"id": "1"}}}}}`,
	"slack-interactivity-router.yaml": `{"deserializeJson": {"channel": {"id": "1"}},
		"integrationTrigger": {"body": {"data": {"event": "register", "instanceInteractivityWebhookUrl": "https://stub.example/"}}}}`,
	// one of its 1,000 pages
	"update-instances.yml": `{"listInstances": {"data": {"data": {"integration": {"instances": {"pageInfo": {"hasNextPage": false}}}}}}}`,
}

// Every flow of real definitions runs to its end, with the components of vendors stubbed.
func TestCorpusRuns(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus, "*.y*ml"))
	if err != nil || len(files) == 0 {
		t.Skip("no corpus at " + corpus + ": definitions of other people are not run")
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "synthetic") { // hand-written and partly wrong: it need only parse
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			wanted := map[string]any{}
			if err := json.Unmarshal([]byte(cmp.Or(asked[filepath.Base(file)], "{}")), &wanted); err != nil {
				t.Fatal(err)
			}
			h := newHarness(t)
			h.RunTimeout = 30 * time.Second
			instance, urls := h.deploy(string(text))
			definition, _ := h.flows(instance)
			h.configure(instance, definition, wanted)
			all := h.stub(definition, wanted)
			h.start()
			for _, flow := range definition.Flows() {
				answer := h.trigger(urls[flow.Name()], all[flow.ID].own(flow.Trigger()))
				if run := h.ended(answer.Header().Get(ExecutionHeader)); run.Finished.Result != domain.Completed {
					t.Errorf("%s ended with %s: if that is for want of what its code expects of a vendor, say that in asked", flow.Name(), run.Finished.Error)
				}
			}
		})
	}
}

// trigger starts a flow synchronously, so that what fails is not tried again in a minute.
func (h *harness) trigger(at string, payload *shape) *httptest.ResponseRecorder {
	body := payload.at("body", "data").value()
	text, plain := body.(string)
	contentType := "text/plain"
	if !plain {
		text, contentType = jsonText(body), "application/json"
	}
	headers := []string{synchronousHeader, "true"}
	for name, val := range payload.at("headers").fields {
		headers = append(headers, name, value.Text(val.value()))
	}
	query := url.Values{}
	for name, val := range payload.at("queryParameters").fields {
		query.Set(name, value.Text(val.value()))
	}
	return h.post(at+"?"+query.Encode(), contentType, text, headers...)
}

// configure sets what has no default.
func (h *harness) configure(instance string, definition *definition.Part, asked map[string]any) {
	var values []domain.ConfigValue
	for _, v := range definition.ConfigVars() {
		value := domain.ConfigValue{Variable: v.ID, Key: v.Key(), Value: stubURL}
		if given, ok := asked[v.Key()]; ok {
			value.Value = jsonText(given)
		}
		if _, connection := v.Connection(); !connection && v.Text("defaultValue") == "" {
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return
	}
	if err := h.View.Wait(h.ctx, changeAll(h, domain.Instances, instance,
		domain.InstanceConfigured{Values: values})); err != nil {
		h.t.Fatal(err)
	}
}

// stub has an answer for each step of a component that is not built in and for each request, in the
// shape that the references to it ask for. It returns the shapes by flow.
func (h *harness) stub(def *definition.Part, asked map[string]any) map[string]*shapes {
	all := map[string]*shapes{}
	own := map[string]*shape{} // by step
	actions := map[string]map[string]component.Action{"sleep": {}, "http": {}, "customHttp": {}}
	for _, flow := range def.Flows() {
		all[flow.ID] = shapesOf(flow)
		for _, step := range stepsOf(flow) {
			ref := step.Action()
			own[step.ID] = all[flow.ID].own(step)
			own[step.ID].is(asked[definition.Identifier(step.Name())])
			known, builtin := h.Components.Component(ref.Component)
			if builtin && actions[known.Key] == nil || step.IsTrigger() && builtin {
				continue
			}
			if actions[ref.Component] == nil {
				actions[ref.Component] = map[string]component.Action{}
			}
			action, _ := h.Components.Lookup(ref.Component, ref.Key)
			if builtin && ref.Component != "sleep" { // nobody waits for it
				actions[ref.Component][ref.Key] = shapedRequest(action, own)
			} else if !step.IsTrigger() {
				actions[ref.Component][ref.Key] = shaped(step, own)
			}
		}
	}
	for key, some := range actions {
		h.Components = h.Components.With(component.Stub(key, component.Result{}, slices.Collect(maps.Values(some))...))
	}
	return all
}

// shaped is a vendor's action.
func shaped(step *definition.Part, own map[string]*shape) component.Action {
	action := component.Answer(step.Action().Key, component.Result{})
	branch := ""
	if branches := step.Branches(); len(branches) > 0 {
		branch, action.Branches = branches[0].Name(), true
	}
	action.Perform = func(_ context.Context, step component.Step, _ map[string]any) (component.Result, error) {
		return component.Result{Data: own[step.ID()].value(), Branch: branch}, nil
	}
	return action
}

// shapedRequest is an action of the component http whose requests are answered.
func shapedRequest(action component.Action, own map[string]*shape) component.Action {
	perform := action.Perform
	action.Perform = func(ctx context.Context, step component.Step, inputs map[string]any) (component.Result, error) {
		value := own[step.ID()]
		if inputs["includeFullResponse"] == "true" {
			value = value.at("data")
		}
		return perform(ctx, answered{step, &http.Client{Transport: answering{value.value()}}}, inputs)
	}
	return action
}
