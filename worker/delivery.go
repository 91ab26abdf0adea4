package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"heddle/domain"
)

// delivery is what a trigger received, as RunQueued keeps it. What the flow sees besides is added
// when it runs.
func readDelivery(r *http.Request, rest string, limit int64) (map[string]any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return nil, err
	}
	headers := map[string]any{}
	for name, values := range r.Header {
		if name != "Api-Key" { // it opens the endpoint and is nobody's business after that
			headers[name] = strings.Join(values, ", ")
		}
	}
	query := map[string]any{}
	for name, values := range r.URL.Query() {
		query[name] = values[len(values)-1]
	}
	d := map[string]any{"method": r.Method, "headers": headers, "queryParameters": query, "pathFragment": rest,
		"contentType": r.Header.Get("Content-Type"), "data": nil}
	switch {
	case len(body) == 0:
	case utf8.Valid(body):
		d["data"] = string(body)
	default:
		d["data"] = body
	}
	return d, nil
}

// payload is the trigger step's raw material: what was delivered, and the facts. Source: the
// trigger payload of the format's SDK.
func (x *execution) payload(ctx context.Context) (map[string]any, error) {
	stored, err := x.load(ctx, x.run.Queued.Payload)
	if err != nil {
		return nil, fmt.Errorf("reading the payload: %w", err)
	}
	d, _ := stored.(map[string]any)
	p := maps.Clone(x.facts)
	delete(p, "configVars")
	contentType, _ := d["contentType"].(string)
	p["headers"], p["queryParameters"], p["pathFragment"], p["method"] = d["headers"], d["queryParameters"], d["pathFragment"], d["method"]
	p["rawBody"] = map[string]any{"data": d["data"], "contentType": contentType}
	p["body"] = map[string]any{"data": parseBody(d["data"], contentType), "contentType": contentType}
	return p, nil
}

// parseBody gives JSON bodies as values and all others as they came.
func parseBody(data any, contentType string) any {
	text, ok := data.(string)
	media, _, _ := mime.ParseMediaType(contentType)
	if !ok || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return data
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return data // the flow sees what came; it may know better than the header
	}
	return value
}

// answerOf is what a synchronous caller gets from a run that has completed: what its last step left.
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
