package builtin

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// The keys of the actions for one function each follow their labels.
func init() {
	actions := []component.Action{
		component.NewAction("computeHash", "Compute hash", "Gives the hash of a message as hexadecimal text.",
			pure(func(budget *value.Budget, in hashInputs) (any, error) {
				return digest(budget, in.Function, in.Message, nil)
			})),
		component.NewAction("computeHmac", "Compute HMAC hash",
			"Gives the hash of a message with a secret key (HMAC) as hexadecimal text.",
			pure(func(budget *value.Budget, in hmacInputs) (any, error) {
				return digest(budget, in.Function, in.Message, in.Secret)
			})),
	}
	for _, name := range value.HashNames() {
		name := strings.ToUpper(name)
		actions = append(actions, component.NewAction("compute"+name, "Compute "+name+" hash",
			"Gives the "+name+" hash of a message as hexadecimal text.",
			pure(func(budget *value.Budget, in messageHashInputs) (any, error) {
				return digest(budget, name, in.Message, nil)
			})))
	}
	register(component.Component{
		Key: "hash", Label: "Hash", Category: "Data",
		Description: "Computes hashes of text and of binary data, and checks those that requests are signed with.",
		Actions:     actions,
		Triggers: []component.Trigger{component.NewPerformedTrigger("hmacWebhookTrigger", "HMAC webhook trigger",
			"Starts the flow when its URL is called, as the trigger of the component Webhook does. A request is answered 401 and leaves no execution "+
				"unless a header has the hash of the body with the secret key (HMAC) as hexadecimal text.",
			receiveSigned).FromRaw()},
	})
}

type messageHashInputs struct {
	Message any `key:"message" label:"Message" doc:"Text, binary data, or an object with data and contentType."`
}

type hashInputs struct {
	messageHashInputs
	Function string `key:"hashFunction" label:"Hash function" default:"sha256" doc:"The hash function, such as sha256."`
}

type hmacInputs struct {
	hashInputs
	Secret any `key:"secretKey" label:"Secret key" required:"true" doc:"Text or binary data, or a connection with the field secretKey."`
}

type signedInputs struct {
	webhookInputs
	Header   string `key:"hmacHeaderName" label:"HMAC header name" required:"true" doc:"The header that has the hash."`
	Secret   any    `key:"secretKey" label:"Secret key" required:"true" doc:"Text or binary data, or a connection with the field secretKey."`
	Function string `key:"hashFunction" label:"HMAC hash function" default:"sha256" doc:"The hash function, such as sha256."`
}

// digest returns a message's hash as hexadecimal text, with a secret key its HMAC.
func digest(budget *value.Budget, function string, of, secret any) (string, error) {
	var key []byte
	if secret != nil {
		key = []byte(messageText(budget, secret))
	}
	message, err := []byte(messageText(budget, of)), budget.Err()
	if err != nil {
		return "", err
	}
	sum, err := value.Digest(function, message, key)
	return hex.EncodeToString(sum), err
}

func messageText(budget *value.Budget, v any) string {
	if secret, ok := mapOf(mapOf(v)["fields"])["secretKey"]; ok {
		v = secret
	}
	text, rest, isText := textOf(v)
	if !isText {
		return budget.Text(rest)
	}
	return text
}

func receiveSigned(ctx context.Context, _ component.Step, payload map[string]any,
	in signedInputs) (component.Result, error) {
	want, err := digest(value.NewBudget(ctx), in.Function, mapOf(payload["rawBody"])["data"], in.Secret)
	if err != nil {
		return component.Result{}, err
	}
	given := ""
	for name, val := range mapOf(payload["headers"]) {
		if strings.EqualFold(name, in.Header) {
			given = strings.ToLower(value.Text(val))
		}
	}
	if !hmac.Equal([]byte(given), []byte(want)) {
		return component.Result{}, refusal.New(refusal.Unauthenticated,
			"the hash in the header %s is not that of the body with the secret key", in.Header)
	}
	return receiveWebhook(ctx, payload, in.webhookInputs)
}
