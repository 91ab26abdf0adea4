package builtin

import (
	"encoding/xml"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"heddle/component/value"
	"heddle/domain/refusal"
)

// xmlDoc is the convention for XML, which the format does not define.
const xmlDoc = "XML is an object with the root element's name as its key. An element is its text, or an object if it has attributes (keys that begin with @) " +
	"or elements inside; its text then is under #text. Elements of one name are a list. Prefixes of names are kept, comments and doctypes are not. " +
	"A value that is no object with a single key is written inside an element root, and elements of a list as item."

const (
	xmlText      = "#text"
	xmlAttribute = "@"
	maxXMLDepth  = 200
)

type xmlInputs struct {
	dataInputs
	Strings bool `key:"numbersAsStrings" label:"Parse numbers as strings?" default:"false" doc:"Leave text that is a number text."`
}

func readXML(budget *value.Budget, in xmlInputs) (any, error) {
	text, err := requiredText(budget, in.Data, "XML")
	if err != nil {
		return nil, err
	}
	if err := budget.Hold(mostAttributes(text) * attributeBytes); err != nil {
		return nil, err
	}
	reader := xmlReader{budget: budget, decoder: xml.NewDecoder(budget.Reader(text)), strings: in.Strings}
	reader.decoder.CharsetReader = func(charset string, rest io.Reader) (io.Reader, error) {
		return fromCharset(charset, text, rest)
	}
	for {
		token, err := reader.decoder.RawToken()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, refusal.ForField(refusal.Invalid, "data", "Data is not XML: %s", excerpt(err.Error(), 300))
		}
		if start, isStart := token.(xml.StartElement); isStart {
			value, err := reader.element(start, 0)
			if err != nil {
				return nil, refusal.ForField(refusal.Invalid, "data", "Data is not XML: %s", excerpt(err.Error(), 300))
			}
			return map[string]any{xmlName(start.Name): value}, nil
		}
	}
}

// attributeBytes is the decoder's memory for each attribute of an element, with room to grow.
const attributeBytes = 128

