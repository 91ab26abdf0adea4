package builtin

import (
	"context"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func init() {
	register(component.Component{
		Key: "stop-execution", Label: "Stop execution", Category: "Logic",
		Description: "Ends an execution early.",
		Actions: []component.Action{
			component.NewAction("stopExecution", "Stop execution",
				"Ends the execution as a success; no later step is run. Its result is the answer to the caller of a synchronous flow.",
				stopExecution).WithStop(),
		},
	})
}

type stopExecutionInputs struct {
	StatusCode  int              `key:"statusCode" label:"Response status" default:"200" doc:"HTTP status of the answer."`
	ContentType string           `key:"contentType" label:"Response content type" default:"application/json" doc:"Content type of the answer."`
	Body        any              `key:"jsonBody" label:"Response body" doc:"Body of the answer: text as it is, all else as JSON."`
	Headers     []value.KeyValue `key:"headers" label:"Response headers" doc:"Further headers of the answer."`
}

func stopExecution(_ context.Context, _ component.Step, in stopExecutionInputs) (component.Result, error) {
	if in.StatusCode < 200 || in.StatusCode > 599 {
		return component.Result{}, refusal.ForField(refusal.Invalid, "statusCode",
			"an HTTP status is a number from 200 to 599, not %d", in.StatusCode)
	}
	result := component.Result{Data: in.Body, ContentType: in.ContentType, StatusCode: in.StatusCode}
	if len(in.Headers) > 0 {
		result.Headers = headerMap(in.Headers)
	}
	return result, nil
}
