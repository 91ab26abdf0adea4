package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// macKey derives the key of [Vault.MAC] from the master key.
func macKey(masterKey []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, masterKey, nil, "heddle message authentication", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	return key, nil
}

// MAC authenticates a message for a purpose: only a holder of the master key can make it.
func (v *Vault) MAC(purpose, message string) []byte {
	mac := hmac.New(sha256.New, v.mac)
	fmt.Fprintf(mac, "%d %s%s", len(purpose), purpose, message)
	return mac.Sum(nil)
}
