package script

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// The limits of a script's requests. Their time is the script's own.
const (
	fetchesAtOnce  = 4
	fetchesPerCall = 1000
	// fetchShare is the part of a script's memory that one answer may have: it is there twice while
	// it is handed over.
	fetchShare = 4
)

// scriptFetch makes the requests of one script. Its goroutines end with the script.
type scriptFetch struct {
	client      *http.Client
	beginEffect func() error
	limit       int64 // bytes of an answer
	ctx         context.Context
	cancel      context.CancelFunc
	slots       chan struct{}
	answers     chan fetchAnswer
	group       sync.WaitGroup
	made        int
	open        int
}

type fetchAnswer struct {
	id   int
	json string
}

func newScriptFetch(ctx context.Context, call component.ScriptCall, limits Limits, ends time.Time) *scriptFetch {
	f := &scriptFetch{
		client: call.HTTP, beginEffect: call.BeginEffect, limit: int64(limits.Memory / fetchShare),
		slots: make(chan struct{}, fetchesAtOnce), answers: make(chan fetchAnswer),
	}
	f.ctx, f.cancel = context.WithDeadline(ctx, ends)
	return f
}

func (f *scriptFetch) close() {
	f.cancel()
	f.group.Wait()
}

type fetchRequest struct {
	URL, Method, Redirect string
	Headers               [][2]string
	Body                  *string // base64
}

// start begins a request. It is a host function: a refusal rejects the promise.
func (f *scriptFetch) start(args []any) (any, error) {
	id, _ := args[0].(int)
	description, err := text(args[1:])
	if err != nil {
		return nil, err
	}
	request, err := f.request(description)
	if err != nil {
		return nil, fmt.Errorf("fetch failed: %w", err)
	}
	f.made++
	f.open++
	f.group.Go(func() {
		answer := fetchAnswer{id: id, json: f.answer(request)}
		select {
		case f.answers <- answer:
		case <-f.ctx.Done():
		}
	})
	return nil, nil
}

// request makes sure that a request may be made, and has the run record that one begins.
func (f *scriptFetch) request(description string) (*scriptRequest, error) {
	if f.client == nil {
		return nil, errors.New("this code may not make requests")
	}
	if f.made >= fetchesPerCall {
		return nil, fmt.Errorf("one call may make %d requests", fetchesPerCall)
	}
	var r fetchRequest
	if err := json.Unmarshal([]byte(description), &r); err != nil {
		return nil, err
	}
	var body io.Reader
	if r.Body != nil {
		data, err := base64.StdEncoding.DecodeString(*r.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(f.ctx, r.Method, r.URL, body)
	if err != nil || request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return nil, errors.New("a request needs a method and an address that begins with http:// or https://")
	}
	request.URL.RawQuery = value.QueryText(request.URL.RawQuery)
	request.Header.Set("User-Agent", "Heddle")
	for _, field := range r.Headers {
		request.Header.Set(field[0], field[1])
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	if f.beginEffect != nil {
		if err := f.beginEffect(); err != nil {
			return nil, err
		}
	}
	return &scriptRequest{request, r.Redirect}, nil
}

type scriptRequest struct {
	*http.Request
	redirect string
}

// answer sends a request and returns the outcome as JSON for the prelude.
func (f *scriptFetch) answer(r *scriptRequest) string {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-f.ctx.Done():
		return ""
	}
	answer, err := f.send(r)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the URL may hold a secret
		}
		answer = map[string]any{"error": fmt.Sprintf("%s %s://%s: %v", r.Method, r.URL.Scheme, r.URL.Host, err)}
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return `{"error":"the answer cannot be read"}`
	}
	return string(b)
}

func (f *scriptFetch) send(r *scriptRequest) (map[string]any, error) {
	client := *f.client
	switch r.redirect {
	case "manual":
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	case "error":
		client.CheckRedirect = func(*http.Request, []*http.Request) error {
			return errors.New("the answer is a redirect")
		}
	}
	response, err := client.Do(r.Request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, f.limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > f.limit {
		return nil, refusal.Exceed("HEDDLE_SCRIPT_MEMORY",
			"the answer is larger than %d MiB, a quarter of what code may hold", f.limit>>20)
	}
	headers := [][2]string{}
	for name, values := range response.Header {
		for _, value := range values {
			headers = append(headers, [2]string{name, value})
		}
	}
	return map[string]any{
		"status": response.StatusCode, "statusText": http.StatusText(response.StatusCode), "headers": headers,
		"url": response.Request.URL.String(), "redirected": response.Request != r.Request, "body": body,
	}, nil
}
