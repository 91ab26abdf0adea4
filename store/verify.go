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
)

// Head says what a log holds up to a position. Kept elsewhere, it lets [Verify] prove later that
// nothing of it was changed or cut off.
type Head struct {
	Position   Position                `json:"position"`
	Events     int                     `json:"events"`
	Streams    int                     `json:"streams"`
	Digest     string                  `json:"digest"`               // over the last record of every stream that lasts
	Categories map[string]CategoryHead `json:"categories,omitempty"` // of the streams in Digest, to tell where a difference is
}

// CategoryHead is the part of a [Head] that one category makes.
type CategoryHead struct {
	Events  int    `json:"events"`
	Streams int    `json:"streams"`
	Digest  string `json:"digest"`
}

// passing are the categories whose old records are removed in time. Their chains are checked, but
// they can't be part of a digest that has to hold for ever.
var passing = []string{"run", "state"}

// truncated is the only category whose streams may begin after revision 0.
const truncated = "state"

type verifiedStream struct {
	revision Revision
	hash     [sha256.Size]byte
}

// Verify reads the whole log and checks that the revisions of every stream follow each other and
// that every record names the hash of the one before it; the error says which stream and revision
// does not. With an earlier head it also proves that all that the head told of is still there. What
// no head tells of, a change of a stream's last record or the loss of its end can't be seen.
func Verify(ctx context.Context, log Log, since *Head) (Head, error) {
	streams, events := map[string]verifiedStream{}, 0
	checked := since == nil
	var last Position
	for r, err := range log.Follow(ctx, 0, Filter{}) {
		if err != nil {
			return Head{}, fmt.Errorf("verifying the log: %w", err)
		}
		if !checked && r.Position > since.Position {
			if err := since.holds(headOf(streams, events, since.Position)); err != nil {
				return Head{}, err
			}
			checked = true
		}
		last = r.Position
		if r.Mark() {
			break
		}
		if err := verifyNext(streams, r); err != nil {
			return Head{}, err
		}
		events++
	}
	head := headOf(streams, events, last)
	if !checked {
		if last < since.Position {
			return head, fmt.Errorf("the log ends at position %d, before %d that it had reached", last, since.Position)
		}
		return head, since.holds(head)
	}
	return head, nil
}

func verifyNext(streams map[string]verifiedStream, r Recorded) error {
	before, known := streams[r.Stream]
	previous := ""
	switch {
	case known && r.Revision != before.revision+1:
		return fmt.Errorf("stream %s: revision %d follows %d", r.Stream, r.Revision, before.revision)
	case known:
		previous = hex.EncodeToString(before.hash[:])
	case r.Revision != 0 && r.Category() != truncated:
		return fmt.Errorf("stream %s begins at revision %d", r.Stream, r.Revision)
	}
	var meta domain.Meta
	if err := json.Unmarshal(r.Meta, &meta); err != nil {
		return fmt.Errorf("stream %s: the meta of revision %d can't be read: %w", r.Stream, r.Revision, err)
	}
	if meta.Previous != previous && (known || r.Revision == 0) {
		return fmt.Errorf("stream %s: revision %d does not name the hash of the record before it, so one of the two was changed", r.Stream, r.Revision)
	}
	if meta.ID != r.ID {
		return fmt.Errorf("stream %s: revision %d is stored under another id than its own", r.Stream, r.Revision)
	}
	streams[r.Stream] = verifiedStream{r.Revision, hashOf(r)}
	return nil
}

func headOf(streams map[string]verifiedStream, events int, at Position) Head {
	head := Head{Position: at, Events: events, Streams: len(streams), Categories: map[string]CategoryHead{}}
	byCategory := map[string][]string{}
	for name := range streams {
		if category := (Recorded{Stream: name}).Category(); !slices.Contains(passing, category) {
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

// holds compares the head with what the log has up to the same position now. Counts over all streams
// shrink as runs are removed, so only the digest must be the same.
func (h *Head) holds(now Head) error {
	if h.Digest == now.Digest {
		return nil
	}
	for _, category := range slices.Sorted(maps.Keys(h.Categories)) {
		if was, is := h.Categories[category], now.Categories[category]; was != is {
			return fmt.Errorf("the log does not hold what it held up to position %d: category %s has %d events in %d streams, it had %d in %d with other content",
				h.Position, category, is.Events, is.Streams, was.Events, was.Streams)
		}
	}
	return fmt.Errorf("the log does not hold what it held up to position %d: its digest is %s, it was %s", h.Position, now.Digest, h.Digest)
}
