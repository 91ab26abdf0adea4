package definition

import (
	"strings"
	"testing"
)

func TestHoldsLongNumber(t *testing.T) {
	for _, length := range []int{1, 15, 16, 17, 40} {
		for before := range 40 {
			text := strings.Repeat("x", before) + strings.Repeat("7", length) + "x"
			if got := holdsLongNumber([]byte(text)); got != (length > exactDigits) {
				t.Errorf("%d digits after %d: %v", length, before, got)
			}
			if got := holdsLongNumber([]byte(text[:before+length])); got != (length > exactDigits) {
				t.Errorf("%d digits after %d at the end: %v", length, before, got)
			}
		}
	}
}
