package worker

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"

	"heddle/component"
	"heddle/component/value"
)

// minSecret is how long a value must be to be masked: shorter ones are in everything.
const minSecret = 6 // bytes

// maskedText stands for a secret in logs, errors and headers.
const maskedText = "********"

// publicFields are the fields of connections that are not secret, in lower case: addresses and names, which results
// have good reasons to hold. All others are masked.
var publicFields = []string{
	"account", "accountid", "apiversion", "audience", "authorizeurl", "authurl", "baseurl", "bucket", "clientid",
	"client_id", "database", "domain", "email", "endpoint", "environment", "from", "granttype", "grant_type",
	"header", "headerkey", "headername", "host", "hostname", "instanceurl", "name", "organization", "parametername",
	"path", "port", "protocol", "realm", "redirecturi", "region", "revokeurl", "schema", "scope", "scopes", "server",
	"site", "subdomain", "tenant", "tenantid", "tokenurl", "type", "url", "user", "username", "version",
}

// masker knows the secrets that a run has opened. In the records of the run each is replaced: in results by a mark,
// which later claims of the same run turn back into the value, elsewhere by asterisks.
type masker struct {
	mu    sync.RWMutex
	mac   func(message string) string // of the run
	tag   string                      // in each mark: nobody outside the run can make one
	known []secret                    // the longest first, as one may be part of another
}

type secret struct{ value, inJSON, mark string }

// newSecrets returns a masker for a run, without secrets yet.
func (w *Worker) newSecrets(run string) *masker {
	mac := func(message string) string {
		return hex.EncodeToString(w.Vault.MAC("secret mark", run+" "+message)[:8])
	}
	return &masker{mac: mac, tag: mac("")}
}

// addConnection adds a connection's secret fields, and their form in basic authentication.
func (s *masker) addConnection(key string, fields map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		if slices.Contains(publicFields, strings.ToLower(name)) {
			continue
		}
		s.addAny(key+"."+name, value)
		if text, ok := value.(string); ok {
			if user, ok := fields["username"].(string); ok {
				s.add(key+"."+name+" basic", base64.StdEncoding.EncodeToString([]byte(user+":"+text)))
			}
		}
	}
}

func (s *masker) addAny(name string, value any) {
	switch v := value.(type) {
	case string:
		s.add(name, v)
	case []any:
		for _, element := range v {
			s.addAny(name, element)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.addAny(name+"."+key, v[key])
		}
	}
}

// add adds a secret, in all forms in which requests and texts hold it, under the same marks in every claim of the
// run.
func (s *masker) add(name, value string) {
	if len(value) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	query := url.QueryEscape(value)
	forms := []string{value, quoted(value), query, url.PathEscape(value), likeCode.Replace(query),
		likeForms.Replace(query)}
	for i, form := range []string{"", " quoted", " query", " path", " component", " form"} {
		s.addForm(forms[i], "<secret "+plainName(name)+form+" "+s.tag+s.mac(forms[i])+">")
	}
	for behind := range 3 {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			piece := insideBase64(encoding, behind, value)
			mark := "secret" + s.tag + s.mac(piece) // base64, too: what is binary can still be read
			s.addForm(piece, mark+strings.Repeat("x", (len(piece)-len(mark)%4+4)%4))
		}
	}
	slices.SortStableFunc(s.known, func(a, b secret) int { return len(b.value) - len(a.value) })
}

func (s *masker) addForm(form, mark string) {
	if !slices.ContainsFunc(s.known, func(k secret) bool { return k.value == form }) {
		s.known = append(s.known, secret{form, quoted(form), mark})
	}
}

// What encodeURIComponent and URLSearchParams of scripts write in another way than net/url.
var (
	likeCode  = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")
	likeForms = strings.NewReplacer("%2A", "*", "~", "%7E")
)

// insideBase64 returns the part of a value's base64 that does not depend on its surroundings, if the value begins
// so many bytes after a multiple of three.
func insideBase64(encoding *base64.Encoding, behind int, value string) string {
	const bits = 6 // of a character
	text := encoding.EncodeToString([]byte("\x00\x00"[:behind] + value))
	return text[(8*behind+bits-1)/bits : 8*(behind+len(value))/bits]
}

// quoted returns a text as it stands inside a JSON string.
func quoted(text string) string {
	data, err := value.Encode(text)
	if err != nil {
		return text // no text is refused
	}
	return string(data[1 : len(data)-1])
}

