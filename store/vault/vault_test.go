package vault

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/tink"

	"heddle/domain/refusal"
	"heddle/store/cache"
)

func testVault(t *testing.T, fill byte) *Vault {
	t.Helper()
	v, err := Open(bytes.Repeat([]byte{fill}, MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVault(t *testing.T) {
	v := testVault(t, 1)
	wrapped, err := v.NewDataKey("customer-1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := v.NewDataKey("customer-1")
	if err != nil || bytes.Equal(wrapped, other) {
		t.Fatal("two data keys are the same", err)
	}
	for _, plain := range []string{"", "secret", strings.Repeat("long", 10000)} {
		sealed, err := v.Seal(wrapped, "customer-1", "connection-1/password", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Error("the secret can be read in its sealed form")
		}
		again, err := v.Seal(wrapped, "customer-1", "connection-1/password", []byte(plain))
		if err != nil || bytes.Equal(sealed, again) {
			t.Error("sealing twice gives the same text", err)
		}
		for _, vault := range []*Vault{v, testVault(t, 1)} { // with and without the key in the cache
			got, err := vault.Open(wrapped, "customer-1", "connection-1/password", sealed)
			if err != nil || string(got) != plain {
				t.Errorf("opened %q, %v", got, err)
			}
		}
	}
}

func TestVaultRefuses(t *testing.T) {
	v := testVault(t, 1)
	wrapped, _ := v.NewDataKey("customer-1")
	other, _ := v.NewDataKey("customer-2")
	sealed, err := v.Seal(wrapped, "customer-1", "connection-1/password", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"moved to another place": func() ([]byte, error) {
			return v.Open(wrapped, "customer-1", "connection-2/password", sealed)
		},
		"opened with another key": func() ([]byte, error) {
			return v.Open(other, "customer-2", "connection-1/password", sealed)
		},
		"key moved to another place": func() ([]byte, error) {
			return v.Open(wrapped, "customer-2", "connection-1/password", sealed)
		},
		"wrong master key": func() ([]byte, error) {
			return testVault(t, 2).Open(wrapped, "customer-1", "connection-1/password", sealed)
		},
		"cut": func() ([]byte, error) {
			return v.Open(wrapped, "customer-1", "connection-1/password", sealed[:8])
		},
		"nothing": func() ([]byte, error) {
			return v.Open(wrapped, "customer-1", "connection-1/password", nil)
		},
		"no key": func() ([]byte, error) {
			return v.Open(nil, "customer-1", "connection-1/password", sealed)
		},
		"place and key place glued 1": func() ([]byte, error) {
			return v.Open(wrapped, "customer-", "1connection-1/password", sealed)
		},
	} {
		if plain, err := open(); err == nil {
			t.Errorf("%s: opened as %q", name, plain)
		}
	}
	for i := range sealed {
		for bit := range 8 {
			flipped := bytes.Clone(sealed)
			flipped[i] ^= 1 << bit
			if _, err := v.Open(wrapped, "customer-1", "connection-1/password", flipped); err == nil {
				t.Fatalf("bit %d of byte %d can be flipped", bit, i)
			}
		}
	}
}

func TestVaultKnowsItsMasterKey(t *testing.T) {
	v := testVault(t, 1)
	wrapped, _ := v.NewDataKey("customer-1")
	if err := testVault(t, 1).Check(wrapped, "customer-1"); err != nil {
		t.Error(err)
	}
	err := testVault(t, 2).Check(wrapped, "customer-1")
	refuses(t, err, refusal.Unavailable)
	if !strings.Contains(err.Error(), "HEDDLE_MASTER_KEY is not the key this data was sealed with") {
		t.Error(err)
	}
	if err := v.Check(wrapped, "customer-2"); err == nil {
		t.Error("a data key can be moved")
	}
	_, err = Open([]byte("short"))
	refuses(t, err, refusal.Invalid)
}

func TestVaultKeepsFewKeys(t *testing.T) {
	v := testVault(t, 1)
	v.keys = cache.New[string, tink.AEAD](4)
	for range 40 {
		wrapped, err := v.NewDataKey("c")
		if err == nil {
			_, err = v.Seal(wrapped, "c", "p", []byte("x"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := v.keys.Len(); n > 8 {
		t.Errorf("%d keys are kept", n)
	}
}

func TestLoadMasterKey(t *testing.T) {
	dir := t.TempDir()
	given := bytes.Repeat([]byte{7}, MasterKeySize)
	key, created, err := LoadMasterKey(" "+base64.StdEncoding.EncodeToString(given)+"\n", dir)
	if err != nil || created || !bytes.Equal(key, given) {
		t.Fatal(key, created, err)
	}
	for _, bad := range []string{"x", base64.StdEncoding.EncodeToString(given[1:]), "!"} {
		_, _, err := LoadMasterKey(bad, dir)
		refuses(t, err, refusal.Invalid)
	}
	first, created, err := LoadMasterKey("", dir)
	if err != nil || !created || len(first) != MasterKeySize {
		t.Fatal(created, err)
	}
	second, created, err := LoadMasterKey("", dir)
	if err != nil || created || !bytes.Equal(first, second) {
		t.Error("the key changed", created, err)
	}
	path := filepath.Join(dir, MasterKeyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = LoadMasterKey("", dir)
	refuses(t, err, refusal.Invalid)
	if _, _, err := LoadMasterKey("", filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing folder is no error")
	}
}

func TestMasterKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	keys := make([][]byte, 8)
	var starting sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range keys {
		starting.Go(func() {
			key, created, err := LoadMasterKey("", dir)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			keys[i] = key
			if created {
				made++
			}
		})
	}
	starting.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) {
			t.Error("two starts at once got different keys")
		}
	}
	if made != 1 {
		t.Errorf("%d say they made it", made)
	}
}

// A MAC holds for one master key, purpose and message.
func TestMAC(t *testing.T) {
	v := func(first byte) *Vault {
		key := make([]byte, MasterKeySize)
		key[0] = first
		v, err := Open(key)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	mac := string(v(1).MAC("a", "b"))
	if mac != string(v(1).MAC("a", "b")) {
		t.Error("it is another one the second time")
	}
	for _, other := range [][]byte{v(2).MAC("a", "b"), v(1).MAC("b", "b"), v(1).MAC("a", "a"), v(1).MAC("ab", ""),
		v(1).MAC("", "ab")} {
		if string(other) == mac {
			t.Error("something else has the same")
		}
	}
}

func refuses(t testing.TB, err error, code refusal.Code) {
	t.Helper()
	if refusal.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with %s", err, code)
	}
}
