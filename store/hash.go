package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// HashOf is the hash of a record, in hex: SHA-256 over stream, revision, kind, meta and data as
// stored, each after its length. The stream's next event carries it as Meta.Previous.
func HashOf(r Recorded) string {
	sum := hashOf(r)
	return hex.EncodeToString(sum[:])
}

func hashOf(r Recorded) [sha256.Size]byte {
	b := make([]byte, 0, 5*8+len(r.Stream)+len(r.Kind)+len(r.Meta)+len(r.Data))
	field := func(f string) {
		b = binary.BigEndian.AppendUint64(b, uint64(len(f)))
		b = append(b, f...)
	}
	field(r.Stream)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Revision))
	field(r.Kind)
	field(string(r.Meta))
	field(string(r.Data))
	return sha256.Sum256(b)
}
