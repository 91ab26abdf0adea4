package builtin

import (
	"context"

	"heddle/component"
	"heddle/component/value"
)

type codeTriggerInputs struct {
	Code string `key:"code" label:"Code" type:"code" required:"true" doc:"A function assigned to module.exports, such as: module.exports = async (context, payload) => ({ payload, response: { statusCode: 201 } })"`
}

func runCodeTrigger(ctx context.Context, step component.Step, payload map[string]any,
	in codeTriggerInputs) (component.Result, error) {
	val, err := callCode(ctx, step, component.ScriptCall{Source: in.Code, Args: []any{nil, payload}})
	if err != nil {
		return component.Result{}, err
	}
	returned := mapOf(val)
	if _, has := returned["payload"]; !has {
		step.Log("warn", "The code returned nothing with a payload, so the result of the trigger is null.")
	}
	result := component.Result{Data: returned["payload"], Branch: value.Text(returned["branch"])}
	response, isObject := returned["response"].(map[string]any)
	if !isObject {
		return result, nil
	}
	status, err := codeStatus(response)
	result.Response = &component.Response{StatusCode: status, ContentType: value.Text(response["contentType"]),
		Headers: codeHeaders(response), Body: value.Text(response["body"])}
	return result, err
}
