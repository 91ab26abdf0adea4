package store

import (
	"bytes"
	"iter"
	"strings"

	"github.com/google/uuid"
)

// A log may be shared: it then holds records of other programs, in streams of any name, and those that its
// server keeps for itself, such as EventStoreDB's tombstones, whose kinds begin with $. They are allowed
// everywhere: readers skip them and continue after them.

// ownMeta is the prefix of the meta of every event that Heddle appends, before the event's own id.
const ownMeta = `{"id":"`

// Own reports whether Heddle appended the record: its meta names its id, as no other program's does.
func (r Recorded) Own() bool {
	if IsSystem(r.Kind) || IsSystem(r.Stream) || r.Binary || len(r.Meta) < len(ownMeta)+len(uuid.Nil.String()) ||
		!bytes.HasPrefix(r.Meta, []byte(ownMeta)) {
		return false
	}
	id, err := uuid.ParseBytes(r.Meta[len(ownMeta) : len(ownMeta)+len(uuid.Nil.String())])
	return err == nil && id == r.ID
}

// Own leaves out records that are not Heddle's. Marks stay.
func Own(records iter.Seq2[Recorded, error]) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		for r, err := range records {
			if err == nil && !r.Mark() && !r.Own() {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// TombstoneKind is the kind of the record by which EventStoreDB marks a removed stream.
const TombstoneKind = "$streamDeleted"

// IsSystem reports whether a stream, or a kind, is one that the store itself keeps.
func IsSystem(name string) bool { return strings.HasPrefix(name, "$") }
