package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A link in the place of a secret leads nowhere: its target is neither read nor written.
func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "log.password")
	need(t, os.WriteFile(target, []byte("theirs"), 0o644))
	need(t, os.Symlink(target, link))
	if data, err := ReadOwn(link); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Errorf("read %q, %v", data, err)
	}
	need(t, WriteNew(link, []byte("ours")))
	if data, err := os.ReadFile(target); string(data) != "theirs" || err != nil {
		t.Errorf("the target holds %q, %v", data, err)
	}
	if data, err := ReadOwn(link); string(data) != "ours" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
}
