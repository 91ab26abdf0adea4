// Package vault seals secrets, so that neither the log nor a backup shows them: under data keys, which the
// master key wraps, each bound to its context.
package vault

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"heddle/domain/refusal"
	"heddle/store/cache"
)

// Vault seals secrets under data keys, one per customer, that are themselves wrapped by the master key. A
// context (such as "connection-1/password") is bound to each sealed text and each wrapped key as associated
// data: moved elsewhere, neither opens.
type Vault struct {
	master tink.AEAD
	keys   *cache.Map[string, tink.AEAD] // by context and wrapped form
	mac    []byte
}

const keysCached = 512 // data keys, in each of two generations

// Open makes a vault from a master key of [MasterKeySize] bytes.
func Open(masterKey []byte) (*Vault, error) {
	if len(masterKey) != MasterKeySize {
		return nil, refusal.New(refusal.Invalid, "the master key has %d bytes instead of %d", len(masterKey),
			MasterKeySize)
	}
	master, err := subtle.NewXChaCha20Poly1305(masterKey)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	mac, err := macKey(masterKey)
	if err != nil {
		return nil, err
	}
	return &Vault{master: master, keys: cache.New[string, tink.AEAD](keysCached), mac: mac}, nil
}

// NewDataKey draws a data key and returns it wrapped for its context.
func (v *Vault) NewDataKey(keyContext string) ([]byte, error) {
	// 192-bit nonces may be drawn at random for ever, so a data key has no limit of messages.
	handle, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("drawing a data key: %w", err)
	}
	var b bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), v.master, []byte(keyContext)); err != nil {
		return nil, fmt.Errorf("wrapping a data key: %w", err)
	}
	return b.Bytes(), nil
}

// Seal encrypts plain with a wrapped data key, for one context.
func (v *Vault) Seal(wrapped []byte, keyContext, textContext string, plain []byte) ([]byte, error) {
	key, err := v.unwrap(wrapped, keyContext)
	if err != nil {
		return nil, err
	}
	sealed, err := key.Encrypt(plain, []byte(textContext))
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", textContext, err)
	}
	return sealed, nil
}

// Open decrypts a text sealed with the same data key for the same context; anything else is an error.
func (v *Vault) Open(wrapped []byte, keyContext, textContext string, sealed []byte) ([]byte, error) {
	key, err := v.unwrap(wrapped, keyContext)
	if err != nil {
		return nil, err
	}
	plain, err := key.Decrypt(sealed, []byte(textContext))
	if err != nil {
		return nil, fmt.Errorf("opening what was sealed for %s: %w", textContext, err)
	}
	return plain, nil
}

// Check refuses with UNAVAILABLE if the data key was not wrapped for its context by this master key.
func (v *Vault) Check(wrapped []byte, keyContext string) error {
	_, err := v.unwrap(wrapped, keyContext)
	return err
}

func (v *Vault) unwrap(wrapped []byte, keyContext string) (tink.AEAD, error) {
	name := fmt.Sprintf("%d %s%s", len(keyContext), keyContext, wrapped)
	if key, ok := v.keys.Get(name); ok {
		return key, nil
	}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), v.master,
		[]byte(keyContext))
	if err != nil { // tink does not distinguish a wrong key from a damaged text
		return nil, fmt.Errorf("%w (data key of %s: %w)", ErrMasterKey, keyContext, err)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("unwrapping the data key of %s: %w", keyContext, err)
	}
	v.keys.Put(name, key)
	return key, nil
}

// ErrMasterKey says that the secrets were sealed with another master key.
var ErrMasterKey = refusal.New(refusal.Unavailable, "HEDDLE_MASTER_KEY is not the key this data was sealed with")
