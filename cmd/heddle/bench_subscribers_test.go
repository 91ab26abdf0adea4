package main

import (
	"regexp"
	"testing"
)

// TestBenchSubscribers sees to it that the measurement works; what it measures is not for a test.
func TestBenchSubscribers(t *testing.T) {
	h := newHarness(t)
	out, err := command(h.dir, h.env, "bench", "subscribers", "--subscribers", "7", "--changes", "3").Output()
	if err != nil || !regexp.MustCompile(`\n +7 +3 +[0-9.]+[mµ]?s .* MiB\n`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := command(h.dir, h.env, "bench", "subscribers", "--subscribers", "2", "--fields",
		"nothing").CombinedOutput(); err == nil {
		t.Errorf("subscribers that are refused are measured: %s", out)
	}
}
