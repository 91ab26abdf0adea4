package main

import (
	"regexp"
	"testing"
)

// TestBenchEditors sees to it that the measurement works, and that no edit is refused or missed; how fast
// they are is not for a test.
func TestBenchEditors(t *testing.T) {
	h := newHarness(t)
	out, err := command(h.dir, h.env, "bench", "editors", "--editors", "2,5", "--for", "200ms").Output()
	if err != nil || len(regexp.MustCompile(`\n +[25] +[0-9]+ +0 +0 +[0-9.]+[mµ]?s `).FindAll(out, -1)) != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}
