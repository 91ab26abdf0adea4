package worker

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"unicode/utf8"

	"heddle/component"
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
		if name != keyOfEndpoint { // it opens the endpoint and is nobody's business after that
			headers[name] = strings.Join(values, ", ")
		}
	}
	query := map[string]any{}
	for name, values := range r.URL.Query() {
		query[name] = values[len(values)-1]
	}
	return map[string]any{"method": r.Method, "headers": headers, "queryParameters": query, "pathFragment": rest,
		"contentType": r.Header.Get("Content-Type"), "data": textOrBytes(body)}, nil
}

// digest tells whether a request that comes again is the same: its method, where it went and its body.
func digest(r *http.Request, delivery map[string]any) string {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery, component.Text(delivery["data"])} {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// payload is the trigger step's raw material: what was delivered, and the facts. Source: the
// trigger payload of the format's SDK.
func (x *execution) payload(ctx context.Context) (map[string]any, error) {
	if x.delivery != nil {
		return x.payloadOf(x.delivery), nil
	}
	d, err := x.deliveryOf(ctx, x.run.Queued.Payload)
	if err != nil {
		return nil, fmt.Errorf("reading the payload: %w", err)
	}
	return x.payloadOf(d), nil
}

func (x *execution) payloadOf(delivery map[string]any) map[string]any {
	p := payloadOf(x.facts, delivery)
	x.addOwn(p)
	return p
}

// payloadOf adds to what is known of a run what was delivered.
func payloadOf(facts, d map[string]any) map[string]any {
	const own = 2 // see addOwn
	p := make(map[string]any, len(facts)+len(d)+own)
	maps.Copy(p, facts)
	contentType, _ := d["contentType"].(string)
	p["headers"], p["queryParameters"], p["pathFragment"], p["method"] = d["headers"], d["queryParameters"], d["pathFragment"], d["method"]
	p["rawBody"] = map[string]any{"data": d["data"], "contentType": contentType}
	p["body"] = map[string]any{"data": parseBody(d["data"], contentType), "contentType": contentType}
	return p
}

// parseBody gives JSON bodies as values, multipart forms by field, and all others as they came. So
// does a body that is not what its content type says: the flow may know better.
func parseBody(data any, contentType string) any {
	var body []byte
	switch d := data.(type) {
	case string:
		body = []byte(d)
	case []byte:
		body = d
	}
	switch media, params, _ := mime.ParseMediaType(contentType); {
	case isJSON(media):
		if value, err := component.ParseJSON(bytes.TrimPrefix(body, []byte("\uFEFF"))); err == nil { // some programs write a byte order mark
			return value
		}
	case media == "multipart/form-data":
		if fields, err := parseForm(body, params["boundary"]); err == nil {
			return fields
		}
	}
	return data
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// parseForm gives each field of a multipart form as {data, contentType}, with the fileName of a file
// and a list for a field that comes more than once. Source: the format's documentation of triggers.
func parseForm(body []byte, boundary string) (map[string]any, error) {
	fields := map[string]any{}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) && len(fields) > 0 {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		contentType := cmp.Or(part.Header.Get("Content-Type"), "text/plain")
		field := map[string]any{"data": parseBody(textOrBytes(content), contentType), "contentType": contentType}
		if name := part.FileName(); name != "" {
			field["fileName"] = name
		}
		switch before := fields[part.FormName()].(type) {
		case nil:
			fields[part.FormName()] = field
		case []any:
			fields[part.FormName()] = append(before, field)
		default:
			fields[part.FormName()] = []any{before, field}
		}
	}
}

// textOrBytes gives text where the bytes are some.
func textOrBytes(body []byte) any {
	switch {
	case len(body) == 0:
		return nil
	case utf8.Valid(body):
		return string(body)
	}
	return body
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
