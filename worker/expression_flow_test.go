package worker

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/builtin"
	"heddle/domain/definition"
	"heddle/worker/expression"
	"heddle/worker/outbound"
	"heddle/worker/script"
)

// flowRun does the steps of a flow without engine, queue and log: what is left is how inputs are
// resolved and what the components, the script engine and the guarded client make of them.
type flowRun struct {
	component.Step // what these flows do not ask for is not there
	t              *testing.T
	scope          *expression.Scope
	kept           keptValues
	lines          []string
	client         *http.Client
	last           component.Result
}

func (r *flowRun) IdempotencyKey() string                { return "run/step" }
func (r *flowRun) ID() string                            { return "step" }
func (r *flowRun) BeginEffect() error                    { return nil }
func (r *flowRun) Log(level, message string)             { r.lines = append(r.lines, level+": "+message) }
func (r *flowRun) State(component.Scope) component.State { return r.kept }
func (r *flowRun) HTTP() *http.Client                    { return r.client }
func (r *flowRun) Facts() map[string]any                 { return map[string]any{"executionId": "e"} }
func (r *flowRun) Results() map[string]any               { return r.scope.Results() }
func (r *flowRun) Script(ctx context.Context, call component.ScriptCall) (any, error) {
	return script.Run(ctx, call, script.DefaultLimits)
}

type keptValues map[string]any

func (k keptValues) Get(_ context.Context, key string) (any, bool, error) {
	v, ok := k[key]
	return v, ok, nil
}
func (k keptValues) All(context.Context) (map[string]any, error) { return k, nil }
func (k keptValues) Update(_ context.Context, key string, change func(any, bool) (any, error)) (any, error) {
	old, found := k[key]
	value, err := change(old, found)
	k[key] = value
	return value, err
}
func (k keptValues) Set(_ context.Context, key string, value any) error {
	k[key] = value
	return nil
}
func (k keptValues) Remove(_ context.Context, key string) error {
	delete(k, key)
	return nil
}

func (r *flowRun) steps(steps []*definition.Part, payload map[string]any) error {
	registry := component.New(builtin.Components()...)
	for _, step := range steps {
		inputs := map[string]any{}
		for name, input := range step.Inputs() {
			value, err := expression.Resolve(input, r.scope)
			if err != nil {
				return err
			}
			inputs[name] = value
		}
		result, err := r.do(registry, step, payload, inputs)
		if err != nil {
			return err
		}
		r.scope.Set(definition.Identifier(step.Name()), result.Data)
		r.last = result
		for _, branch := range step.Branches() {
			if branch.Name() == result.Branch {
				if err := r.steps(branch.Steps(), payload); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *flowRun) do(registry *component.Registry, step *definition.Part, payload,
	inputs map[string]any) (component.Result, error) {
	ref := step.Action()
	if step.IsTrigger() {
		trigger, err := registry.LookupTrigger(ref.Component, ref.Key)
		if err != nil {
			return component.Result{}, err
		}
		return trigger.Receive(r.t.Context(), payload, inputs)
	}
	action, err := registry.Lookup(ref.Component, ref.Key)
	if err != nil {
		return component.Result{}, err
	}
	return action.Perform(r.t.Context(), r, inputs)
}

func body(data any, contentType string) map[string]any {
	return map[string]any{"body": map[string]any{"data": data, "contentType": contentType}}
}

func TestFlowsOfDefinition(t *testing.T) {
	text, err := os.ReadFile("testdata/script/router.yaml")
	if err != nil {
		t.Fatal(err)
	}
	def, _, err := definition.Parse(text, definition.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var got, contentType string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, contentType = string(b), r.Header.Get("Content-Type")
		_, _ = io.WriteString(w, `{"executionId":"other"}`)
	}))
	defer receiver.Close()
	kept := keptValues{}
	client, err := outbound.NewClient([]string{receiver.Listener.Addr().String()}, outbound.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	run := func(flow int, payload map[string]any) (*flowRun, error) {
		r := &flowRun{t: t, scope: expression.NewScope(nil), kept: kept, client: client}
		return r, r.steps(def.Flows()[flow].Steps(), payload)
	}
	event := func(name string) map[string]any {
		return body(map[string]any{"event": name, "channel": "C1", "channelId": "C1", "url": receiver.URL,
			"instanceInteractivityWebhookUrl": receiver.URL}, "application/json")
	}
	form := url.Values{"payload": {`{"channel":{"id":"C1"}}`}}.Encode()

	r, err := run(0, event("register"))
	if err != nil || len(r.lines) != 1 ||
		r.scope.Lookup(definition.Path{Step: "keep", Kind: definition.KindResults,
			Rest: []string{"value"}}) != receiver.URL {
		t.Fatalf("registering: %v, %v", err, r.lines)
	}
	if diff := cmp.Diff([]string{`info: Channel "C1" goes to ` + receiver.URL}, r.lines); diff != "" {
		t.Error(diff)
	}
	if r, err = run(1, body(form, "application/x-www-form-urlencoded")); err != nil {
		t.Fatalf("routing: %v", err)
	}
	if got != form || contentType != "application/x-www-form-urlencoded" ||
		!cmp.Equal(r.last.Data, any(map[string]any{"executionId": "other"})) {
		t.Errorf("the receiver got %q as %q, the step %v", got, contentType, r.last.Data)
	}
	if r, err = run(2, body(nil, "")); err != nil || !cmp.Equal(r.last.Data, any(map[string]any{"C1": receiver.URL})) {
		t.Errorf("showing: %v, %v", r.last.Data, err)
	}
	if _, err = run(0, event("other")); err != nil || len(kept) != 1 {
		t.Errorf("an unknown event: %v, %v", err, kept)
	}
	if _, err = run(0, event("deregister")); err != nil || len(kept) != 0 {
		t.Errorf("deregistering: %v, %v", err, kept)
	}
	_, err = run(1, body(form, "application/x-www-form-urlencoded"))
	if err == nil || err.Error() != "url: URL is required" {
		t.Errorf("routing to nowhere: %v", err)
	}
}
