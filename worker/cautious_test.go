package worker

import (
	"testing"
	"time"
)

// A clock that jumps removes nothing more than a sane one would, for an hour, and then little by little.
func TestCautiousClock(t *testing.T) {
	const kept = 30 * 24 * time.Hour
	for name, test := range map[string]struct {
		stopped time.Duration // since what is known
		wrong   time.Duration // how far the clock is ahead of the right time
		runs    time.Duration
		most    time.Duration // of what is removed, after the right time
		least   time.Duration
		end     time.Time
	}{
		"a right clock":                {runs: 3 * time.Hour},
		"a right clock, after a night": {stopped: 12 * time.Hour, runs: 2 * time.Hour},
		"after a night, at once": {stopped: 12 * time.Hour, runs: 59 * time.Minute, least: -12 * time.Hour,
			most: -12*time.Hour + time.Minute},
		"after half a year":         {stopped: 180 * 24 * time.Hour, runs: 75 * time.Hour},
		"forty days ahead":          {wrong: 40 * 24 * time.Hour, runs: 59 * time.Minute},
		"forty days ahead for long": {wrong: 40 * 24 * time.Hour, runs: 70 * time.Minute, most: 12 * time.Hour},
		"a little ahead": {wrong: 10 * time.Minute, runs: time.Hour, least: 10 * time.Minute,
			most: 10 * time.Minute},
		"behind": {wrong: -time.Hour, runs: time.Hour, least: -time.Hour, most: -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			c, begin := newCautious(kept), time.Now().Round(0)
			c.trusted = begin.Add(-test.stopped)
			for running := time.Duration(1); running <= test.runs; running += pruneEvery {
				c.look(begin.Add(running+test.wrong), running)
				if off := c.trusted.Sub(begin.Add(running)); off > max(0, test.most) {
					t.Fatalf("after %s it is %s after the right time", running, off)
				}
				test.end = begin.Add(running)
			}
			if off := c.trusted.Sub(test.end); off < test.least-time.Second || off > test.most {
				t.Errorf("it is %s after the right time, not between %s and %s", off, test.least, test.most)
			}
		})
	}
}

// A jump while the server runs is noticed as one at its start is, and one that is taken back leaves nothing.
func TestCautiousClockJumps(t *testing.T) {
	c, begin := newCautious(24*time.Hour), time.Now().Round(0)
	wrong := time.Duration(0)
	for n := range 40 {
		switch n {
		case 10:
			wrong = 48 * time.Hour
		case 39:
			wrong = 0
		}
		running := time.Duration(n+1) * pruneEvery
		c.look(begin.Add(running+wrong), running)
		if off := c.trusted.Sub(begin.Add(running)); off != 0 || (c.ahead != 0) != (wrong != 0) {
			t.Errorf("at look %d it is %s after the right time, and takes the clock to be %s ahead", n, off, c.ahead)
		}
	}
}
