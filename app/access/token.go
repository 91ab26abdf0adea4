package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// tokenPrefix makes a leaked token recognisable to scanners.
const tokenPrefix = "heddle_"

// NewToken draws the secret of an API token.
func NewToken() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails: see crypto/rand
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
}

// TokenHash is how a token is stored and found: random tokens need no slow hash.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