// plainName keeps only characters that JSON writes as they are.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .-_", r) {
			return r
		}
		return '_'
	}, name)
}

// mask replaces the secrets in JSON by their marks, and returns the first mark. Text that already looks like a mark
// of the run came from outside, and is defused.
func (s *masker) mask(data json.RawMessage) (masked json.RawMessage, first string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.known) == 0 {
		return data, ""
	}
	data = bytes.ReplaceAll(data, []byte(s.tag), []byte(maskedText))
	for _, k := range s.known {
		if masked := replaceText(data, k.inJSON, k.mark); masked != nil {
			data, first = masked, k.mark
		}
	}
	return data, first
}

// maskAll masks the values that a step has set in the execution's own scope.
func (s *masker) maskAll(values map[string]json.RawMessage) map[string]json.RawMessage {
	var masked map[string]json.RawMessage
	for key, value := range values {
		if hidden, first := s.mask(value); first != "" {
			if masked == nil {
				masked = maps.Clone(values)
			}
			masked[key] = hidden
		}
	}
	if masked == nil {
		return values
	}
	return masked
}

// replaceText replaces a piece of text in the strings of JSON; it returns nil if there is none. The character after
// a backslash is not text: the n of an escaped line end is not an n.
func replaceText(data []byte, piece, by string) (replaced []byte) {
	from, done, at, inside := 0, 0, 0, false
	for {
		i := bytes.Index(data[from:], []byte(piece))
		if i < 0 {
			if replaced != nil {
				replaced = append(replaced, data[done:]...)
			}
			return replaced
		}
		for hit := from + i; at < hit; at++ {
			switch {
			case data[at] == '"':
				inside = !inside
			case inside && data[at] == '\\':
				at++
			}
		}
		if from += i; at > from || !inside {
			from++
			continue
		}
		replaced = append(append(replaced, data[done:from]...), by...)
		from += len(piece)
		done, at = from, from
	}
}

// masked reports whether mask has replaced something in data.
func (s *masker) masked(data []byte) bool { return bytes.Contains(data, []byte(s.tag)) }

// reveal puts the secrets back into masked data.
func (s *masker) reveal(data []byte) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.known {
		data = bytes.ReplaceAll(data, []byte(k.mark), []byte(k.inJSON))
	}
	return data
}

// under returns a masker of the same secrets whose marks are those of another run, or of something else.
func (s *masker) under(w *Worker, other string) *masker {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := w.newSecrets(other)
	for _, k := range s.known {
		k.mark = strings.Replace(k.mark, s.tag+s.mac(k.value), o.tag+o.mac(k.value), 1)
		o.known = append(o.known, k)
	}
	return o
}

// payloadMarks masks the secrets in the payloads with which flows of an instance invoke each other, and which may
// be replayed.
func (x *attempt) payloadMarks() *masker {
	x.apiKeys()
	return x.secrets.under(x.w, "payloads of "+x.run.Queued.Instance)
}

// reveal restores data that an earlier claim of the run has masked.
func (x *attempt) reveal(data []byte) []byte {
	if !x.secrets.masked(data) {
		return data
	}
	x.apiKeys() // they may be among them
	return x.secrets.reveal(data)
}

// text returns a text without the secrets.
func (s *masker) text(text string) string {
	if s == nil {
		return text
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.known {
		text = strings.ReplaceAll(text, k.value, maskedText)
	}
	return text
}

// hide returns an error without the secrets.
func (s *masker) hide(err error) error {
	if hidden := s.text(err.Error()); hidden != err.Error() {
		return errors.New(hidden)
	}
	return err
}

// hideResult masks a step's result for the record: its data, which is encoded already, and its headers. It warns in
// the step's log of a masked secret.
func (s *stepContext) hideResult(result *component.Result, data json.RawMessage) json.RawMessage {
	x := s.x
	data, mark := x.secrets.mask(data)
	if mark != "" && !x.warned {
		x.warned = true
		s.Log("warn", "the result holds a secret, which is recorded as "+mark)
	}
	result.ContentType = x.secrets.text(result.ContentType)
	for name, value := range result.Headers {
		if hidden := x.secrets.text(value); hidden != value {
			result.Headers[name] = hidden
		}
	}
	return data
}
