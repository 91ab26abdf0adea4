package definition

import (
	"errors"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Summary keeps of a definition what lists of integrations show, search and sort by, without its parts.
// Folding changes over a summary is summing up again what Apply gives.
func Summary(def *Part) *Part {
	fields := map[string]any{}
	for _, key := range []string{"name", "description", "category", labelsField} {
		if v, there := def.Fields[key]; there {
			fields[key] = v
		}
	}
	return &Part{ID: def.ID, Fields: fields}
}

// withoutParts reads of a definition only its own fields, and of changes only what they make of these: in
// a log of edits most is about the parts.
var withoutParts = jsonv2.JoinUnmarshalers(
	jsonv2.UnmarshalFromFunc(func(d *jsontext.Decoder, n *Part) error {
		var read struct {
			ID     string         `json:"id"`
			Fields map[string]any `json:"fields"`
		}
		err := jsonv2.UnmarshalDecode(d, &read)
		n.ID, n.Fields = read.ID, read.Fields
		return err
	}),
	jsonv2.UnmarshalFromFunc(func(d *jsontext.Decoder, c *Change) error {
		if d.PeekKind() != '{' {
			return errors.ErrUnsupported
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		for d.PeekKind() != '}' {
			name, err := d.ReadValue()
			if err != nil {
				return err
			}
			if into := c.own(string(name)); into == nil {
				err = d.SkipValue()
			} else {
				err = jsonv2.UnmarshalDecode(d, into)
			}
			if err != nil {
				return err
			}
		}
		_, err := d.ReadToken()
		return err
	}),
)

// own gives the place for what a change says by a name, nil once it is known to be about a part.
func (c *Change) own(name string) any {
	switch {
	case name == `"op"`:
		return &c.Op
	case name == `"node"`:
		return &c.Node
	case c.Node != "":
		return nil
	case name == `"path"`:
		return &c.Path
	case name == `"value"`:
		return &c.Value
	}
	return nil
}
