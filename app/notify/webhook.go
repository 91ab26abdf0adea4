package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"heddle/domain/refusal"
)

// webhook posts notices, signed as standardwebhooks.com says.
type webhook struct {
	url    string
	secret []byte
	client *http.Client
}

// NewWebhook sends notices to an address that the operator chose; the secret is whsec_ and base64.
func NewWebhook(address, secret string) (Channel, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, refusal.New(refusal.Invalid, "HEDDLE_NOTICE_WEBHOOK must be an http or https address")
	}
	text, prefixed := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !prefixed || len(key) < 24 || len(key) > 64 {
		return nil, refusal.New(refusal.Invalid,
			"HEDDLE_NOTICE_SECRET must be whsec_ and the base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return &webhook{url: address, secret: key, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Name implements [Channel].
func (*webhook) Name() string { return noticeWebhookName }

// Send implements [Channel]: anything but a 2xx is a failure.
func (h *webhook) Send(ctx context.Context, m Message) ([]string, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding a notice: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the webhook's address can't be used") // err has it, and it may hold a secret
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, h.secret)
	mac.Write([]byte(m.ID + "." + at + "."))
	mac.Write(body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("webhook-id", m.ID)
	r.Header.Set("webhook-timestamp", at)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	answer, err := h.client.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("posting: %w", failed.Err)
	} else if err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 4096) // so that the connection may be used again
	if err := answer.Body.Close(); err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the receiver answered %d", answer.StatusCode)
	}
	return nil, nil
}
