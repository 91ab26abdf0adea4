package worker

import (
	"encoding/json"
	"net/http"

	"heddle/component"
)

// contain keeps what integrations answer from acting as a page of this server: its origin is the
// explorer's too, which keeps an administrator's token.
func contain(h http.Header) {
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
}

// answer is an HTTP answer made from a step's result.
type answer struct {
	status      int
	contentType string
	headers     map[string]string
	body        []byte
}

// set makes the body from a step's output: text and bytes as they are where the step names a content
// type, everything else as JSON.
func (a *answer) set(output json.RawMessage) error {
	value, err := component.DecodeValue(output)
	if err != nil {
		return err
	}
	switch v := value.(type) {
	case []byte:
		a.body = v
		if a.contentType == "" {
			a.contentType = "application/octet-stream"
		}
		return nil
	case string:
		if a.contentType != "" {
			a.body = []byte(v)
			return nil
		}
	}
	if a.contentType == "" {
		a.contentType = "application/json"
	}
	a.body, err = json.Marshal(value)
	return err
}

func (a *answer) write(rw http.ResponseWriter) {
	for name, value := range a.headers {
		rw.Header().Set(name, value)
	}
	contain(rw.Header())
	rw.Header().Set("Content-Type", a.contentType)
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // the caller has gone; nobody is left to tell
}
