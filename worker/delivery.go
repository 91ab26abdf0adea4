package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain"
	"heddle/domain/refusal"
)

// maxQueryParameters is how many parameters a trigger's URL may have: real ones have some dozens.
const maxQueryParameters = 1000

// readDelivery reads a request to a trigger, in the form that RunQueued keeps. The rest of what the flow sees is
// added when it runs. release returns the memory that is booked for the body.
func (q request) readDelivery(instance, rest string) (delivery *component.Delivery, release func(), err error) {
	r := q.r
	if strings.Count(r.URL.RawQuery, "&") >= maxQueryParameters {
		return nil, nil, refusal.New(refusal.Invalid, "a request may have %d query parameters", maxQueryParameters)
	}
	body, release, err := q.readBody(instance)
	if err != nil {
		return nil, nil, err
	}
	contentType := r.Header.Get("Content-Type")
	if err := checkBody(body, contentType, q.w.bodyLimits()); err != nil {
		release()
		return nil, nil, err
	}
	headers := map[string]any{}
	for name, values := range r.Header {
		if name != apiKeyHeader && name != lineageHeader { // they open something, and are nobody's business after that
			headers[name] = strings.Join(values, ", ")
		}
	}
	query := map[string]any{}
	for name, values := range r.URL.Query() {
		query[name] = values[len(values)-1]
	}
	return &component.Delivery{Method: r.Method, Headers: headers, QueryParameters: query, PathFragment: rest,
		ContentType: contentType, Data: textOrBytes(body)}, release, nil
}

// passingHeaders may differ when a request is sent again, and do not identify its sender.
var passingHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Date", "Traceparent", "Tracestate", "User-Agent", "Via",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id",
}

// digest identifies a request that may be repeated: its method, address and body, and its headers if the trigger
// may depend on them and is not asked again.
func (q request) digest(t target, delivery *component.Delivery) string {
	h, r := sha256.New(), q.r
	parts := []string{r.Method, r.URL.Path, r.URL.RawQuery, value.Text(delivery.Data)}
	if trigger, err := q.w.triggerOf(t.flow.Trigger()); err == nil && trigger.Perform != nil && !trigger.Raw {
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			if !slices.Contains(passingHeaders, name) {
				parts = append(parts, name, strings.Join(r.Header[name], ", "))
			}
		}
	}
	for _, part := range parts {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// receiveStep has the run's trigger do its step with the delivery. A limit that the body exceeds is the step's
// failure; err is the worker's.
func (s *stepContext) receiveStep(ctx context.Context, trigger component.Trigger, inputs map[string]any,
) (result component.Result, failure, err error) {
	x := s.x
	delivery := x.delivery
	if delivery == nil {
		marks := (*masker)(nil)
		if x.run.Queued.Marked {
			marks = x.payloadMarks()
		}
		if delivery, err = x.w.deliveryOf(ctx, x.run.Queued.Payload, marks); err != nil {
			return result, nil, fmt.Errorf("reading the payload: %w", err)
		}
	}
	result, failure = s.guarded(func() (component.Result, error) {
		return s.receiveWith(ctx, trigger, delivery, inputs)
	})
	return result, failure, nil
}

// receiveWith calls a trigger with the delivery and the run's context. If the trigger authorizes callers by the raw
// body, the body is parsed only afterwards: parsing costs many times what the request did. Source: the trigger
// payload of the format's SDK.
func (s *stepContext) receiveWith(ctx context.Context, trigger component.Trigger, delivery *component.Delivery,
	inputs map[string]any,
) (component.Result, error) {
	x := s.x
	payload := payloadOf(x.runContext, delivery)
	x.addOwn(payload)
	if trigger.Raw {
		result, err := trigger.Do(ctx, s, payload, inputs)
		if err == nil {
			err = x.w.addBody(payload)
		}
		return result, err
	}
	if err := x.w.addBody(payload); err != nil {
		return component.Result{}, err
	}
	return trigger.Do(ctx, s, payload, inputs)
}

// payloadOf adds a delivery to the run context, without the parsed body, see addBody.
func payloadOf(facts map[string]any, d *component.Delivery) map[string]any {
	const more = 8 // see addOwn and addBody, too
	p := make(map[string]any, len(facts)+more)
	maps.Copy(p, facts)
	p["headers"], p["queryParameters"] = d.Headers, d.QueryParameters
	p["pathFragment"], p["method"] = d.PathFragment, d.Method
	p["rawBody"] = map[string]any{"data": d.Data, "contentType": d.ContentType}
	return p
}

// addBody adds the parsed body to a payload.
func (w *Worker) addBody(payload map[string]any) error {
	raw, _ := payload["rawBody"].(map[string]any)
	contentType, _ := raw["contentType"].(string)
	data, err := parseBody(raw["data"], contentType, w.bodyLimits())
	payload["body"] = map[string]any{"data": data, "contentType": contentType}
	return err
}

func (w *Worker) bodyLimits() bodyLimits { return bodyLimits{w.MaxBodyMemory, w.MaxBodyParts} }

// answerOf returns the synchronous answer of a completed run, made from its last step's result.
func (w *Worker) answerOf(ctx context.Context, r domain.Run) (answer, error) {
	last := r.Last()
	if last == nil {
		return answer{status: http.StatusOK, contentType: "application/json", body: []byte("null")}, nil
	}
	data, err := w.Blobs.Load(ctx, last.Output)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: last.StatusCode, contentType: last.ContentType, headers: last.Headers}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a, a.set(data)
}
