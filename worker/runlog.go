package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"heddle/domain"
)

// runLog gathers what one step writes to the run's log.
type runLog struct {
	mu    sync.Mutex
	lines []domain.LogLine
	size  int  // bytes of all messages
	full  bool // the rest is left out
}

// maxLogLine is how long a log line may be. Source: the format's documentation.
const maxLogLine = 4096 // characters

// maxStepLog is how much one step may log.
const maxStepLog = 1 << 20 // bytes

func (l *runLog) add(level, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return
	}
	if l.size += len(message); l.size > maxStepLog {
		l.full = true
		level, message = "warn", fmt.Sprintf("the step logged more than %d bytes; the rest is left out", maxStepLog)
	}
	l.lines = append(l.lines, domain.LogLine{Time: now(), Severity: severity(level), Message: cut(message, maxLogLine)})
}

// into puts the lines into the step's event, or, when they are many, into a blob that it names.
func (l *runLog) into(ctx context.Context, x *execution, finished *domain.StepFinished) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return nil
	}
	data, err := json.Marshal(l.lines)
	if err != nil {
		return err
	}
	if len(data) <= domain.MaxInline {
		finished.Log = l.lines
		return nil
	}
	content, err := x.Blobs.Keep(ctx, runBlob(x.run.ID, "log/"+finished.Path), data)
	finished.LogBlob = &content
	return err
}
