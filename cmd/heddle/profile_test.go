package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestBenchProfile(t *testing.T) {
	h := newHarness(t)
	path := filepath.Join(t.TempDir(), "cpu.pgo")
	if out, err := command(h.dir, h.env, "bench", "run", "--callers=1", "--warm=10ms", "--for=100ms", "--profile",
		path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	if gzip := []byte{0x1f, 0x8b}; err != nil || !bytes.HasPrefix(data, gzip) {
		t.Errorf("%d bytes that are no profile: %v", len(data), err)
	}
	out, err := command(h.dir, h.env, "bench", "run", "--profile", filepath.Join(path, "below")).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("making the profile")) {
		t.Errorf("into a folder that is none: %v\n%s", err, out)
	}
}
