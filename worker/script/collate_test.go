package script

import (
	"fmt"
	"strings"
	"testing"
)

// A script can't have more kept by naming ever more languages.
func TestCollationIsBounded(t *testing.T) {
	c := collation{}
	for i := range 10 * maxCollators {
		for _, tag := range []string{fmt.Sprintf("x-%d", i), "sv", strings.Repeat("a", i*maxTag)} {
			order, err := c.compare([]any{"ä", "z", tag, false, fmt.Sprint("made up ", i)})
			if want := map[bool]int{true: 1, false: -1}[tag == "sv"]; err != nil || order != want {
				t.Fatalf("%q: got %v, %v, want %d", tag, order, err, want)
			}
		}
	}
	if len(c) > maxCollators {
		t.Errorf("%d are kept", len(c))
	}
	for by := range c {
		if len(by.tag) > maxTag {
			t.Errorf("a tag of %d bytes is kept", len(by.tag))
		}
	}
}
