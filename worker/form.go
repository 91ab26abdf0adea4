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

	"heddle/domain"
)

// The most headers that a part of a form may have: real ones have up to four.
const (
	maxPartHeaders     = 100
	maxPartHeaderBytes = 16 << 10
)

// formPart is one part of a multipart form. Its data is a piece of the body itself.
type formPart struct {
	name, fileName string
	contentType    string
	data           []byte
}

var errNoForm = errors.New("the body is not a multipart form with that boundary")

// splitForm returns the parts of a multipart form without copying them. mime/multipart would do, but for
// its buffers: it takes some hundred bytes for each part that is empty, of which a body has room for very
// many. Source: RFC 2046, section 5.1, and RFC 7578.
func splitForm(body []byte, boundary string, most int) (parts []formPart, err error) {
	if boundary == "" {
		return nil, errNoForm
	}
	delimiter := []byte("--" + boundary)
	_, at, last, found := nextDelimiter(body, delimiter, 0)
	headers := bufio.NewReaderSize(nil, 512)
	for found && !last {
		var end, next int
		if end, next, last, found = nextDelimiter(body, delimiter, at); !found {
			break
		}
		if len(parts) == most {
			return nil, domain.Exceed("HEDDLE_MAX_BODY_PARTS", "the form has more than %s", domain.Count(most, "part"))
		}
		part, err := readPart(body[at:max(at, end)], headers)
		if err != nil {
			return nil, err
		}
		parts, at = append(parts, part), next
	}
	if !last {
		return nil, errNoForm // cut off
	}
	return parts, nil
}

// nextDelimiter finds the next line that is a delimiter, or the last one: where what stands before it ends, and
// where what follows begins.
func nextDelimiter(body, delimiter []byte, from int) (before, after int, last, found bool) {
	for {
		i := bytes.Index(body[from:], delimiter)
		if i < 0 {
			return 0, 0, false, false
		}
		at := from + i
		from = at + len(delimiter)
		if at > 0 && body[at-1] != '\n' {
			continue
		}
		rest := body[from:]
		last = bytes.HasPrefix(rest, []byte("--"))
		line, _, ended := bytes.Cut(rest, []byte("\n"))
		padding := bytes.TrimRight(bytes.TrimSuffix(line, []byte("\r")), " \t")
		if !last && (!ended || len(padding) > 0) {
			continue // a longer word that begins like the delimiter
		}
		before = at
		if before > 0 {
			before--
		}
		if before > 0 && body[before-1] == '\r' {
			before--
		}
		return before, from + len(line) + 1, last, true
	}
}

// readPart reads a part's headers and what follows them.
func readPart(part []byte, headers *bufio.Reader) (formPart, error) {
	head, data := cutHead(part)
	if bytes.Count(head, []byte("\n")) > maxPartHeaders || len(head) > maxPartHeaderBytes {
		return formPart{}, domain.Refuse(domain.Invalid, "a part of the form has more than %d headers or %d bytes of them", maxPartHeaders, maxPartHeaderBytes)
	}
	headers.Reset(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n")))
	header, err := textproto.NewReader(headers).ReadMIMEHeader()
	if err != nil {
		return formPart{}, errNoForm
	}
	disposition, params, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	p := formPart{contentType: cmp.Or(header.Get("Content-Type"), "text/plain"), data: data}
	if disposition == "form-data" {
		p.name = params["name"]
	}
	if name := params["filename"]; name != "" {
		p.fileName = filepath.Base(name) // never a path
	}
	if strings.EqualFold(header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		if p.data, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data))); err != nil {
			return formPart{}, errNoForm
		}
	}
	return p, nil
}

// cutHead divides a part at its first empty line.
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

// fieldsOf returns each field of a form as {data, contentType}, with the fileName of a file and a list for
// a field that comes more than once. A part that is a form itself stays as it came. Source: the format's
// documentation of triggers.
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
