package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// web is what tests ask servers with. It keeps no connection, so that none is left to a server that
// was killed.
var web = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// ask sends a GraphQL document and returns the whole answer, decoded.
func ask(url, token, query string, variables map[string]any) (any, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	_, _, text, err := send(http.MethodPost, url+"/api", header, body)
	if err != nil {
		return nil, err
	}
	var answer any
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	return answer, nil
}

// send makes one request and reads the whole answer.
func send(method, url string, header http.Header, body []byte) (status int, got http.Header, text []byte, err error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	r.Header = header
	response, err := web.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	text, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, text, errors.Join(err, response.Body.Close())
}

// at finds a value in decoded JSON by a path such as data.customers.nodes.0.id; nil when it is not there.
func at(value any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || n >= len(v) {
				return nil
			}
			value = v[n]
		default:
			return nil
		}
	}
	return value
}

// refusal is why an answer is not what was asked for: an error of the request or of a payload.
func refused(answer any) error {
	if errs, _ := at(answer, "errors").([]any); len(errs) > 0 {
		return fmt.Errorf("%v: %v", at(errs[0], "extensions.code"), at(errs[0], "message"))
	}
	data, _ := at(answer, "data").(map[string]any)
	for name, payload := range data {
		if errs, _ := at(payload, "errors").([]any); len(errs) > 0 {
			return fmt.Errorf("%s: %v %v", name, at(errs[0], "field"), at(errs[0], "messages"))
		}
	}
	return nil
}

// call asks the house's server for what must succeed.
func (h *harness) call(query string, variables map[string]any) any {
	h.Helper()
	answer, err := ask(h.url, h.token, query, variables)
	if err == nil {
		err = refused(answer)
	}
	h.must(err)
	return at(answer, "data")
}

// deploy brings a definition to a new customer and returns the path of its first trigger's URL.
func (h *harness) deploy(definition string, config ...any) (trigger string) {
	h.Helper()
	integration := at(h.call(`mutation($d: String!) { importIntegration(input: {definition: $d}) { integration { id } errors { field messages } } }`,
		map[string]any{"d": definition}), "importIntegration.integration.id")
	version := at(h.call(`mutation($i: ID!) { publishIntegration(input: {id: $i}) { integration { id } errors { field messages } } }`,
		map[string]any{"i": integration}), "publishIntegration.integration.id")
	customer := at(h.call(`mutation { createCustomer(input: {name: "Customer"}) { customer { id } errors { field messages } } }`, nil), "createCustomer.customer.id")
	instance := at(h.call(`mutation($c: ID!, $v: ID!, $w: [InputInstanceConfigVariable]) { createInstance(input: {name: "Instance", customer: $c, integration: $v, configVariables: $w})
		{ instance { id } errors { field messages } } }`, map[string]any{"c": customer, "v": version, "w": config}), "createInstance.instance.id")
	url := at(h.call(`mutation($i: ID!) { deployInstance(input: {id: $i}) { instance { flowConfigs { nodes { webhookUrl } } } errors { field messages } } }`,
		map[string]any{"i": instance}), "deployInstance.instance.flowConfigs.nodes.0.webhookUrl").(string)
	return strings.TrimPrefix(url, h.url)
}

// trigger posts to a trigger and returns the execution's id.
func (h *harness) trigger(path string, body string) (execution string) {
	h.Helper()
	status, header, text, err := send(http.MethodPost, h.url+path, http.Header{"Content-Type": {"application/json"}},
		[]byte(body))
	h.must(err)
	if status != http.StatusOK {
		h.Fatalf("the trigger answered %d %s", status, text)
	}
	return header.Get("prismatic-executionid")
}

// ended waits for the end of an execution and gives what the API tells of it.
func (h *harness) ended(execution string) (result any) {
	h.Helper()
	h.must(until("the end of execution "+execution, func() bool {
		result = at(h.call(`query($id: ID!) { executionResult(id: $id) { endedAt resultType error stepResults { nodes { path hasError error result } } } }`,
			map[string]any{"id": execution}), "executionResult")
		return at(result, "endedAt") != nil
	}))
	return result
}

// hook is a server that integrations call.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	times    []time.Time   // when they came
	arrived  chan struct{} // holds at most one signal
	hold     chan struct{} // nil, or closed when requests may be answered
}

type request struct {
	method, path, contentType, key, authorization, body string
	traceparent                                         string
}

// newHook starts the server.
func newHook() *hook {
	h := &hook{arrived: make(chan struct{}, 1)}
	h.Server = httptest.NewServer(h)
	return h
}

// ServeHTTP notes the request and answers "ok", at once unless requests are held; /fail is refused.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // the caller may have been killed
	h.mu.Lock()
	h.requests = append(h.requests, request{r.Method, r.URL.Path, r.Header.Get("Content-Type"),
		r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), string(body), r.Header.Get("Traceparent")})
	h.times = append(h.times, time.Now())
	hold := h.hold
	h.mu.Unlock()
	select {
	case h.arrived <- struct{}{}:
	default:
	}
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	if r.URL.Path == "/fail" {
		w.WriteHeader(http.StatusForbidden)
	}
	_, _ = io.WriteString(w, `"ok"`)
}

// block holds all requests from now on until the function is called.
func (h *hook) block() (release func()) {
	hold := make(chan struct{})
	h.mu.Lock()
	h.hold = hold
	h.mu.Unlock()
	return sync.OnceFunc(func() {
		h.mu.Lock()
		h.hold = nil
		h.mu.Unlock()
		close(hold)
	})
}

// got returns the requests once there are so many.
func (h *hook) got(n int) ([]request, error) {
	for deadline := time.After(patience); ; {
		h.mu.Lock()
		all := h.requests
		h.mu.Unlock()
		if len(all) >= n {
			return all, nil
		}
		select {
		case <-h.arrived:
		case <-deadline:
			return all, fmt.Errorf("%d requests arrived instead of %d", len(all), n)
		}
	}
}

// counts returns how often each call was made, by idempotency key.
func (h *hook) counts() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := map[string]int{}
	for _, r := range h.requests {
		counts[r.key]++
	}
	return counts
}

// timed is a call and when it came.
type timed struct {
	key string
	at  time.Time
}

// all returns every call that has come.
func (h *hook) all() (calls []timed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, r := range h.requests {
		calls = append(calls, timed{r.key, h.times[i]})
	}
	return calls
}
