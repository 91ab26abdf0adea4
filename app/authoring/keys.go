package authoring

import (
	"context"
	"errors"
	"iter"

	"heddle/app/access"
	"heddle/app/secrets"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// sealKeys returns a definition in which the API keys are sealed, before it is written anywhere. A key that the
// definition before it has, too, stays what it is there. One that was sealed by somebody else can't be opened and
// is left out, with a warning.
func (s *Service) sealKeys(ctx context.Context, def,
	before *definition.Part) (*definition.Part, []refusal.Problem, error) {
	k := s.sealer(ctx, before)
	var warnings []refusal.Problem
	sealed, err := def.MapAPIKeys(func(part *definition.Part, key string) (string, error) {
		text, err := k.seal(key)
		if refusal.CodeOf(err) == refusal.Invalid {
			warnings = append(warnings, refusal.Problem{Flow: part.Name(), Message: err.Error()})
			return "", nil
		}
		return text, err
	})
	return sealed, warnings, err
}

// SealKeysIn does the same in changes of a definition, for a field of a request. A key that can't be opened is
// refused there.
func (s *Service) SealKeysIn(ctx context.Context, field string, changes []definition.Change,
	before *definition.Part) ([]definition.Change, error) {
	k := s.sealer(ctx, before)
	changes, err := definition.MapAPIKeysIn(before, changes,
		func(_ *definition.Part, key string) (string, error) { return k.seal(key) })
	if code := refusal.CodeOf(err); code == refusal.Invalid {
		err = refusal.ForField(code, field, "%s", err.Error())
	}
	return changes, err
}

// keySealer seals the API keys of an organization's definitions.
type keySealer struct {
	secrets secrets.Keeper
	owner   domain.Instance
	place   string
	known   map[string]string // what is sealed already, by what it is
}

func (s *Service) sealer(ctx context.Context, before *definition.Part) keySealer {
	organization := access.Of(ctx).Organization
	k := keySealer{s.Secrets, secrets.OfOrganization(organization), domain.OrganizationAPIKeyContext(organization),
		map[string]string{}}
	for key := range apiKeys(before) {
		if plain, err := k.open(key); err == nil {
			k.known[plain] = key
		}
	}
	return k
}

func apiKeys(def *definition.Part) iter.Seq[string] {
	return func(yield func(string) bool) {
		if def == nil {
			return
		}
		for part := range def.All() {
			for _, key := range part.APIKeys() {
				if !yield(key) {
					return
				}
			}
		}
	}
}

// open returns the key that stands in a definition, sealed or not.
func (k keySealer) open(text string) (plain string, err error) {
	sealed, ok := definition.ReadSealedKey(text)
	if !ok {
		return text, nil
	}
	opened, err := k.secrets.Open(k.owner, k.place, sealed)
	switch {
	case errors.Is(err, secrets.ErrNoKey):
		return "", refusal.Missing("data key")
	case err != nil:
		return "", refusal.New(refusal.Invalid,
			"the API key %s is another server's or organization's; give the key itself", text)
	}
	return string(opened), nil
}

// seal returns what is to stand in a definition for a key, sealed already or not.
func (k keySealer) seal(text string) (string, error) {
	plain, err := k.open(text)
	if err != nil || plain == "" {
		return "", err
	}
	if known, ok := k.known[plain]; ok {
		return known, nil
	}
	sealed, ok := definition.ReadSealedKey(text)
	if !ok {
		if sealed, err = k.secrets.Seal(k.owner, k.place, []byte(plain)); errors.Is(err, secrets.ErrNoKey) {
			return "", refusal.Missing("data key")
		} else if err != nil {
			return "", err
		}
	}
	k.known[plain] = definition.SealedKey(plain, sealed)
	return k.known[plain], nil
}
