package builtin

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// call is a request that can be sent several times.
type call struct {
	step   component.Step
	in     httpInputs
	method string
	url    *url.URL
	header http.Header
	body   []byte
}

func newCall(step component.Step, method string, in httpInputs, body []byte, contentType string) (*call, error) {
	target, err := targetURL(in)
	if err != nil {
		return nil, err
	}
	if in.MaxRedirects < 0 || in.MaxRedirects > 20 {
		return nil, refusal.ForField(refusal.Invalid, "maxRedirects", "Max redirects must be from 0 to 20, not %d",
			in.MaxRedirects)
	}
	c := &call{step: step, in: in, method: method, url: target, header: http.Header{}, body: body}
	for _, pair := range in.Headers {
		if pair.Key != "" && pair.Value != nil {
			c.header.Add(pair.Key, value.Text(pair.Value))
		}
	}
	if contentType != "" && c.header.Get("Content-Type") == "" {
		c.header.Set("Content-Type", contentType)
	}
	if key := step.IdempotencyKey(); key != "" && method != http.MethodGet && c.header.Get("Idempotency-Key") == "" {
		c.header.Set("Idempotency-Key", key)
	}
	if c.header.Get("User-Agent") == "" {
		c.header.Set("User-Agent", "Heddle")
	}
	authenticate(c.header, in.Connection)
	return c, nil
}

func targetURL(in httpInputs) (*url.URL, error) {
	text := in.URL
	if base := value.Text(mapOf(mapOf(in.Connection)["fields"])["baseUrl"]); base != "" &&
		!strings.Contains(text, "://") {
		text = strings.TrimRight(base, "/") + "/" + strings.TrimLeft(text, "/")
	}
	target, err := url.Parse(strings.TrimSpace(text))
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		// The URL itself stays out of the message: it may hold a secret, and logs are read by many.
		return nil, refusal.ForField(refusal.Invalid, "url",
			"URL must be an address that begins with http:// or https:// and names a host")
	}
	// The URL's own query stays as it is written: services sign and compare it.
	target.RawQuery = value.QueryText(target.RawQuery)
	added := url.Values{}
	for _, pair := range in.QueryParams {
		if pair.Key != "" && pair.Value != nil {
			added.Add(pair.Key, value.Text(pair.Value))
		}
	}
	if len(added) > 0 {
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+added.Encode(), "&")
	}
	return target, nil
}

// encodeBody returns the body and its content type. A webhook's body object is sent with its original bytes and
// content type, so that a flow can pass a call on.
func encodeBody(budget *value.Budget, data any) (body []byte, contentType string, err error) {
	if inner, declared, isBody := value.Body(data); isBody {
		body, contentType, err = encodeBody(budget, inner)
		if declared != "" {
			contentType = declared
		}
		return body, contentType, err
	}
	switch x := data.(type) {
	case nil:
		return nil, "", nil
	case string:
		if x == "" {
			return nil, "", nil
		}
		return []byte(x), "text/plain; charset=utf-8", nil
	case []byte:
		return x, "application/octet-stream", nil
	}
	if body, err = budget.JSON(data); budget.Err() != nil {
		return nil, "", budget.Err()
	} else if err != nil {
		return nil, "", refusal.ForField(refusal.Invalid, "data", "Data cannot be sent as JSON: %v", err)
	}
	return body, "application/json", nil
}

// authenticate adds a connection's credentials: an OAuth 2.0 token, an API key, or name and password.
func authenticate(header http.Header, connection any) {
	fields := mapOf(mapOf(connection)["fields"])
	token := value.Text(mapOf(mapOf(connection)["token"])["access_token"])
	key, scheme := value.Text(fields["apiKey"]), value.Text(fields["scheme"])
	user, password := value.Text(fields["username"]), value.Text(fields["password"])
	name, val := "Authorization", ""
	switch {
	case token != "":
		val = "Bearer " + token
	case key != "":
		if other := value.Text(fields["headerKey"]); other != "" {
			name = other
		} else if scheme == "" {
			scheme = "Basic"
		}
		val = strings.TrimSpace(scheme + " " + key)
	case user != "" || password != "":
		val = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	if val != "" && header.Get(name) == "" {
		header.Set(name, val)
	}
}

func (c *call) request(ctx context.Context) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, c.url.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, refusal.New(refusal.Invalid, "the request cannot be made: %v", err)
	}
	request.Header = c.header.Clone()
	if host := c.header.Get("Host"); host != "" {
		request.Host = host
	}
	return request, nil
}

// client returns the client to use and a function that releases it. A client that ignores TLS errors keeps the
// dialer of the other one, and with it the check of the address.
func (c *call) client() (*http.Client, func(), error) {
	client, done := *c.step.HTTP(), func() {}
	client.CheckRedirect = c.redirected
	if c.in.IgnoreSSLErrors {
		transport, ok := client.Transport.(component.InsecureTLS)
		if ok {
			client.Transport, done, ok = transport.InsecureTLS()
		}
		if !ok {
			return nil, nil, refusal.ForField(refusal.Invalid, "ignoreSslErrors", "TLS errors cannot be ignored here")
		}
	}
	return &client, done, nil
}

// redirected bounds redirects and removes headers that other hosts must not see.
func (c *call) redirected(next *http.Request, via []*http.Request) error {
	if len(via) > c.in.MaxRedirects {
		return refusal.New(refusal.Invalid, "stopped after %s", refusal.Count(c.in.MaxRedirects, "redirect"))
	}
	component.Redirected(next, via)
	return nil
}
