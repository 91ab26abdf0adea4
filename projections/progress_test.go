package projections

import "testing"

// A reader is behind from when the log shows a record until it has passed a mark with nothing newer shown.
func TestLag(t *testing.T) {
	var p Progress
	p.init()
	if p.Lag() != 0 {
		t.Error("a reader is behind before there is anything")
	}
	p.saw(1)
	p.saw(2)
	since := p.behind.Load()
	p.reach(1, true, false)
	if since == 0 || p.behind.Load() != since || p.Lag() <= 0 {
		t.Errorf("halfway it is behind for %s", p.Lag())
	}
	p.saw(3)
	p.reach(2, true, true)
	if p.behind.Load() < since || p.Lag() <= 0 || p.Seen() != 3 {
		t.Errorf("with more to pass it is behind for %s", p.Lag())
	}
	p.reach(3, false, true)
	if p.Lag() != 0 || p.Position() != 3 {
		t.Errorf("at the end it is behind for %s", p.Lag())
	}
}
