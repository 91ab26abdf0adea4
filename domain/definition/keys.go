package definition

import (
	"encoding/base64"
	"maps"
	"strings"
	"unicode"

	"heddle/domain/refusal"
)

// apiKeysField is where a definition has the API keys that the endpoint of a flow takes of everybody who calls for
// the organization.
const apiKeysField = "organizationApiKeys"

const (
	sealedBegin  = "…"
	sealedMiddle = " (sealed:"
	sealedEnd    = ")"
)

// SealedKey is how an API key stands in a definition: its end, by which people tell it from others, and the key
// itself, sealed. As it is no secret, exports have it and imports take it back.
func SealedKey(plain string, sealed []byte) string {
	letters := []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, plain))
	end := letters[len(letters)-min(4, len(letters)/4):]
	return sealedBegin + string(end) + sealedMiddle + base64.RawURLEncoding.EncodeToString(sealed) + sealedEnd
}

// ReadSealedKey gives what is sealed in a key of a definition; one that is not sealed is not ok.
func ReadSealedKey(key string) (sealed []byte, ok bool) {
	end, rest, ok := strings.Cut(key, sealedMiddle)
	if !ok || !strings.HasPrefix(end, sealedBegin) || !strings.HasSuffix(rest, sealedEnd) {
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimSuffix(rest, sealedEnd))
	return sealed, err == nil
}

// APIKeys gives the API keys of a flow as they stand there.
func (n *Part) APIKeys() (keys []string) {
	list, _ := n.Fields[apiKeysField].([]any)
	for _, key := range list {
		if s, ok := key.(string); ok && s != "" {
			keys = append(keys, s)
		}
	}
	return keys
}

// MapAPIKeys gives a definition or part in which each API key is what call makes of it; none for "".
func (n *Part) MapAPIKeys(call func(part *Part, key string) (string, error)) (*Part, error) {
	mapped := n
	own := func() {
		if mapped == n {
			copied := *n
			mapped, mapped.Fields, mapped.Children = &copied, maps.Clone(n.Fields), maps.Clone(n.Children)
		}
	}
	if value := n.Fields[apiKeysField]; value != nil {
		keys, err := mapAPIKeys(n, value, call)
		if err != nil {
			return nil, err
		}
		own()
		mapped.Fields[apiKeysField] = keys
	}
	for list, children := range n.Children {
		for i, child := range children {
			changed, err := child.MapAPIKeys(call)
			if err != nil {
				return nil, err
			}
			if changed != child {
				own()
				if &mapped.Children[list][0] == &children[0] {
					mapped.Children[list] = append([]*Part(nil), children...)
				}
				mapped.Children[list][i] = changed
			}
		}
	}
	return mapped, nil
}

func mapAPIKeys(part *Part, value any, call func(part *Part, key string) (string, error)) ([]any, error) {
	list, ok := value.([]any)
	mapped := []any{}
	for _, v := range list {
		key, isText := v.(string)
		if ok = ok && isText; !ok {
			break
		}
		key, err := call(part, key)
		if err != nil {
			return nil, err
		}
		if key != "" {
			mapped = append(mapped, key)
		}
	}
	if !ok {
		return nil, refusal.New(refusal.Invalid, "%s must be a list of texts", apiKeysField)
	}
	return mapped, nil
}

// MapAPIKeysIn does the same in changes of a definition.
func MapAPIKeysIn(def *Part, changes []Change, call func(part *Part, key string) (string, error)) (mapped []Change, err error) {
	for _, c := range changes {
		switch {
		case c.Part != nil:
			c.Part, err = c.Part.MapAPIKeys(call)
		case c.Op == SetOp && len(c.Path) > 0 && c.Path[0] == apiKeysField && c.Value != nil:
			c.Value, err = mapAPIKeys(def.Find(c.Node), c.Value, call)
		}
		if err != nil {
			return nil, err
		}
		mapped = append(mapped, c)
	}
	return mapped, nil
}
