package script

import (
	"fmt"
	"sync/atomic"

	"heddle/component/value"
)

// scriptLog passes on what a script writes, up to the limits.
type scriptLog struct {
	to      func(level, message string)
	limits  Limits
	lines   int
	dropped int
	nobody  atomic.Bool // listens any more
}

// drop stops passing lines on.
func (l *scriptLog) drop() { l.nobody.Store(true) }

func (l *scriptLog) add(level, message string) {
	if l.to == nil || l.nobody.Load() {
		return
	}
	if l.lines >= l.limits.LogLines {
		l.dropped++
		return
	}
	l.lines++
	l.to(level, value.Shorten(message, l.limits.LogLine))
}

// end reports how many lines are missing.
func (l *scriptLog) end() {
	if l.dropped > 0 && !l.nobody.Load() {
		l.to("warn", fmt.Sprintf("%d more log lines were dropped; the limit for one call is %d", l.dropped,
			l.limits.LogLines))
	}
}
