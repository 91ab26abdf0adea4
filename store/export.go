package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Exported is a record as one line of an export. Meta and data are strings, which keeps the hashed bytes as
// they are.
type Exported struct {
	Position Position `json:"position"`
	Stream   string   `json:"stream"`
	Revision Revision `json:"revision"`
	Kind     string   `json:"kind"`
	Meta     string   `json:"meta"`
	Data     string   `json:"data"`
	Hash     string   `json:"hash"` // see [HashOf]
}

// Export returns the line of a record.
func Export(r Recorded) Exported {
	return Exported{r.Position, r.Stream, r.Revision, r.Kind, string(r.Meta), string(r.Data), HashOf(r)}
}

// ExportHead summarizes an export.
type ExportHead struct {
	Events  int `json:"events"`
	Streams int `json:"streams"`
	Linked  int `json:"linked"` // events whose previous event is in the export, with the hash that they name
	Gaps    int `json:"gaps"`   // events whose previous event is not in the export, which a filter explains
}

// VerifyExport checks an export by itself: each event must have the hash in its line, and name the hash of the
// event before it if the export has that. The error says which line does not.
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
		r := Recorded{Event: Event{Kind: e.Kind, Meta: []byte(e.Meta), Data: []byte(e.Data)}, Stream: e.Stream,
			Revision: e.Revision}
		if HashOf(r) != e.Hash {
			return head, fmt.Errorf("line %d: %s@%d was changed: its hash is another", head.Events, e.Stream,
				e.Revision)
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
			return head, fmt.Errorf("line %d: %s@%d does not follow the event before it: one of the two was changed",
				head.Events, e.Stream, e.Revision)
		case there && before.revision >= e.Revision:
			return head, fmt.Errorf("line %d: %s@%d comes after revision %d", head.Events, e.Stream, e.Revision,
				before.revision)
		case e.Revision > 0:
			head.Gaps++
		}
		last[e.Stream] = place{e.Revision, e.Hash}
	}
}
