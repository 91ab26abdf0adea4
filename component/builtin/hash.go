package builtin

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strings"

	"heddle/component"
	"heddle/domain"
)

// hashes are the functions that Go's own library has; the format has BLAKE2, MD4, MD5-SHA1, RIPEMD160, SM3
// and whirlpool besides.
var hashes = map[string]func() hash.Hash{
	"MD5": md5.New, "SHA1": sha1.New, "SHA224": sha256.New224, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New,
	"SHA512-224": sha512.New512_224, "SHA512-256": sha512.New512_256,
	"SHA3-224": func() hash.Hash { return sha3.New224() }, "SHA3-256": func() hash.Hash { return sha3.New256() },
	"SHA3-384": func() hash.Hash { return sha3.New384() }, "SHA3-512": func() hash.Hash { return sha3.New512() },
}

// The keys of the actions for one function each follow their labels.
func init() {
	actions := []component.Action{
		component.NewAction("computeHash", "Compute hash", "Gives the hash of a message as hexadecimal text.", pure(func(in hashInputs) (any, error) { return digest(in.Function, in.Message, nil) })),
		component.NewAction("computeHmac", "Compute HMAC hash", "Gives the hash of a message with a secret key (HMAC) as hexadecimal text.", pure(func(in hmacInputs) (any, error) {
			return digest(in.Function, in.Message, in.Secret)
		})),
	}
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		actions = append(actions, component.NewAction("compute"+name, "Compute "+name+" hash", "Gives the "+name+" hash of a message as hexadecimal text.",
			pure(func(in messageHashInputs) (any, error) { return digest(name, in.Message, nil) })))
	}
	register(component.Component{
		Key: "hash", Label: "Hash", Category: "Data", Description: "Computes hashes of text and of binary data, and checks those that requests are signed with.",
		Actions: actions,
		Triggers: []component.Trigger{component.NewPerformedTrigger("hmacWebhookTrigger", "HMAC webhook trigger",
			"Starts the flow when its URL is called, as the trigger of the component Webhook does. The execution fails, and the caller of an asynchronous flow is answered 401, "+
				"unless a header has the hash of the body with the secret key (HMAC) as hexadecimal text.", receiveSigned)},
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

// digest gives a message's hash, with a secret key its HMAC.
func digest(function string, message, secret any) (string, error) {
	newHash, known := hashes[strings.ToUpper(function)]
	if !known {
		return "", domain.RefuseField(domain.Invalid, "hashFunction", "%q is no known hash function; known are %s", excerpt(function, 40),
			strings.ToLower(strings.Join(slices.Sorted(maps.Keys(hashes)), ", ")))
	}
	h := newHash()
	if secret != nil {
		h = hmac.New(newHash, []byte(messageText(secret)))
	}
	_, _ = h.Write([]byte(messageText(message))) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil)), nil
}

func messageText(v any) string {
	if secret, ok := mapOf(mapOf(v)["fields"])["secretKey"]; ok {
		v = secret
	}
	text, rest, isText := textOf(v)
	if !isText {
		return component.Text(rest)
	}
	return text
}

func receiveSigned(ctx context.Context, _ component.Step, payload map[string]any, in signedInputs) (component.Result, error) {
	want, err := digest(in.Function, mapOf(payload["rawBody"])["data"], in.Secret)
	if err != nil {
		return component.Result{}, err
	}
	given := ""
	for name, value := range mapOf(payload["headers"]) {
		if strings.EqualFold(name, in.Header) {
			given = strings.ToLower(component.Text(value))
		}
	}
	if !hmac.Equal([]byte(given), []byte(want)) {
		return component.Result{}, domain.Refuse(domain.Unauthenticated, "the hash in the header %s is not that of the body with the secret key", in.Header)
	}
	return receiveWebhook(ctx, payload, in.webhookInputs)
}
