package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/domain"
)

// The media types of answers. With the newer one the HTTP status tells what became of the request;
// with the older one it is 200 for every request that could be read. Source: GraphQL over HTTP.
const (
	plainJSON   = "application/json"
	graphqlJSON = "application/graphql-response+json"
)

// post is the transport for documents in JSON bodies. Bodies are read once, up to a limit, and never
// repeated in an error.
type post struct{ Options }

var _ graphql.Transport = post{}

// Supports implements [graphql.Transport].
func (post) Supports(r *http.Request) bool { return r.Method == http.MethodPost }

// Do implements [graphql.Transport].
func (p post) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	media := accepted(r.Header.Values("Accept"))
	if !isJSON(r) {
		answer(w, http.StatusUnsupportedMediaType, media, fail("Content-Type must be application/json"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.Timeout)
	defer cancel()
	params, status, refusal := p.read(w, r)
	if refusal != nil {
		answer(w, status, media, refusal)
		return
	}
	ctx = graphql.StartOperationTrace(bounded(ctx))
	op, errs := exec.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		status := http.StatusOK
		if media == graphqlJSON {
			status = http.StatusBadRequest
		}
		answer(w, status, media, exec.DispatchError(graphql.WithOperationContext(ctx, op), p.unsuggested(errs)))
		return
	}
	if op.Operation.Operation == "subscription" {
		answer(w, http.StatusBadRequest, media, fail("a subscription needs WebSocket with the subprotocol "+Subprotocol+", or Accept: "+eventStream))
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, op)
	response := enough(ctx, nullWhole(responses(ctx)))
	p.inTime(ctx)
	answer(w, http.StatusOK, media, response)
}

func isJSON(r *http.Request) bool {
	content, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && content == plainJSON
}

// nullWhole makes all data null when a root field failed, also one that may be null by itself:
// existing clients look at errors only then. Without a response the time was up before it began.
func nullWhole(response *graphql.Response) *graphql.Response {
	if response == nil {
		response = &graphql.Response{Errors: gqlerror.List{{Message: "the request was cut off", Extensions: map[string]any{"code": string(domain.Unavailable)}}}}
	}
	for _, err := range response.Errors {
		if len(err.Path) == 1 {
			response.Data = json.RawMessage("null")
		}
	}
	return response
}

// read decodes a request's parameters.
func (p post) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, int, *graphql.Response) {
	limit, setting, who := p.MaxBody, "HEDDLE_MAX_REQUEST", ""
	if principalOf(r.Context()).User == "" && p.MaxAnonymousBody < limit {
		limit, setting, who = p.MaxAnonymousBody, "HEDDLE_MAX_ANONYMOUS_REQUEST", ", the most without a valid token"
	}
	params := &graphql.RawParams{Headers: r.Header, ReadTime: graphql.TraceTiming{Start: graphql.Now()}}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.UseNumber()
	err := d.Decode(params)
	if err == nil {
		if _, more := d.Token(); more != io.EOF { // nothing may follow
			err = cmp.Or(more, errors.New("more than one value"))
		}
	}
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, http.StatusRequestEntityTooLarge, p.exceeded(setting, "the body is larger than %d bytes%s", limit, who)
		}
		return nil, http.StatusBadRequest, fail("the body is not a JSON object with query, variables, operationName and extensions of the right types")
	}
	params.ReadTime.End = graphql.Now()
	if strings.TrimSpace(params.Query) == "" {
		return nil, http.StatusBadRequest, fail("query is missing: send a GraphQL document in it")
	}
	return params, 0, nil
}

// accepted chooses the media type of the answer.
func accepted(accept []string) string {
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		switch media, _, _ := mime.ParseMediaType(strings.TrimSpace(part)); media {
		case graphqlJSON:
			return graphqlJSON
		case plainJSON, "*/*", "application/*":
			return plainJSON
		}
	}
	return plainJSON
}

func fail(message string) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{{Message: message, Extensions: map[string]any{"code": string(domain.Invalid)}}}}
}

// exceeded refuses what goes beyond a limit.
func (o Options) exceeded(setting, format string, args ...any) *graphql.Response {
	o.OnLimit(setting)
	return fail(domain.Exceed(setting, format, args...).Error())
}

// inTime tells of a request whose time was up.
func (o Options) inTime(ctx context.Context) {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		o.OnLimit("HEDDLE_REQUEST_TIMEOUT")
	}
}

// answer writes a response. One to a request that was not executed has no data at all.
func answer(w http.ResponseWriter, status int, media string, response *graphql.Response) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if len(response.Data) > 0 || len(response.Errors) == 0 {
		_ = json.NewEncoder(w).Encode(response) // the caller has gone; nobody is left to tell
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": response.Errors})
}
