package worker

import (
	"encoding/json"
	"testing"

	"heddle/component/value"
)

// What is masked holds no secret and is read back as it was.
func FuzzMask(f *testing.F) {
	f.Add("secret", `["secret", "xsecrety", "s"]`)
	f.Add(`a"b\c/d`, `{"a\"b\\c/d": "a%22b%5Cc%2Fd"}`)
	f.Add("secretsecret", `"secretsecretsecret"`)
	f.Add("nabcdef", `"x\nabcdef nabcdef \\nabcdef"`)
	f.Add("u2028abc", `"\u2028abc"`)
	f.Add("<secret", `"<secret <secret name 00>>"`)
	h := &Worker{Vault: newHarnessVault(f)}
	f.Fuzz(func(t *testing.T, secret, text string) {
		var val any
		if json.Unmarshal([]byte(text), &val) != nil {
			return
		}
		data, err := value.Encode(val)
		if err != nil {
			return
		}
		s := h.newSecrets("run")
		s.add("Key.k", secret)
		masked, _ := s.mask(data)
		if !json.Valid(masked) {
			t.Fatalf("masked as %s", masked)
		}
		if s.masked(data) || len(secret) < minSecret {
			return
		}
		if back := s.reveal(masked); string(back) != string(data) {
			t.Fatalf("%s is read back as %s from %s", data, back, masked)
		}
	})
}
