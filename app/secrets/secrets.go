// Package secrets seals and opens what instances and organizations keep secret, with the data key of whom it belongs
// to. Both doors use it.
package secrets

import (
	"errors"

	"heddle/domain"
	"heddle/projections"
	"heddle/store/vault"
)

// ErrNoKey is the error for an owner whose data key is not there.
var ErrNoKey = errors.New("the data key is missing")

// Keeper seals and opens secrets.
type Keeper struct {
	View  *projections.View
	Vault *vault.Vault
}

// OfOrganization returns what stands for an organization as the owner of a secret.
func OfOrganization(id string) domain.Instance { return domain.Instance{Organization: id} }

// Seal seals a secret of an instance for its place, with its customer's data key or else its organization's.
func (k Keeper) Seal(owner domain.Instance, place string, plain []byte) ([]byte, error) {
	key, keyPlace, ok := k.View.DataKey(owner)
	if !ok {
		return nil, ErrNoKey
	}
	return k.Vault.Seal(key, keyPlace, place, plain)
}

// Open opens what Seal sealed for the same place.
func (k Keeper) Open(owner domain.Instance, place string, sealed []byte) ([]byte, error) {
	key, keyPlace, ok := k.View.DataKey(owner)
	if !ok {
		return nil, ErrNoKey
	}
	return k.Vault.Open(key, keyPlace, place, sealed)
}

// FlowKeys opens the API keys that an instance has for the endpoint of a flow.
func (k Keeper) FlowKeys(instance domain.Instance, flow string) (keys []string, err error) {
	for _, key := range instance.Keys[flow] {
		plain, err := k.Open(instance, domain.FlowKeyContext(instance.ID, flow), key.Sealed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, string(plain))
	}
	return keys, nil
}
