package worker

import "time"

// cautious is a clock for removing what is old. A clock that was set wrong must not remove everything, so that it goes
// from the newest time that is known to be right, at most a step ahead of what has passed since. When the machine's clock
// is further ahead, it stands still for a while, in which somebody can set that right, and then catches up in steps: a
// server that was stopped for long has a right clock, too.
type cautious struct {
	step   time.Duration // how far it goes at one look, besides the time that has passed
	settle time.Duration // how long a clock that is further ahead must stay so

	trusted time.Time     // now, as far as is known; the zero time until it is set
	ahead   time.Duration // how much further the machine's clock is; 0 when it is not
	since   time.Duration // when that was first seen
	looked  time.Duration // at the last look
}

const (
	leastStep  = 2 * pruneEvery
	mostStep   = time.Hour
	mostSettle = time.Hour
)

// newCautious makes a clock for what is kept for some time.
func newCautious(kept time.Duration) *cautious {
	return &cautious{step: max(leastStep, min(mostStep, kept/10)), settle: min(mostSettle, kept)}
}

// look goes on to a time of the machine's clock. running is how long the process has run, by a clock that nobody sets.
func (c *cautious) look(wall time.Time, running time.Duration) {
	if c.trusted.IsZero() {
		c.trusted = wall
	}
	if c.looked > 0 {
		c.trusted = c.trusted.Add(running - c.looked)
	}
	c.looked = running
	switch ahead := wall.Sub(c.trusted); {
	case ahead <= c.step:
		c.trusted, c.ahead = wall, 0
	case c.ahead == 0:
		c.ahead, c.since = ahead, running
	default:
		if c.ahead = ahead; running-c.since >= c.settle {
			c.trusted = c.trusted.Add(c.step)
		}
	}
}
