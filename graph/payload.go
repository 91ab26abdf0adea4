package graph

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/blobs"
)

// What executions received and left is fetched from addresses that authorise themselves: clients
// follow them without a token, and hand them on.
const (
	payloadPath  = "/api/executions/"
	requestPart  = "request"
	responsePart = "response"
	stepPart     = "steps/"
)

// payloadURL is the address of a part of an execution from now on.
func (r *Resolver) payloadURL(run, part string) string {
	return r.signed(payloadPath+url.PathEscape(run)+"/"+part, nil)
}

// servePayload serves what a payload's address names.
func (r *Resolver) servePayload(w http.ResponseWriter, q *http.Request) {
	if !r.admit(w, q) {
		return
	}
	data, media, err := payloads{r.Log, r.Blobs}.payload(q.Context(), q.PathValue("run"), q.PathValue("what"))
	if err != nil {
		turnDown(r.Logger, w, q, err)
		return
	}
	deliver(w, media, data)
}

// payloads reads what executions received and left.
type payloads struct {
	log   store.Log
	blobs *blobs.Store
}

// payload makes the content of a part of an execution, and its media type.
func (p payloads) payload(ctx context.Context, id, part string) (data []byte, media string, err error) {
	run, _, err := store.Load(ctx, p.log, domain.Runs, id)
	if err == nil && run.ID == "" {
		err = refusal.Missing("execution")
	}
	if err != nil {
		return nil, "", err
	}
	step, of := strings.CutPrefix(part, stepPart)
	switch {
	case part == requestPart:
		data, err = p.request(ctx, run)
		return data, plainJSON, err
	case part == responsePart && run.Finished == nil:
		return nil, "", refusal.New(refusal.NotFound, "the execution has not ended yet")
	case part == responsePart:
		data, err = p.response(ctx, run)
		return data, plainJSON, err
	}
	for _, s := range run.Steps() {
		if of && (InstanceStepResult{run: id, step: s}).ID() == step {
			data, err = p.stepResult(ctx, s)
			return data, "application/msgpack", err
		}
	}
	return nil, "", refusal.Missing("step result")
}

// envelope is the form in which clients read what came in and went out.
type envelope struct {
	Method      string         `json:"method,omitempty"`
	StatusCode  int            `json:"statusCode,omitempty"`
	ContentType string         `json:"contentType"`
	Headers     map[string]any `json:"headers"`
	Query       map[string]any `json:"queryParameters,omitempty"`
	Body        string         `json:"body"` // base64
}

// request returns what an execution received.
func (p payloads) request(ctx context.Context, run domain.Run) ([]byte, error) {
	value, err := p.value(ctx, run.Queued.Payload)
	if err != nil {
		return nil, err
	}
	e := envelope{Headers: map[string]any{}}
	content := value
	if d, ok := component.ReadDelivery(value); ok {
		e.Method, e.ContentType, e.Query, content = d.Method, d.ContentType, d.QueryParameters, d.Data
		if d.Headers != nil {
			e.Headers = d.Headers
		}
	}
	return e.with(content)
}

// response returns the output of an ended execution's last step.
func (p payloads) response(ctx context.Context, run domain.Run) ([]byte, error) {
	e := envelope{StatusCode: http.StatusOK, Headers: map[string]any{}}
	last := run.Last()
	if last == nil {
		return e.with(nil)
	}
	e.StatusCode, e.ContentType = cmp.Or(last.StatusCode, http.StatusOK), last.ContentType
	for name, value := range last.Headers {
		e.Headers[name] = value
	}
	value, err := p.value(ctx, last.Output)
	if err != nil {
		return nil, err
	}
	return e.with(value)
}

// with puts the content in: text and bytes as they are, everything else as JSON.
func (e envelope) with(content any) ([]byte, error) {
	var body []byte
	switch c := content.(type) {
	case nil:
	case string:
		body = []byte(c)
	case []byte:
		body = c
	default:
		var err error
		if body, err = value.JSON(c); err != nil {
			return nil, err
		}
		e.ContentType = cmp.Or(e.ContentType, plainJSON)
	}
	e.Body = base64.StdEncoding.EncodeToString(body)
	return json.Marshal(e)
}

// stepResult returns a step's output as MessagePack.
func (p payloads) stepResult(ctx context.Context, s domain.StepFinished) ([]byte, error) {
	val, err := p.value(ctx, s.Output)
	if err != nil {
		return nil, err
	}
	return value.AppendMessagePack(nil, map[string]any{"data": val, "contentType": s.ContentType})
}

// value reads content; that of a step that has failed is none.
func (p payloads) value(ctx context.Context, c domain.Content) (any, error) {
	data, err := p.blobs.Load(ctx, c)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return value.Decode(data)
}
