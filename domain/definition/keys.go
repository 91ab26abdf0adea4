package definition

import (
	"encoding/base64"
	"maps"
	"strings"
	"unicode"

	"heddle/domain/refusal"
)

// apiKeysField holds the API keys that the endpoint of a flow accepts from every caller of the organization.
const apiKeysField = "organizationApiKeys"

const (
	sealedBegin  = "…"
	sealedMiddle = " (sealed:"
	sealedEnd    = ")"
)

// SealedKey is an API key in a definition: its end, by which people recognize it, and the sealed key itself. As
// it is no secret, it is exported and imported.
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

// ReadSealedKey returns the sealed form of a key of a definition; ok is false for a plain one.
func ReadSealedKey(key string) (sealed []byte, ok bool) {
	end, rest, ok := strings.Cut(key, sealedMiddle)
	if !ok || !strings.HasPrefix(end, sealedBegin) || !strings.HasSuffix(rest, sealedEnd) {
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimSuffix(rest, sealedEnd))
	return sealed, err == nil
}

// APIKeys returns the API keys of a flow as they stand there.
func (n *Part) APIKeys() (keys []string) {
	list, _ := n.Fields[apiKeysField].([]any)
	for _, key := range list {
		if s, ok := key.(string); ok && s != "" {
			keys = append(keys, s)
		}
	}
	return keys
}

// MapAPIKeys returns a definition or part with each API key replaced by the result of call; "" removes it.
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

// MapAPIKeysIn does the same for changes of a definition.
func MapAPIKeysIn(def *Part, changes []Change,
	call func(part *Part, key string) (string, error)) (mapped []Change, err error) {
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
