package builtin

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func init() {
	register(component.Component{
		Key: "code", Label: "Code", Category: "Logic",
		Description: "Runs JavaScript of your own.",
		Actions: []component.Action{
			component.NewAction("runCode", "Code block",
				"Runs a JavaScript function (context, stepResults) and gives the data property of what it returns. "+
					"The function may also return contentType, statusCode and headers for the caller of a synchronous flow, whose body may then be named body instead of data, "+
					"and executionState, instanceState, crossFlowState and integrationState with values to keep. "+
					"Binary data comes as a Buffer and may be returned as one; require gives buffer, crypto (hashes and random values) and url. localeCompare orders as browsers do; there is no Intl, and toLocaleString knows no languages. fetch reaches what steps may reach; a step that uses it is recorded at once, so that after a crash no other is repeated, "+
					"and this one only if it had not ended. Promises that the function does not await end with it.",
				runCode),
		},
		Triggers: []component.Trigger{
			component.NewPerformedTrigger("runCodeTrigger", "Code block trigger",
				"Runs a JavaScript function (context, payload) when the flow's URL is called. The payload property of what it returns is the result; "+
					"its response, with statusCode, contentType, headers and body, is the answer to the caller of an asynchronous flow; its branch names the branch to run. "+
					"It is called once, before the caller is answered and the execution begins, and again only where the whole flow is tried again. It can't use fetch.", runCodeTrigger),
		},
	})
}

type runCodeInputs struct {
	Code string `key:"code" label:"Code" type:"code" required:"true" doc:"A function assigned to module.exports, such as: module.exports = async (context, stepResults) => ({ data: 1 })"`
}

// stateScopes names the persisted values of each scope in code.
var stateScopes = map[string]component.Scope{
	"executionState":   component.ExecutionScope,
	"instanceState":    component.FlowScope,
	"crossFlowState":   component.CrossFlowScope,
	"integrationState": component.IntegrationScope,
}

func runCode(ctx context.Context, step component.Step, in runCodeInputs) (component.Result, error) {
	value, err := callCode(ctx, step, component.ScriptCall{Source: in.Code, Args: []any{nil, step.Results()},
		HTTP: step.HTTP(), BeginEffect: step.BeginEffect})
	if err != nil {
		return component.Result{}, err
	}
	returned, isObject := value.(map[string]any)
	if !isObject {
		return component.Result{Data: value}, nil // a bare value, or nothing
	}
	return codeResult(step, returned)
}

// callCode calls a function with its context as the first argument, persists the values that it changed there
// or returned, and returns its result.
func callCode(ctx context.Context, step component.Step, call component.ScriptCall) (any, error) {
	names := slices.Sorted(maps.Keys(stateScopes))
	facts := maps.Clone(step.Facts())
	if facts == nil {
		facts = map[string]any{}
	}
	facts["stepId"] = step.ID()
	before := map[string]map[string]any{}
	for _, name := range names {
		values, err := step.State(stateScopes[name]).All(ctx)
		if err != nil {
			return nil, err
		}
		before[name], facts[name] = values, values
	}
	call.Args[0], call.Context, call.Log = facts, names, step.Log
	answer, err := step.Script(ctx, call)
	if err != nil {
		return nil, err
	}
	after, returned := mapOf(mapOf(answer)["context"]), mapOf(mapOf(answer)["value"])
	for _, name := range names {
		if err := keepState(ctx, step.State(stateScopes[name]), before[name], after[name], returned[name]); err != nil {
			return nil, err
		}
	}
	return mapOf(answer)["value"], nil
}

// codeResult converts the function's result.
func codeResult(step component.Step, returned map[string]any) (component.Result, error) {
	data, hasData := returned["data"]
	if !hasData { // the format's documentation of synchronous answers has this form
		data, hasData = returned["body"]
	}
	if !hasData && len(returned) > 0 {
		step.Log("warn", "The code returned an object without data, so the result of the step is null.")
	}
	result := component.Result{Data: data, ContentType: value.Text(returned["contentType"]),
		Branch: value.Text(returned["branch"])}
	result.Headers = codeHeaders(returned)
	var err error
	result.StatusCode, err = codeStatus(returned)
	return result, err
}

// codeStatus returns the HTTP status in a function's result, 0 for none.
func codeStatus(returned map[string]any) (int, error) {
	status := returned["statusCode"]
	if status == nil {
		return 0, nil
	}
	code, ok := status.(float64)
	if !ok || code < 200 || code > 599 || code != float64(int(code)) {
		return 0, refusal.New(refusal.Invalid,
			"the code returned the statusCode %s; an HTTP status is a number from 200 to 599", value.Text(status))
	}
	return int(code), nil
}

func codeHeaders(returned map[string]any) map[string]string {
	given, ok := returned["headers"].(map[string]any)
	if !ok {
		return nil
	}
	headers := make(map[string]string, len(given))
	for name, val := range given {
		headers[name] = value.Text(val)
	}
	return headers
}

// keepState persists the function's changes of one scope: in the object of its context, where a deleted key is
// removed, and in the object that it returned, which is merged and takes precedence. Keys with their old values
// are not written: another run may have changed them since.
func keepState(ctx context.Context, state component.State, before map[string]any, after, returned any) error {
	changed := maps.Clone(mapOf(after))
	if changed == nil { // the code replaced the object: that says nothing about the keys
		changed = maps.Clone(before)
	}
	maps.Copy(changed, mapOf(returned))
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, still := changed[key]; still {
			continue
		}
		if err := state.Remove(ctx, key); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		if old, had := before[key]; had && sameValue(old, changed[key]) {
			continue
		}
		if err := state.Set(ctx, key, changed[key]); err != nil {
			return err
		}
	}
	return nil
}

func mapOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// sameValue compares by stored form, in which an int64 and a float64 of the same number are alike.
func sameValue(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	left, errLeft := value.Encode(a)
	right, errRight := value.Encode(b)
	return errLeft == nil && errRight == nil && string(left) == string(right)
}
