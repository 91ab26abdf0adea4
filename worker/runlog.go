package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"heddle/component/value"
	"heddle/domain"
)

// runLog collects what one step writes to the run's log.
type runLog struct {
	mu       sync.Mutex
	lines    []domain.LogLine
	limit    int  // bytes that all messages may have
	size     int  // bytes of all messages
	full     bool // the rest is left out
	observer Observer
	// secrets are masked in each line.
	secrets *masker
}

func (x *attempt) newLog() *runLog {
	return &runLog{limit: x.w.MaxStepLog, observer: x.w.Observer, secrets: x.secrets}
}

// maxLogLine is how long a log line may be. Source: the format's documentation.
const maxLogLine = 4096 // characters

func (l *runLog) add(level, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return
	}
	message = l.secrets.text(message)
	if l.size += len(message); l.size > l.limit {
		l.full = true
		l.observer.limit("HEDDLE_MAX_STEP_LOG")
		level, message = "warn", fmt.Sprintf("the step logged more than %d bytes (HEDDLE_MAX_STEP_LOG); the rest is left out", l.limit)
	}
	l.lines = append(l.lines, domain.LogLine{Time: now(), Severity: severity(level),
		Message: value.Shorten(message, maxLogLine)})
}

// inline returns the newest lines that fit into an event.
func (l *runLog) inline() []domain.LogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, from := 0, len(l.lines)
	for from > 0 && size+len(l.lines[from-1].Message) < domain.MaxInline {
		from--
		size += len(l.lines[from].Message)
	}
	return l.lines[from:]
}

// into puts the lines into the step's event, or into a blob that it names if they are many.
func (l *runLog) into(ctx context.Context, x *attempt, finished *domain.StepFinished) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if 6*l.size+512*len(l.lines) <= domain.MaxInline { // no byte takes more than 6, and the rest of a line not 512
		finished.Log = l.lines
		return nil
	}
	data, err := json.Marshal(l.lines)
	if err != nil {
		return err
	}
	content, err := x.keepOf(ctx, "log/", finished.Path, data)
	if content.Blob != "" {
		finished.LogBlob = &content
	} else {
		finished.Log = l.lines
	}
	return err
}
