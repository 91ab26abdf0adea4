package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"heddle/domain"

	"github.com/google/uuid"
)

// Head summarizes a log up to a position. Stored elsewhere, it lets [Verify] prove later that nothing of it was
// changed or cut off.
type Head struct {
	Position Position `json:"position"`
	Events   int      `json:"events"`
	Streams  int      `json:"streams"`
	Foreign  int      `json:"foreign,omitempty"` // records of other programs, which are not chained
	Digest   string   `json:"digest"`            // over the last record of every lasting stream
	// of the streams in Digest, to narrow down a difference
	Categories map[string]CategoryHead `json:"categories,omitempty"`
}

// CategoryHead is one category's part of a [Head].
type CategoryHead struct {
	Events  int    `json:"events"`
	Streams int    `json:"streams"`
	Digest  string `json:"digest"`
}

// truncated is the only category whose streams may begin after revision 0.
const truncated = "state"

// verifiedStream is one of Heddle's streams as far as it was read.
type verifiedStream struct {
	revision Revision
	hash     [sha256.Size]byte
	gap      bool // it did not begin where it should: older records may go before its tombstone comes
}

// verifying is one walk through a log.
type verifying struct {
	streams         map[string]verifiedStream
	events, foreign int
}

// Verify reads the whole log and checks that the revisions of every stream are consecutive and that every
// record names the hash of the one before it; the error says which stream and revision does not. Records of
// other programs are counted and not chained. With an earlier head it also proves that everything in the head
// is still there. Without a head, a change of a stream's last record or the loss of its end can't be seen.
func Verify(ctx context.Context, log Log, since *Head) (Head, error) {
	v := &verifying{streams: map[string]verifiedStream{}}
	checked := since == nil
	var last Position
	for r, err := range log.Follow(ctx, 0, Filter{}) {
		if err != nil {
			return Head{}, fmt.Errorf("verifying the log: %w", err)
		}
		if !checked && r.Position > since.Position {
			if err := since.holds(v.head(since.Position)); err != nil {
				return Head{}, err
			}
			checked = true
		}
		last = r.Position
		if r.Mark() {
			break
		}
		if err := v.next(r); err != nil {
			return Head{}, err
		}
	}
	head := v.head(last)
	if !checked {
		if last < since.Position {
			return head, fmt.Errorf("the log ends at position %d, before %d that it had reached", last, since.Position)
		}
		if err := since.holds(head); err != nil {
			return head, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.streams)) {
		if s := v.streams[name]; s.gap {
			return head, fmt.Errorf("stream %s begins after revision 0 and was not removed; its last one is %d", name,
				s.revision)
		}
	}
	return head, nil
}

func (v *verifying) next(r Recorded) error {
	before, known := v.streams[r.Stream]
	if !r.Own() {
		return v.other(r, before, known)
	}
	v.events++
	var meta domain.Meta
	if err := json.Unmarshal(r.Meta, &meta); err != nil {
		return fmt.Errorf("stream %s: the meta of revision %d can't be read: %w", r.Stream, r.Revision, err)
	}
	gap, previous := before.gap, meta.Previous
	switch {
	case known && r.Revision != before.revision+1:
		return fmt.Errorf("stream %s: revision %d follows %d", r.Stream, r.Revision, before.revision)
	case known:
		previous = hex.EncodeToString(before.hash[:])
	case r.Revision == 0:
		previous = ""
	case r.Category() == truncated, meta.Previous == "": // or only others have written to it before
	case domain.TraitsOf(r.Category()).Passing:
		gap = true
	default:
		return fmt.Errorf("stream %s begins at revision %d", r.Stream, r.Revision)
	}
	if meta.Previous != previous {
		return fmt.Errorf(
			"stream %s: revision %d does not name the hash of the record before it, so one of the two was changed",
			r.Stream, r.Revision)
	}
	v.streams[r.Stream] = verifiedStream{r.Revision, hashOf(r), gap}
	return nil
}

// other handles a record that is not Heddle's. It counts in a stream of Heddle's, but not in its chain.
func (v *verifying) other(r Recorded, before verifiedStream, known bool) error {
	var meta domain.Meta
	if json.Unmarshal(r.Meta, &meta) == nil && meta.ID != uuid.Nil && meta.Organization != "" && known {
		return fmt.Errorf("stream %s: revision %d is stored under another id than its own", r.Stream, r.Revision)
	}
	v.foreign++
	switch {
	case r.Kind == TombstoneKind:
		delete(v.streams, r.Stream)
	case known && r.Revision == before.revision+1:
		before.revision = r.Revision
		v.streams[r.Stream] = before
	}
	return nil
}

func (v *verifying) head(at Position) Head {
	head := headOf(v.streams, v.events, at)
	head.Foreign = v.foreign
	return head
}

func headOf(streams map[string]verifiedStream, events int, at Position) Head {
	head := Head{Position: at, Events: events, Streams: len(streams), Categories: map[string]CategoryHead{}}
	byCategory := map[string][]string{}
	for name := range streams {
		if category := (Recorded{Stream: name}).Category(); !domain.TraitsOf(category).Passing {
			byCategory[category] = append(byCategory[category], name)
		}
	}
	whole := sha256.New()
	for _, category := range slices.Sorted(maps.Keys(byCategory)) {
		c := CategoryHead{Streams: len(byCategory[category])}
		sum := sha256.New()
		for _, name := range slices.Sorted(slices.Values(byCategory[category])) {
			s := streams[name]
			c.Events += int(s.revision) + 1
			sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name))))
			sum.Write([]byte(name))
			sum.Write(binary.BigEndian.AppendUint64(nil, uint64(s.revision)))
			sum.Write(s.hash[:])
		}
		digest := sum.Sum(nil)
		whole.Write(binary.BigEndian.AppendUint64(nil, uint64(len(category))))
		whole.Write([]byte(category))
		whole.Write(digest)
		c.Digest = hex.EncodeToString(digest)
		head.Categories[category] = c
	}
	head.Digest = hex.EncodeToString(whole.Sum(nil))
	return head
}

// holds compares the head with the log up to the same position. Counts over all streams shrink as runs are
// removed, so only the digest must be the same.
func (h *Head) holds(now Head) error {
	if h.Digest == now.Digest {
		return nil
	}
	for _, category := range slices.Sorted(maps.Keys(h.Categories)) {
		if was, is := h.Categories[category], now.Categories[category]; was != is {
			return fmt.Errorf(
				"the log does not hold what it held up to position %d: category %s has %d events in %d streams, it had %d in %d with other content",
				h.Position, category, is.Events, is.Streams, was.Events, was.Streams)
		}
	}
	return fmt.Errorf("the log does not hold what it held up to position %d: its digest is %s, it was %s", h.Position,
		now.Digest, h.Digest)
}
