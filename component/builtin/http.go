package builtin

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"heddle/component"
	"heddle/component/value"
)

func init() {
	// Definitions also have a private copy of the component, with the same actions.
	for _, c := range []struct{ key, label string }{{"http", "HTTP"}, {"customHttp", "Custom HTTP"}} {
		register(component.Component{
			Key: c.key, Label: c.label, Category: "Data", Description: "Calls HTTP services.",
			Actions: httpActions(),
			Triggers: []component.Trigger{
				component.NewTrigger("webhook", "Webhook",
					"Starts the flow when its URL is called, as the trigger of the component Webhook does.",
					receiveWebhook),
			},
		})
	}
}

func httpActions() []component.Action {
	return []component.Action{
		component.NewAction("httpGet", "GET request", httpDoc(http.MethodGet),
			withoutBody(http.MethodGet)).WithEffect(),
		component.NewAction("httpPost", "POST request", httpDoc(http.MethodPost),
			withBody(http.MethodPost)).WithEffect(),
		component.NewAction("httpPut", "PUT request", httpDoc(http.MethodPut), withBody(http.MethodPut)).WithEffect(),
		component.NewAction("httpPatch", "PATCH request", httpDoc(http.MethodPatch),
			withBody(http.MethodPatch)).WithEffect(),
		component.NewAction("httpDelete", "DELETE request", httpDoc(http.MethodDelete),
			withoutBody(http.MethodDelete)).WithEffect(),
		component.NewAction("httpPostFormData", "POST/PUT form data request",
			httpDoc("POST or PUT")+" The body is multipart/form-data.", sendForm).WithEffect(),
		component.NewAction("httpRequest", "Request", httpDoc("freely chosen"), sendAny).WithEffect(),
	}
}

func httpDoc(method string) string {
	return "Sends a " + method +
		" request and gives the body of the answer. An answer with a status other than 2xx fails the step."
}

// httpInputs are the inputs that all requests have.
type httpInputs struct {
	URL                string           `key:"url" label:"URL" required:"true" doc:"Where to send the request. With an HTTP connection that has a base URL it may be a path."`
	Connection         any              `key:"connection" label:"Connection" type:"connection" doc:"How to authenticate: by an OAuth 2.0 token, by the fields username and password, or by the field apiKey, with the fields scheme (Basic if it is missing, or Bearer) and headerKey (Authorization if it is missing). A header of that name among the headers below takes precedence."`
	Headers            []value.KeyValue `key:"headers" label:"Headers" doc:"Headers to send. Unless Idempotency-Key is among them, requests other than GET carry one that stays the same if the step is repeated. A header whose value is null is left out."`
	QueryParams        []value.KeyValue `key:"queryParams" label:"Query parameters" doc:"Parameters to add to the URL, encoded as needed. One whose value is null is left out; lists and objects are sent as JSON."`
	ResponseType       string           `key:"responseType" label:"Response type" default:"json" options:"json,text,binary" doc:"How to read the answer: json gives the value (or the text, if it is no JSON), text the text (in UTF-8, or in the character set that the answer names), binary an object with data and contentType."`
	Timeout            float64          `key:"timeout" label:"Timeout" doc:"Milliseconds until an attempt is given up; if empty, a limit that the operator sets."`
	MaxRetries         int              `key:"maxRetries" label:"Retries" default:"0" doc:"How many more times to try when the service cannot be reached or answers 429 or 5xx."`
	RetryDelayMS       float64          `key:"retryDelayMS" label:"Retry delay" default:"0" doc:"Milliseconds between two attempts. A Retry-After header of the answer takes precedence."`
	ExponentialBackoff bool             `key:"useExponentialBackoff" label:"Exponential backoff" default:"false" doc:"Double the delay after each attempt, starting at half a second; the retry delay is ignored."`
	RetryOnAllErrors   bool             `key:"retryOnAllErrors" label:"Retry on all errors" default:"false" doc:"Also retry answers that a repetition rarely mends, such as 404."`
	FullResponse       bool             `key:"includeFullResponse" label:"Include full response" default:"false" doc:"Give an object with data, status, statusText and headers (in lower case, set-cookie as a list) instead of the body alone."`
	Debug              bool             `key:"debugRequest" label:"Debug request" default:"false" doc:"Write requests and answers to the log, without secrets and bodies."`
	MaxRedirects       int              `key:"maxRedirects" label:"Max redirects" default:"5" doc:"How many redirects to follow, at most 20. One to another host, port or scheme gets of the headers only those that say what is sent and wanted, such as Content-Type and Accept."`
	IgnoreSSLErrors    bool             `key:"ignoreSslErrors" label:"Ignore TLS errors" default:"false" doc:"Accept a certificate that cannot be verified. For tests only: the other side can be anyone."`
}

type httpDataInputs struct {
	httpInputs
	Data any `key:"data" label:"Data" doc:"What to send. Lists, objects, numbers and booleans are sent as JSON, text as plain text, binary data as it is. An object with exactly data and contentType, such as the body of a webhook, is sent as its data with that content type. A Content-Type header takes precedence; if it is application/x-www-form-urlencoded, an object is sent as such a form."`
}

func withoutBody(method string) func(context.Context, component.Step, httpInputs) (component.Result, error) {
	return func(ctx context.Context, step component.Step, in httpInputs) (component.Result, error) {
		return sendHTTP(ctx, step, method, in, nil)
	}
}

func withBody(method string) func(context.Context, component.Step, httpDataInputs) (component.Result, error) {
	return func(ctx context.Context, step component.Step, in httpDataInputs) (component.Result, error) {
		return sendHTTP(ctx, step, method, in.httpInputs, in.Data)
	}
}

type httpAnyInputs struct {
	httpDataInputs
	Method string `key:"method" label:"Method" default:"GET" options:"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS" doc:"The HTTP method."`
}

func sendAny(ctx context.Context, step component.Step, in httpAnyInputs) (component.Result, error) {
	return sendHTTP(ctx, step, strings.ToUpper(in.Method), in.httpInputs, in.Data)
}

func sendHTTP(ctx context.Context, step component.Step, method string, in httpInputs,
	data any) (component.Result, error) {
	budget := value.NewBudget(ctx)
	if form, isObject := data.(map[string]any); isObject && in.asForm() {
		text, err := formOf(budget, form)
		if err != nil {
			return component.Result{}, err
		}
		data = text
	}
	body, contentType, err := encodeBody(budget, data)
	if err != nil {
		return component.Result{}, err
	}
	return send(ctx, step, method, in, body, contentType)
}

// asForm reports whether the headers ask for a URL-encoded form.
func (in httpInputs) asForm() bool {
	return slices.ContainsFunc(in.Headers, func(pair value.KeyValue) bool {
		media, _, _ := strings.Cut(value.Text(pair.Value), ";")
		return strings.EqualFold(pair.Key, "Content-Type") &&
			strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
	})
}

func send(ctx context.Context, step component.Step, method string, in httpInputs, body []byte,
	contentType string) (component.Result, error) {
	call, err := newCall(step, method, in, body, contentType)
	if err != nil {
		return component.Result{}, err
	}
	client, done, err := call.client()
	if err != nil {
		return component.Result{}, err
	}
	defer done()
	answer, err := call.tryOften(ctx, client)
	if err != nil {
		return component.Result{}, err
	}
	return answer.result(value.NewBudget(ctx), in)
}
