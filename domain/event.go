// Package domain holds the rules of Heddle: aggregates, the events that change them, and the decisions that
// make events. It is pure, so that rules can be tested and replayed: no I/O, no clock, no randomness; callers
// bring time and ids. An event says once what happened and how the state changes by it.
package domain

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/google/uuid"

	"heddle/domain/definition"
)

// Event is a fact about an aggregate with state S. Evolve is pure: it returns the state after the
// event, replacing slices and maps instead of editing them, since older states are still in use.
type Event[S any] interface {
	Evolve(S, Meta) S
}

// Changes are the events that a decision wants appended; none means "already so".
type Changes[S any] []Event[S]

// Meta is the metadata of every event.
type Meta struct {
	ID           uuid.UUID `json:"id"`                    // UUIDv7, also the event's id in the log
	Organization string    `json:"organization"`          // whose event it is
	Actor        string    `json:"actor,omitempty"`       // user id, or "system"
	Token        string    `json:"token,omitempty"`       // id of the API token the actor came with
	Remote       string    `json:"remote,omitempty"`      // network address of the caller
	Time         time.Time `json:"time"`                  // when it was decided, UTC
	Correlation  string    `json:"correlation,omitempty"` // id shared by all that one request caused
	Causation    string    `json:"causation,omitempty"`   // id of the event or request that caused this one
	Trace        string    `json:"trace,omitempty"`       // trace that it was made in, as in W3C's header traceparent
	// hash of the stream's previous event, hex; empty at revision 0
	Previous string `json:"previous,omitempty"`

	// Aggregate is the id of the aggregate that the event belongs to. It comes from the stream's
	// name when an event is folded and is not stored a second time.
	Aggregate string `json:"-"`
}

// Encode returns the stored form, as encoding/json would write it. It is written by hand because every event
// has one.
func (m Meta) Encode() []byte {
	data := append(make([]byte, 0, 512), `{"id":"`...)
	data = append(append(data, m.ID.String()...), '"')
	text := func(name, value string) {
		if value != "" {
			data, _ = jsontext.AppendQuote(append(data, name...), value) // invalid UTF-8 is replaced
		}
	}
	data, _ = jsontext.AppendQuote(append(data, `,"organization":`...), m.Organization)
	text(`,"actor":`, m.Actor)
	text(`,"token":`, m.Token)
	text(`,"remote":`, m.Remote)
	data = append(m.Time.AppendFormat(append(data, `,"time":"`...), time.RFC3339Nano), '"')
	text(`,"correlation":`, m.Correlation)
	text(`,"causation":`, m.Causation)
	text(`,"trace":`, m.Trace)
	text(`,"previous":`, m.Previous)
	return append(data, '}')
}

// Encoded is an event as bytes, under the kind that names its type for ever.
type Encoded struct {
	Kind string
	Data []byte // JSON
}

// Category is the set of event kinds of one kind of aggregate, its codec, and its traits. Streams are named
// "<category>-<id>".
type Category[S any] struct {
	Name string
	Traits
	kinds map[string]kind[S]
	names map[reflect.Type]string
}

type kind[S any] struct {
	current string
	upcast  func([]byte) ([]byte, error) // nil for the current name
	decode  func([]byte, definition.Mode) (Event[S], error)
}

// KindOf is one row of a category's table: a wire name and its event type.
type KindOf[S any] struct {
	name   string
	typ    reflect.Type
	decode func([]byte, definition.Mode) (Event[S], error)
	was    []formerKind
}

type formerKind struct {
	name   string
	upcast func([]byte) ([]byte, error)
}

// Kind is a table row with the wire name of an event type. The name is never changed or used again for another
// meaning.
func Kind[E Event[S], S any](name string) KindOf[S] {
	return KindOf[S]{name: name, typ: reflect.TypeFor[E](),
		decode: func(data []byte, as definition.Mode) (Event[S], error) {
			var e E
			if err := definition.Unmarshal(data, &e, as); err != nil {
				return nil, fmt.Errorf("decoding %s: %w", name, err)
			}
			return e, nil
		}}
}

// Was says that events stored under an older name are read as this kind, after upcast has rewritten
// their data.
func (k KindOf[S]) Was(name string, upcast func([]byte) ([]byte, error)) KindOf[S] {
	k.was = append(slices.Clip(k.was), formerKind{name, upcast})
	return k
}

// NewCategory makes a category from its table. It panics on a duplicate: that is a mistake in the
// table, seen by the first test.
func NewCategory[S any](name string, kinds ...KindOf[S]) *Category[S] {
	c := &Category[S]{Name: name, kinds: map[string]kind[S]{}, names: map[reflect.Type]string{}}
	for _, k := range kinds {
		c.add(k.name, kind[S]{current: k.name, decode: k.decode})
		for _, f := range k.was {
			c.add(f.name, kind[S]{current: k.name, upcast: f.upcast, decode: k.decode})
		}
		if _, double := c.names[k.typ]; double {
			panic("domain: type " + k.typ.Name() + " twice in category " + name)
		}
		c.names[k.typ] = k.name
	}
	return c
}

func (c *Category[S]) add(name string, k kind[S]) {
	if _, double := c.kinds[name]; double {
		panic("domain: kind " + name + " twice in category " + c.Name)
	}
	c.kinds[name] = k
}

// Stream names the stream of the aggregate with this id.
func (c *Category[S]) Stream(id string) string { return c.Name + "-" + id }

// Kinds lists the current wire names, sorted.
func (c *Category[S]) Kinds() []string {
	var names []string
	for name, k := range c.kinds {
		if k.upcast == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// storedForm writes events and their meta as encoding/json does, without its HTML escapes, in half the time.
var storedForm = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsontext.EscapeForHTML(false))

// Encode returns the stored form of an event. It panics on a type that the category's table lacks.
func (c *Category[S]) Encode(e Event[S]) (Encoded, error) {
	name, known := c.names[reflect.TypeOf(e)]
	if !known {
		panic(fmt.Sprintf("domain: %T is not in category %s", e, c.Name))
	}
	data, err := jsonv2.Marshal(e, storedForm)
	if err != nil {
		return Encoded{}, fmt.Errorf("encoding %s: %w", name, err)
	}
	return Encoded{Kind: name, Data: data}, nil
}

// UnknownKindError reports an event of a kind that this build does not know, such as one written by a newer
// build. A decision over such a stream fails; a view skips it.
type UnknownKindError struct{ Category, Kind string }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("event kind %s of category %s is not known to this version of heddle", e.Kind, e.Category)
}

// Decode returns a stored event as its present type.
func (c *Category[S]) Decode(name string, data []byte) (Event[S], error) {
	return c.decode(name, data, definition.Full)
}

// DecodeSummary is Decode for readers that keep a [Summary] of definitions: it leaves out their parts.
func (c *Category[S]) DecodeSummary(name string, data []byte) (Event[S], error) {
	return c.decode(name, data, definition.Partless)
}

func (c *Category[S]) decode(name string, data []byte, as definition.Mode) (Event[S], error) {
	k, known := c.kinds[name]
	if !known {
		return nil, &UnknownKindError{Category: c.Name, Kind: name}
	}
	if k.upcast != nil {
		var err error
		if data, err = k.upcast(data); err != nil {
			return nil, fmt.Errorf("upcasting %s to %s: %w", name, k.current, err)
		}
	}
	return k.decode(data, as)
}
