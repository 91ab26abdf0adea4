package value

import (
	"encoding/hex"
	"testing"

	"heddle/domain/refusal"
)

func TestDigest(t *testing.T) {
	empty, err := Digest("SHA1", nil, nil)
	if got := hex.EncodeToString(empty); got != "da39a3ee5e6b4b0d3255bfef95601890afd80709" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	keyed, err := Digest("sha1", nil, []byte{}) // an empty key is a key
	if got := hex.EncodeToString(keyed); got != "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Digest("sm3", nil, nil); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("got %v", err)
	}
	for _, name := range HashNames() {
		if sum, err := Digest(name, []byte("x"), nil); len(sum) < 16 || err != nil {
			t.Errorf("%s: got %x, %v", name, sum, err)
		}
	}
}
