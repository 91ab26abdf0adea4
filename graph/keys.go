package graph

import (
	"context"
	"iter"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// sealKeys gives a definition in which the API keys are sealed, before it is written anywhere. A key that the
// definition before it has, too, stays what it is there. One that was sealed by somebody else can't be opened and
// is left out, with a warning.
func (r *Resolver) sealKeys(ctx context.Context, def, before *definition.Part) (*definition.Part, []refusal.Problem, error) {
	s := r.sealer(ctx, before)
	var warnings []refusal.Problem
	sealed, err := def.MapAPIKeys(func(part *definition.Part, key string) (string, error) {
		text, err := s.seal(key)
		if refusal.CodeOf(err) == refusal.Invalid {
			warnings = append(warnings, refusal.Problem{Flow: part.Name(), Message: err.Error()})
			return "", nil
		}
		return text, err
	})
	return sealed, warnings, err
}

// sealKeysIn does the same in changes of a definition, for a field of a request. A key that can't be opened is
// refused there.
func (r *Resolver) sealKeysIn(ctx context.Context, field string, changes []definition.Change, before *definition.Part) ([]definition.Change, error) {
	s := r.sealer(ctx, before)
	changes, err := definition.MapAPIKeysIn(before, changes, func(_ *definition.Part, key string) (string, error) { return s.seal(key) })
	if code := refusal.CodeOf(err); code == refusal.Invalid {
		err = refusal.ForField(code, field, "%s", err.Error())
	}
	return changes, err
}

// keySealer seals the API keys of an organization's definitions.
type keySealer struct {
	r     *Resolver
	as    domain.Instance // stands for the organization
	place string
	known map[string]string // what is sealed already, by what it is
}

func (r *Resolver) sealer(ctx context.Context, before *definition.Part) keySealer {
	organization := access.Of(ctx).Organization
	s := keySealer{r, domain.Instance{Organization: organization}, domain.OrganizationAPIKeyPlace(organization), map[string]string{}}
	for key := range apiKeys(before) {
		if plain, err := s.open(key); err == nil {
			s.known[plain] = key
		}
	}
	return s
}

func apiKeys(definition *definition.Part) iter.Seq[string] {
	return func(yield func(string) bool) {
		if definition == nil {
			return
		}
		for part := range definition.All() {
			for _, key := range part.APIKeys() {
				if !yield(key) {
					return
				}
			}
		}
	}
}

// open gives the key that stands in a definition, sealed or not.
func (s keySealer) open(text string) (plain string, err error) {
	sealed, ok := definition.ReadSealedKey(text)
	if !ok {
		return text, nil
	}
	key, place, ok := s.r.View.DataKey(s.as)
	if !ok {
		return "", missing("data key")
	}
	opened, err := s.r.Vault.Open(key, place, s.place, sealed)
	if err != nil {
		return "", refusal.New(refusal.Invalid, "the API key %s is another server's or organization's; give the key itself", text)
	}
	return string(opened), nil
}

// seal gives what is to stand in a definition for a key, sealed already or not.
func (s keySealer) seal(text string) (string, error) {
	plain, err := s.open(text)
	if err != nil || plain == "" {
		return "", err
	}
	if known, ok := s.known[plain]; ok {
		return known, nil
	}
	sealed, ok := definition.ReadSealedKey(text)
	if !ok {
		if sealed, err = s.r.sealFor(s.as, s.place, []byte(plain)); err != nil {
			return "", err
		}
	}
	s.known[plain] = definition.SealedKey(plain, sealed)
	return s.known[plain], nil
}
