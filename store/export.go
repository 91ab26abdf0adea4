package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Exported is a record as one line of an export. Meta and data are texts, so that they stay the bytes
// that the hash is over.
type Exported struct {
	Position Position `json:"position"`
	Stream   string   `json:"stream"`
	Revision Revision `json:"revision"`
	Kind     string   `json:"kind"`
	Meta     string   `json:"meta"`
	Data     string   `json:"data"`
	Hash     string   `json:"hash"` // see [HashOf]
}

// Export makes the line of a record.
func Export(r Recorded) Exported {
	return Exported{r.Position, r.Stream, r.Revision, r.Kind, string(r.Meta), string(r.Data), HashOf(r)}
}

// ExportHead says what an export holds.
type ExportHead struct {
	Events  int `json:"events"`
	Streams int `json:"streams"`
	Linked  int `json:"linked"` // events that name the hash of the event before them, which is in the export
	Gaps    int `json:"gaps"`   // events whose event before is not in the export, which a filter explains
}

// VerifyExport checks an export by itself: that each event has the hash it tells, and that it names the
// hash of the event before it wherever that is there. The error says which line does not.
func VerifyExport(from io.Reader) (head ExportHead, err error) {
	type place struct {
		revision Revision
		hash     string
	}
	last := map[string]place{}
	decoder := json.NewDecoder(from)
	for {
		var e Exported
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			head.Streams = len(last)
			return head, nil
		} else if err != nil {
			return head, fmt.Errorf("line %d is no event of an export: %w", head.Events+1, err)
		}
		head.Events++
		r := Recorded{Event: Event{Kind: e.Kind, Meta: []byte(e.Meta), Data: []byte(e.Data)}, Stream: e.Stream, Revision: e.Revision}
		if HashOf(r) != e.Hash {
			return head, fmt.Errorf("line %d: %s@%d was changed: its hash is another", head.Events, e.Stream, e.Revision)
		}
		meta, err := MetaOf(r)
		if err != nil {
			return head, fmt.Errorf("line %d: %w", head.Events, err)
		}
		before, there := last[e.Stream]
		switch {
		case there && before.revision == e.Revision-1 && before.hash == meta.Previous:
			head.Linked++
		case there && before.revision == e.Revision-1:
			return head, fmt.Errorf("line %d: %s@%d does not follow the event before it: one of the two was changed", head.Events, e.Stream, e.Revision)
		case there && before.revision >= e.Revision:
			return head, fmt.Errorf("line %d: %s@%d comes after revision %d", head.Events, e.Stream, e.Revision, before.revision)
		case e.Revision > 0:
			head.Gaps++
		}
		last[e.Stream] = place{e.Revision, e.Hash}
	}
}
