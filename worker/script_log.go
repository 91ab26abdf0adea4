package worker

import (
	"fmt"
	"sync/atomic"
	"unicode/utf8"
)

// scriptLog passes on what a script writes, up to the limits.
type scriptLog struct {
	to      func(level, message string)
	limits  ScriptLimits
	lines   int
	dropped int
	nobody  atomic.Bool // listens any more
}

// drop has nothing more passed on.
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
	l.to(level, cut(message, l.limits.LogLine))
}

// end tells what is missing.
func (l *scriptLog) end() {
	if l.dropped > 0 && !l.nobody.Load() {
		l.to("warn", fmt.Sprintf("%d more log lines were dropped; the limit for one call is %d", l.dropped, l.limits.LogLines))
	}
}

// cut shortens a text to n characters, the last of which then is an ellipsis.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(n-1, 0)]) + "…"
}
