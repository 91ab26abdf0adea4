package builtin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func TestHash(t *testing.T) {
	m := in("message", "abc")
	try(t, "hash", []row{
		{"computeMD5", m, "900150983cd24fb0d6963f7d28e17f72", ""},
		{"computeSHA1", m, "a9993e364706816aba3e25717850c26c9cd0d89d", ""},
		{"computeSHA224", m, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7", ""},
		{"computeSHA256", m, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ""},
		{"computeSHA384", m,
			"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7", ""},
		{"computeSHA512", m,
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", ""}, {"computeSHA512-224", m, "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa", ""},
		{"computeSHA512-256", m, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23", ""},
		{"computeSHA3-224", m, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf", ""},
		{"computeSHA3-256", m, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", ""},
		{"computeSHA3-384", m,
			"ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25", ""},
		{"computeSHA3-512", m,
			"b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0", ""},
		{"computeHash", m, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ""},
		{"computeHash", in("message", map[string]any{"data": []byte("abc"), "contentType": "x"}, "hashFunction", "md5"),
			"900150983cd24fb0d6963f7d28e17f72", ""},
		{"computeHash", in("message", nil, "hashFunction", "MD5"), "d41d8cd98f00b204e9800998ecf8427e", ""},
		{"computeHash", in("message", "abc", "hashFunction", "whirlpool"), nil, "known are md5, sha1, "},
		// RFC 4231
		{"computeHmac", in("message", "what do ya want for nothing?", "secretKey", "Jefe"),
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", ""},
		{"computeHmac", in("message", "what do ya want for nothing?", "secretKey",
			map[string]any{"key": "c", "fields": map[string]any{"secretKey": "Jefe"}}),
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", ""},
		{"computeHmac", in("message", "abc"), nil, "Secret key is required"},
	})
}

func TestHMACTrigger(t *testing.T) {
	trigger, err := component.New(Components()...).LookupTrigger("hash", "hmacWebhookTrigger")
	if err != nil {
		t.Fatal(err)
	}
	payload := func(hash string) map[string]any {
		return map[string]any{"rawBody": map[string]any{"data": "what do ya want for nothing?",
			"contentType": "text/plain"}, "headers": map[string]any{"X-Hmac": hash, "Other": "x"}}
	}
	inputs := in("hmacHeaderName", "x-hmac", "secretKey", "Jefe", "hashFunction", "sha256", "statusCode", "202",
		"headers", []value.KeyValue{})
	signed := payload("5BDCC146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
	got, err := trigger.Do(t.Context(), newStep(t), signed, inputs)
	if diff := cmp.Diff(any(signed), got.Data); diff != "" || err != nil || got.Response == nil ||
		got.Response.StatusCode != 202 {
		t.Error(err, diff, got.Response)
	}
	for _, hash := range []string{"", "5bdc", "00dcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"} {
		if _, err := trigger.Do(t.Context(), newStep(t), payload(hash),
			inputs); refusal.CodeOf(err) != refusal.Unauthenticated {
			t.Errorf("%q: got %v", hash, err)
		}
	}
	if _, err := trigger.Do(t.Context(), newStep(t), map[string]any{},
		inputs); refusal.CodeOf(err) != refusal.Unauthenticated {
		t.Errorf("without a body: got %v", err)
	}
	inputs["hashFunction"] = "rot13"
	if _, err := trigger.Do(t.Context(), newStep(t), signed, inputs); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("unknown function: got %v", err)
	}
}
