package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

const (
	excerptLength  = 500              // characters of an answer's body in an error message
	refusedBytes   = 64 << 10         // read of an answer with an error status
	longestDelay   = 60 * time.Second // between two attempts, whatever the inputs or the answer ask for
	firstDelay     = 500 * time.Millisecond
	longestRetries = 10 * time.Minute // of all attempts together; the queue above has its own retries
)

// answer is a response with its body.
type answer struct {
	status int
	reason string
	header http.Header
	body   []byte
}

// tryOften sends the request until it is answered with a 2xx or may not be repeated.
func (c *call) tryOften(ctx context.Context, client *http.Client) (answer, error) {
	var delays backoff.BackOff = backoff.NewConstantBackOff(
		min(time.Duration(c.in.RetryDelayMS*float64(time.Millisecond)), longestDelay))
	if c.in.ExponentialBackoff {
		delays = &backoff.ExponentialBackOff{InitialInterval: firstDelay, Multiplier: 2, MaxInterval: longestDelay}
	}
	attempts := 0
	var last error // the error of backoff.Retry may be its own: to wait, or to give up
	got, err := backoff.Retry(ctx, func() (answer, error) {
		attempts++
		got, err := c.try(ctx, client)
		if err == nil {
			return got, nil
		}
		last = err
		c.step.Log("debug", fmt.Sprintf("Attempt %d: %v", attempts, err))
		if !c.in.RetryOnAllErrors && !passing(got.status, err) || attempts > c.in.MaxRetries {
			return got, backoff.Permanent(err)
		}
		if wait, asked := retryAfter(got.header.Get("Retry-After"), time.Now()); asked {
			return got, backoff.RetryAfter(int(min(wait, longestDelay).Seconds()))
		}
		return got, err
	}, backoff.WithBackOff(delays), backoff.WithMaxElapsedTime(longestRetries))
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		return answer{}, context.Cause(ctx)
	}
	return answer{}, last
}

// retryAfter parses Retry-After: seconds, or the time until when.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, int(longestDelay/time.Second))) * time.Second, true
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return max(0, until.Sub(now).Truncate(time.Second)+time.Second), true // the whole second is over
}

// passing reports whether the trouble may pass by itself.
func passing(status int, err error) bool {
	if status == 0 {
		return refusal.CodeOf(err) == refusal.Unavailable
	}
	return status == http.StatusTooManyRequests || status >= 500
}

// try sends the request once. With an error, the answer still has the status and headers if there are any.
func (c *call) try(ctx context.Context, client *http.Client) (answer, error) {
	if c.in.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.in.Timeout*float64(time.Millisecond)))
		defer cancel()
	}
	request, err := c.request(ctx)
	if err != nil {
		return answer{}, err
	}
	started := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return answer{}, c.unreachable(err)
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode, reason: http.StatusText(response.StatusCode), header: response.Header}
	body := io.Reader(response.Body)
	if got.status < 200 || got.status > 299 {
		body = io.LimitReader(body, refusedBytes) // only an excerpt of it is reported
	}
	got.body, err = io.ReadAll(body)
	if c.in.Debug {
		c.step.Log("debug", fmt.Sprintf("%s %s, headers %s, %d bytes: %d after %d ms, headers %s, %d bytes", c.method,
			bare(c.url), headerNames(c.header), len(c.body), got.status, time.Since(started).Milliseconds(),
			headerNames(got.header), len(got.body)))
	}
	switch {
	case got.status < 200 || got.status > 299:
		return got, c.refused(got) // whether its body can be read or not
	case err != nil:
		return answer{header: got.header}, c.unreachable(err)
	}
	return got, nil
}

// unreachable says why there is no answer, without the URL's query, which may hold secrets.
func (c *call) unreachable(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return refusal.New(refusal.Unavailable, "%s %s: no answer in time", c.method, bare(c.url))
	}
	if code := refusal.CodeOf(err); code != "" {
		return refusal.New(code, "%s %s: %v", c.method, bare(c.url), err)
	}
	return refusal.New(refusal.Unavailable, "%s %s: %v", c.method, bare(c.url), err)
}

func (c *call) refused(got answer) error {
	code := refusal.Invalid
	if passing(got.status, nil) {
		code = refusal.Unavailable
	}
	text := strings.TrimSpace(strings.ToValidUTF8(excerpt(string(got.body), excerptLength), "�"))
	if text == "" {
		return refusal.New(code, "%s %s answered %d %s", c.method, bare(c.url), got.status, got.reason)
	}
	return refusal.New(code, "%s %s answered %d %s: %s", c.method, bare(c.url), got.status, got.reason, text)
}

func bare(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func headerNames(header http.Header) string {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func (a answer) result(budget *value.Budget, in httpInputs) (component.Result, error) {
	data := a.data(budget, in.ResponseType)
	if in.FullResponse {
		headers := make(map[string]any, len(a.header))
		for name, values := range a.header {
			headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
		if cookies := a.header["Set-Cookie"]; cookies != nil {
			// the one header whose values can't be joined: dates have commas
			list := make([]any, len(cookies))
			for i, cookie := range cookies {
				list[i] = cookie
			}
			headers["set-cookie"] = list
		}
		data = map[string]any{"data": data, "status": float64(a.status), "statusText": a.reason, "headers": headers}
	}
	return component.Result{Data: data}, budget.Err()
}

func (a answer) data(budget *value.Budget, responseType string) any {
	switch responseType {
	case "binary":
		return map[string]any{"data": a.body, "contentType": a.header.Get("Content-Type")}
	case "text":
		return a.text(budget)
	}
	if len(a.body) == 0 {
		return nil
	}
	value, err := parsed(budget, bytes.TrimPrefix(a.body, []byte(byteOrderMark)))
	if err != nil {
		return a.text(budget) // services answer "ok" even where JSON is expected
	}
	return value
}

func (a answer) text(budget *value.Budget) string {
	return fromUTF8OrType(budget, string(a.body), a.header.Get("Content-Type"))
}
