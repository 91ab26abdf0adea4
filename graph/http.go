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
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/app/access"
	"heddle/domain/refusal"
)

// The media types of answers. With the newer one the HTTP status says what became of the request;
// with the older one it is 200 for every request that could be read. Source: GraphQL over HTTP.
const (
	plainJSON   = "application/json"
	graphqlJSON = "application/graphql-response+json"
)

// httpTransport is the transport for documents that are answered once: in the JSON body of a POST, or, if
// they only read, in the address of a GET. Bodies are read once, up to a limit, and never repeated in
// an error.
type httpTransport struct{ Options }

var _ graphql.Transport = httpTransport{}

// Supports implements [graphql.Transport].
func (httpTransport) Supports(r *http.Request) bool { return r.Method == http.MethodPost || isQuery(r) }

// isQuery returns the GETs that execute a document from those of a browser that wants the page.
func isQuery(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Has("query") && !strings.Contains(r.Header.Get("Accept"),
		"text/html")
}

// Do implements [graphql.Transport].
func (p httpTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	media := accepted(r)
	ctx, cancel := context.WithTimeout(r.Context(), p.Timeout)
	defer cancel()
	params, status, refusal := p.read(w, r)
	if refusal != nil {
		answer(w, status, media, refusal)
		return
	}
	ctx = graphql.StartOperationTrace(withBudget(ctx))
	op, errs := exec.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		status := http.StatusOK
		if media == graphqlJSON {
			status = http.StatusBadRequest
		}
		answer(w, status, media, exec.DispatchError(graphql.WithOperationContext(ctx, op), p.unsuggested(errs)))
		return
	}
	if op.Operation.Operation == ast.Mutation && r.Method == http.MethodGet {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, media, fail(mutationByGet))
		return
	}
	if op.Operation.Operation == ast.Subscription {
		answer(w, http.StatusBadRequest, media,
			fail("a subscription needs WebSocket with the subprotocol "+Subprotocol+", or Accept: "+eventStream))
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, op)
	response := overBudget(ctx, nullWhole(responses(ctx)))
	p.inTime(ctx)
	answer(w, http.StatusOK, media, response)
}

const mutationByGet = "mutations are not served by GET: use POST"

func isJSON(r *http.Request) bool {
	content, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && content == plainJSON
}

// nullWhole makes all data null when a root field failed, also one that may be null by itself:
// existing clients look at errors only then. Without a response the time was up before it began.
func nullWhole(response *graphql.Response) *graphql.Response {
	if response == nil {
		response = &graphql.Response{Errors: gqlerror.List{{Message: "the request was cut off",
			Extensions: map[string]any{"code": string(refusal.Unavailable)}}}}
	}
	for _, err := range response.Errors {
		if len(err.Path) == 1 {
			response.Data = json.RawMessage("null")
		}
	}
	return response
}

// read decodes a request's parameters, or refuses it.
func (o Options) read(w http.ResponseWriter, r *http.Request) (params *graphql.RawParams, status int, refusal *graphql.Response) {
	params = &graphql.RawParams{Headers: r.Header, ReadTime: graphql.TraceTiming{Start: graphql.Now()}}
	limit, setting, who := o.MaxBody, "HEDDLE_MAX_REQUEST", ""
	if access.Of(r.Context()).User == "" && o.MaxAnonymousBody < limit {
		limit, setting, who = o.MaxAnonymousBody, "HEDDLE_MAX_ANONYMOUS_REQUEST", ", the most without a valid token"
	}
	switch {
	case r.Method == http.MethodGet && int64(len(r.URL.RawQuery)) > limit:
		return nil, http.StatusRequestURITooLong, o.exceeded(setting,
			"the query in the address is longer than %d bytes%s", limit, who)
	case r.Method == http.MethodGet:
		if bad := readAddress(r, params); bad != "" {
			return nil, http.StatusBadRequest, fail(bad + " is not a JSON object")
		}
	case !isJSON(r):
		return nil, http.StatusUnsupportedMediaType, fail("Content-Type must be application/json")
	default:
		err := decode(http.MaxBytesReader(w, r.Body, limit), params)
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, http.StatusRequestEntityTooLarge, o.exceeded(setting, "the body is larger than %d bytes%s",
				limit, who)
		} else if err != nil {
			return nil, http.StatusBadRequest,
				fail("the body is not a JSON object with query, variables, operationName and extensions of the right types")
		}
	}
	params.ReadTime.End = graphql.Now()
	if strings.TrimSpace(params.Query) == "" {
		return nil, http.StatusBadRequest, fail("query is missing: send a GraphQL document in it")
	}
	return params, http.StatusOK, nil
}

// readAddress takes the parameters from the address and returns the name of a bad one.
func readAddress(r *http.Request, params *graphql.RawParams) (bad string) {
	query := r.URL.Query()
	params.Query, params.OperationName = query.Get("query"), query.Get("operationName")
	for name, into := range map[string]*map[string]any{"variables": &params.Variables,
		"extensions": &params.Extensions} {
		if query.Has(name) && decode(strings.NewReader(query.Get(name)), into) != nil {
			bad = name
		}
	}
	return bad
}

// decode reads one JSON value, which nothing may follow.
func decode(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, more := d.Token(); more != io.EOF {
		return cmp.Or(more, errors.New("more than one value"))
	}
	return nil
}

// accepted chooses the media type of the answer: the first of Accept that is served.
func accepted(r *http.Request) string {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		switch media, _, _ := mime.ParseMediaType(strings.TrimSpace(part)); media {
		case graphqlJSON, eventStream:
			return media
		case plainJSON, "*/*", "application/*":
			return plainJSON
		}
	}
	return plainJSON
}

func fail(message string) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{{Message: message,
		Extensions: map[string]any{"code": string(refusal.Invalid)}}}}
}

// exceeded refuses what goes beyond a limit.
func (o Options) exceeded(setting, format string, args ...any) *graphql.Response {
	o.OnLimit(setting)
	return fail(refusal.Exceed(setting, format, args...).Error())
}

// inTime returns of a request whose time was up.
func (o Options) inTime(ctx context.Context) {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		o.OnLimit("HEDDLE_REQUEST_TIMEOUT")
	}
}

// answer writes a response. One to a request that was not executed has no data at all.
func answer(w http.ResponseWriter, status int, media string, response *graphql.Response) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.WriteHeader(status)
	if len(response.Data) > 0 || len(response.Errors) == 0 {
		_ = json.NewEncoder(w).Encode(response) // the caller has gone; nobody is left to tell
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": response.Errors})
}