// mostAttributes returns an upper bound of the attributes of any element: the decoder reads an element whole.
// Neither names nor values have a < in them.
func mostAttributes(text string) (most int) {
	for element := range strings.SplitSeq(text, "<") {
		n := 0
		for {
			_, rest, found := strings.Cut(element, "=")
			if !found {
				break
			}
			element = strings.TrimLeft(rest, " \t\r\n")
			if element != "" && (element[0] == '"' || element[0] == '\'') {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// xmlReader reads raw tokens, so that prefixes stay as they are. It knows only XML's own entities, and reads
// nothing outside the text.
type xmlReader struct {
	budget  *value.Budget
	decoder *xml.Decoder
	strings bool
}

// fromCharset reads XML that declares an encoding other than UTF-8. Text keeps no trace of its former encoding.
func fromCharset(charset, text string, rest io.Reader) (io.Reader, error) {
	if utf8.ValidString(text) {
		return rest, nil
	}
	encoding, err := htmlindex.Get(charset)
	if err != nil {
		return nil, refusal.ForField(refusal.Invalid, "data",
			"the encoding %q, which the XML declares, is not known; give the text in UTF-8", excerpt(charset, 40))
	}
	return encoding.NewDecoder().Reader(rest), nil
}

func xmlName(name xml.Name) string {
	if name.Space != "" {
		return name.Space + ":" + name.Local
	}
	return name.Local
}

func (r xmlReader) element(start xml.StartElement, depth int) (any, error) {
	if depth > maxXMLDepth {
		return nil, refusal.New(refusal.Invalid, "elements are nested deeper than %d", maxXMLDepth)
	}
	object := map[string]any{}
	for _, a := range start.Attr {
		if err := put(r.budget, object, xmlAttribute+xmlName(a.Name), r.value(a.Value)); err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	for {
		token, err := r.decoder.RawToken()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			inner, err := r.element(t, depth+1)
			if err != nil {
				return nil, err
			}
			if err := addElement(r.budget, object, xmlName(t.Name), inner); err != nil {
				return nil, err
			}
		case xml.EndElement:
			if t.Name != start.Name {
				return nil, refusal.New(refusal.Invalid, "<%s> is closed by </%s>", xmlName(start.Name),
					xmlName(t.Name))
			}
			return r.finished(object, strings.TrimSpace(text.String()))
		}
	}
}

func (r xmlReader) finished(object map[string]any, text string) (any, error) {
	if err := r.budget.Hold(value.TextBytes + len(text)); err != nil {
		return nil, err
	}
	switch {
	case len(object) == 0:
		return r.value(text), nil
	case text != "":
		return object, put(r.budget, object, xmlText, r.value(text))
	}
	return object, nil
}

// value converts text that is just a number: no leading zeros, no signs before, no loss.
func (r xmlReader) value(text string) any {
	if n, err := strconv.ParseFloat(text, 64); err == nil && !r.strings && value.Text(n) == text {
		return n
	}
	return text
}

// put sets a key of an object under construction.
func put(budget *value.Budget, object map[string]any, name string, val any) error {
	keys := len(object)
	object[name] = val
	if len(object) == keys {
		return nil
	}
	return budget.Hold(value.ObjectBytes(keys+1) - value.ObjectBytes(keys) + value.TextBytes + len(name))
}

// addElement makes a list of elements of one name.
func addElement(budget *value.Budget, object map[string]any, name string, val any) error {
	old, there := object[name]
	if !there {
		return put(budget, object, name, val)
	}
	if list, isList := old.([]any); isList { // an element is never a list itself
		object[name] = append(list, val)
	} else {
		object[name] = []any{old, val}
	}
	return budget.Hold(value.SlotBytes)
}

func writeXML(budget *value.Budget, v any) (string, error) {
	name, value := "root", unquoted(budget, v)
	if object, isObject := value.(map[string]any); isObject && len(object) == 1 {
		for only, inner := range object {
			if _, isList := inner.([]any); !isList && only != xmlText && !strings.HasPrefix(only, xmlAttribute) {
				name, value = only, inner
			}
		}
	}
	if list, isList := value.([]any); isList {
		value = map[string]any{"item": list}
	}
	w := xmlWriter{budget, budget.NewOutput()}
	if err := w.write(`<?xml version="1.0" encoding="UTF-8"?>` + "\n"); err != nil {
		return "", err
	}
	if err := w.element(name, value, 0); err != nil {
		return "", err
	}
	return w.out.Result()
}

type xmlWriter struct {
	budget *value.Budget
	out    *value.Output
}

func (w xmlWriter) write(parts ...string) error {
	for _, part := range parts {
		if _, err := w.out.WriteString(part); err != nil {
			return err
		}
	}
	return nil
}

// escaped writes a value between two texts.
func (w xmlWriter) escaped(before string, v any, after string) error {
	if err := w.write(before); err != nil {
		return err
	}
	if err := xml.EscapeText(w.out, []byte(w.budget.Text(v))); err != nil {
		return err
	}
	return w.write(after)
}

func (w xmlWriter) element(name string, v any, depth int) error {
	if !isXMLName(name) {
		return refusal.ForField(refusal.Invalid, "data", "%q cannot be the name of an XML element or attribute",
			excerpt(name, 40))
	}
	if depth > maxXMLDepth {
		return refusal.ForField(refusal.Invalid, "data", "Data is nested deeper than %d", maxXMLDepth)
	}
	if err := w.write("<", name); err != nil {
		return err
	}
	object, isObject := v.(map[string]any)
	if !isObject {
		if err := w.escaped(">", v, "</"); err != nil {
			return err
		}
		return w.write(name, ">")
	}
	keys := slices.Sorted(maps.Keys(object))
	if err := w.attributes(object, keys); err != nil {
		return err
	}
	if err := w.escaped(">", object[xmlText], ""); err != nil {
		return err
	}
	for _, key := range keys {
		if key == xmlText || strings.HasPrefix(key, xmlAttribute) {
			continue
		}
		if err := w.elements(key, object[key], depth+1); err != nil {
			return err
		}
	}
	return w.write("</", name, ">")
}

func (w xmlWriter) attributes(object map[string]any, keys []string) error {
	for _, key := range keys {
		attribute, is := strings.CutPrefix(key, xmlAttribute)
		if !is {
			continue
		}
		if !isXMLName(attribute) {
			return refusal.ForField(refusal.Invalid, "data",
				"%q cannot be the name of an XML attribute", excerpt(attribute, 40))
		}
		if err := w.write(" ", attribute); err != nil {
			return err
		}
		if err := w.escaped(`="`, object[key], `"`); err != nil {
			return err
		}
	}
	return nil
}

// elements writes one element, or all of a list.
func (w xmlWriter) elements(name string, v any, depth int) error {
	elements, isList := v.([]any)
	if !isList {
		elements = []any{v}
	}
	for _, element := range elements {
		if list, isList := element.([]any); isList {
			element = map[string]any{"item": list}
		}
		if err := w.element(name, element, depth); err != nil {
			return err
		}
	}
	return nil
}

func isXMLName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0xC0 && r != 0xD7 && r != 0xF7
		if !letter && (i == 0 || !strings.ContainsRune("-.:0123456789\u00b7", r)) {
			return false
		}
	}
	return name != ""
}
