package builtin

import (
	"context"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func init() {
	register(component.Component{
		Key: "webhook-triggers", Label: "Webhook", Category: "Triggers",
		Description: "Starts a flow when its URL is called.",
		Triggers: []component.Trigger{
			component.NewTrigger("webhook", "Webhook",
				"Starts the flow when its URL is called. Later steps find the call's headers, query parameters and body in the result.",
				receiveWebhook),
		},
	})
}

type webhookInputs struct {
	StatusCode  int              `key:"statusCode" label:"Response status" doc:"HTTP status that a caller of an asynchronous flow is answered with; 200 if empty."`
	ContentType string           `key:"contentType" label:"Response content type" doc:"Content type of the answer; application/json if empty."`
	Headers     []value.KeyValue `key:"headers" label:"Response headers" doc:"Further headers of the answer."`
	Body        string           `key:"body" label:"Response body" doc:"Body of the answer; if empty, a JSON object with the id of the execution."`
}

// receiveWebhook returns the delivery as it is. Callers of synchronous flows are answered by the flow's last
// step instead, so the inputs do not concern them.
func receiveWebhook(_ context.Context, payload map[string]any, in webhookInputs) (component.Result, error) {
	result := component.Result{Data: payload}
	if in.StatusCode == 0 && in.ContentType == "" && len(in.Headers) == 0 && in.Body == "" {
		return result, nil
	}
	if in.StatusCode != 0 && (in.StatusCode < 200 || in.StatusCode > 599) {
		return component.Result{}, refusal.ForField(refusal.Invalid, "statusCode",
			"an HTTP status is a number from 200 to 599, not %d", in.StatusCode)
	}
	result.Response = &component.Response{
		StatusCode: in.StatusCode, ContentType: in.ContentType, Headers: headerMap(in.Headers), Body: in.Body,
	}
	return result, nil
}

func headerMap(pairs []value.KeyValue) map[string]string {
	headers := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		if pair.Key != "" {
			headers[pair.Key] = value.Text(pair.Value)
		}
	}
	return headers
}
