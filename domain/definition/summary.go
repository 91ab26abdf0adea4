package definition

import (
	"errors"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Summary keeps the fields of a definition that lists of integrations show, search and sort by, without its
// parts. Folding changes over a summary equals summarizing the result of Apply.
func Summary(def *Part) *Part {
	fields := map[string]any{}
	for _, key := range []string{"name", "description", "category", labelsField} {
		if v, there := def.Fields[key]; there {
			fields[key] = v
		}
	}
	return &Part{ID: def.ID, Fields: fields}
}

// withoutParts reads only a definition's own fields, and only the changes of these: in a log of edits most
// changes concern the parts.
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

// own returns the field to decode into, or nil for changes of parts, which summaries skip.
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
