package projections

import (
	"fmt"
	"testing"
)

// A slow reader learns that it missed something, and costs no more.
func TestSlowReaderOfAnInstance(t *testing.T) {
	x := &RunIndex{tails: tails{instances: map[string]map[*InstanceTail]struct{}{}}}
	tail, stop := x.TailInstance("i")
	for n := range maxGrown + 2 {
		tail.add([]string{fmt.Sprint(n)}, 7)
	}
	if runs, to, lost := tail.Take(); len(runs) > 1 || to != 7 || !lost || len(tail.Grown) != 1 {
		t.Errorf("took %d runs to %d, %v", len(runs), to, lost)
	}
	tail.add([]string{"a", "b"}, 8)
	tail.add([]string{"a"}, 9)
	if runs, to, lost := tail.Take(); len(runs) != 2 || to != 9 || lost {
		t.Errorf("took %v to %d, %v", runs, to, lost)
	}
	if stop(); len(x.tails.instances) > 0 {
		t.Error("who has gone is remembered")
	}
}
