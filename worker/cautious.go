package worker

import "time"

// cautious is a clock for removing old data. A clock set wrong must not remove everything, so cautious starts at
// the newest time known to be right and runs at most one step ahead of the time that has passed since. If the
// machine's clock is further ahead, cautious stands still for a while, in which somebody can set that clock right,
// and then catches up in steps: a server that was stopped for long has a right clock, too.
type cautious struct {
	step   time.Duration // how far one look may advance beyond the time that has passed
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

// newCautious returns a clock for data that is kept for a time.
func newCautious(kept time.Duration) *cautious {
	return &cautious{step: max(leastStep, min(mostStep, kept/10)), settle: min(mostSettle, kept)}
}

// look advances to a time of the machine's clock. running is how long the process has run, by a monotonic clock.
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
