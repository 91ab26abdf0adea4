package worker

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/textproto"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"heddle/domain/refusal"
)

// The most headers that a part of a form may have: real ones have up to four.
const (
	maxPartHeaders     = 100
	maxPartHeaderBytes = 16 << 10
)

// formPart is one part of a multipart form. Its data is a slice of the body.
type formPart struct {
	name, fileName string
	contentType    string
	encoding       string
	data           []byte
}

var errNoForm = errors.New("the body is not a multipart form with that boundary")

// splitForm returns the parts of a multipart form without copying them. mime/multipart would do but for its
// buffers: it takes some hundred bytes for each empty part, of which a body has room for very many. As there, lines
// end like that of the first delimiter. Source: RFC 2046, section 5.1, and RFC 7578.
func splitForm(body []byte, boundary string, most int) (parts []formPart, err error) {
	if boundary == "" {
		return nil, errNoForm
	}
	d := delimiters{word: []byte("--" + boundary)}
	_, rest, last, found := d.cut(body)
	headers := bufio.NewReaderSize(nil, 512)
	for found && !last {
		if len(parts) == most {
			return nil, refusal.Exceed("HEDDLE_MAX_BODY_PARTS", "the form has more than %s",
				refusal.Count(most, "part"))
		}
		head, data := cutHead(rest)
		part, err := readHead(head, headers)
		if err != nil {
			return nil, err
		}
		if data, rest, last, found = d.cut(data); !found {
			break
		}
		if part.data, err = part.decode(data); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if !last {
		return nil, errNoForm // cut off
	}
	return parts, nil
}

// delimiters are the lines between parts.
type delimiters struct {
	word    []byte
	newline string // "" until the first delimiter has been found
}

// cut divides data at its first delimiter. A delimiter at the very beginning needs no line end before it: the empty
// line after the headers is one.
func (d *delimiters) cut(data []byte) (before, after []byte, last, found bool) {
	for from := 0; ; {
		i := bytes.Index(data[from:], d.word)
		if i < 0 {
			return nil, nil, false, false
		}
		at := from + i
		from = at + len(d.word)
		before, ends := bytes.CutSuffix(data[:at], []byte(cmp.Or(d.newline, "\n")))
		if at > 0 && !ends {
			continue
		}
		rest, last := bytes.CutPrefix(data[from:], []byte("--"))
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		newline := "\n"
		if bare, crlf := bytes.CutSuffix(line, []byte("\r")); crlf {
			line, newline = bare, "\r\n"
		}
		switch {
		case len(bytes.Trim(line, " \t")) > 0: // a longer word that begins like the delimiter
		case last:
			return before, after, true, true
		case ended && (d.newline == "" || d.newline == newline):
			d.newline = newline
			return before, after, false, true
		}
	}
}

// readHead reads a part's headers.
func readHead(head []byte, headers *bufio.Reader) (formPart, error) {
	if bytes.Count(head, []byte("\n")) > maxPartHeaders || len(head) > maxPartHeaderBytes {
		return formPart{}, refusal.New(refusal.Invalid,
			"a part of the form has more than %d headers or %d bytes of them", maxPartHeaders, maxPartHeaderBytes)
	}
	headers.Reset(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n")))
	header, err := textproto.NewReader(headers).ReadMIMEHeader()
	if err != nil {
		return formPart{}, errNoForm
	}
	disposition, params, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	p := formPart{contentType: cmp.Or(header.Get("Content-Type"), "text/plain"),
		encoding: header.Get("Content-Transfer-Encoding")}
	if disposition == "form-data" {
		p.name = params["name"]
	}
	if name := params["filename"]; name != "" {
		p.fileName = filepath.Base(name) // never a path
	}
	return p, nil
}

// decode undoes the encoding that a part's headers name.
func (p formPart) decode(data []byte) ([]byte, error) {
	if !strings.EqualFold(p.encoding, "quoted-printable") {
		return data, nil
	}
	data, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data)))
	if err != nil {
		return nil, errNoForm
	}
	return data, nil
}

// cutHead divides the data after a delimiter at its first empty line.
func cutHead(part []byte) (head, data []byte) {
	for at := 0; at < len(part); {
		line, _, _ := bytes.Cut(part[at:], []byte("\n"))
		next := min(at+len(line)+1, len(part))
		if len(bytes.TrimSuffix(line, []byte("\r"))) == 0 {
			return part[:at], part[next:]
		}
		at = next
	}
	return part, nil
}

// fieldsOf returns each field of a form as {data, contentType}, with the fileName of a file, and a list for a
// repeated field. A part that is a form itself stays as it came. Source: the format's documentation of triggers.
func fieldsOf(parts []formPart, limits *bodyLimits) (map[string]any, error) {
	fields := make(map[string]any, len(parts))
	for _, part := range parts {
		var data any = part.data
		if utf8.Valid(part.data) {
			data = string(part.data)
		}
		if isJSON(part.contentType) && len(part.data) > 0 {
			var err error
			if data, err = parseJSON(data, part.data, limits); err != nil {
				return nil, err
			}
		}
		field := map[string]any{"data": data, "contentType": part.contentType}
		if part.fileName != "" {
			field["fileName"] = part.fileName
		}
		switch before := fields[part.name].(type) {
		case nil:
			fields[part.name] = field
		case []any:
			fields[part.name] = append(before, field)
		default:
			fields[part.name] = []any{before, field}
		}
	}
	return fields, nil
}
