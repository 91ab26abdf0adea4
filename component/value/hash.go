package value

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
	"maps"
	"slices"
	"strings"

	"heddle/domain/refusal"
)

// hashes are the functions of Go's own library; the format has BLAKE2, MD4, MD5-SHA1, RIPEMD160, SM3 and
// whirlpool besides.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384,
	"sha512": sha512.New, "sha512-224": sha512.New512_224, "sha512-256": sha512.New512_256,
	"sha3-224": func() hash.Hash { return sha3.New224() }, "sha3-256": func() hash.Hash { return sha3.New256() },
	"sha3-384": func() hash.Hash { return sha3.New384() }, "sha3-512": func() hash.Hash { return sha3.New512() },
}

// HashNames lists the hash functions that [Digest] knows.
func HashNames() []string { return slices.Sorted(maps.Keys(hashes)) }

// Digest returns a message's hash by a function, which is named in any case; with a key its HMAC.
func Digest(function string, message, key []byte) ([]byte, error) {
	newHash, known := hashes[strings.ToLower(function)]
	if !known {
		return nil, refusal.ForField(refusal.Invalid, "hashFunction", "%s is no known hash function; known are %s",
			Brief(function), strings.Join(HashNames(), ", "))
	}
	h := newHash()
	if key != nil {
		h = hmac.New(newHash, key)
	}
	_, _ = h.Write(message) // a hash's Write never fails
	return h.Sum(nil), nil
}
