package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// HashOf returns the hash of a record, in hex: SHA-256 over stream, revision, kind, meta and data as stored,
// each after its length. The stream's next event carries it as Meta.Previous.
func HashOf(r Recorded) string {
	sum := hashOf(r)
	return hex.EncodeToString(sum[:])
}

func hashOf(r Recorded) [sha256.Size]byte {
	b := make([]byte, 0, 2048) // on the stack; few records are larger
	if size := 5*8 + len(r.Stream) + len(r.Kind) + len(r.Meta) + len(r.Data); size > cap(b) {
		b = make([]byte, 0, size)
	}
	b = appendField(b, r.Stream)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Revision))
	b = appendField(b, r.Kind)
	b = appendField(b, r.Meta)
	b = appendField(b, r.Data)
	return sha256.Sum256(b)
}

func appendField[F string | []byte](b []byte, f F) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(f))), f...)
}
