package vault

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"heddle/domain/refusal"
	"heddle/store/files"
)

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = 32

// MasterKeyFile is the name of the file in a data folder that holds a generated master key.
const MasterKeyFile = "master.key"

// LoadMasterKey reads the master key from HEDDLE_MASTER_KEY's value, base64 of 32 bytes, or, if that is empty,
// from the file master.key in dir, which it creates at the first start. created reports that the operator has a
// new file to back up.
func LoadMasterKey(configured, dir string) (key []byte, created bool, err error) {
	if configured != "" {
		key, err = parseMasterKey("HEDDLE_MASTER_KEY", configured)
		return key, false, err
	}
	path := filepath.Join(dir, MasterKeyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if created, err = createMasterKey(path); err == nil {
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("loading the master key: %w", err)
	}
	key, err = parseMasterKey(path, string(text))
	return key, created, err
}

func parseMasterKey(from, text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != MasterKeySize {
		return nil, refusal.New(refusal.Invalid, "%s must hold %d bytes in base64", from, MasterKeySize)
	}
	return key, nil
}

// createMasterKey writes a new key so that the file is either complete or missing. If another process is
// quicker, its key stands.
func createMasterKey(path string) (created bool, err error) {
	key := make([]byte, MasterKeySize)
	if _, err := rand.Read(key); err != nil {
		return false, err
	}
	temp, err := files.WriteTemp(filepath.Dir(path), []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	if err != nil {
		return false, err
	}
	defer os.Remove(temp)
	switch err := os.Link(temp, path); { // unlike a rename it never replaces a file
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, files.SyncDir(filepath.Dir(path))
}
