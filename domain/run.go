package domain

import (
	"encoding/json"
	"slices"
	"time"
)

// InvokeType says what started an execution. Source: the names that existing clients know.
type InvokeType string

// The ways an execution starts.
const (
	InvokedByWebhook  InvokeType = "WEBHOOK"
	InvokedByFlowTest InvokeType = "INTEGRATION_FLOW_TEST"
)

// ResultType says how an execution ended.
type ResultType string

// The ways an execution ends.
const (
	Completed ResultType = "COMPLETED"
	Failed    ResultType = "ERROR"
)

// Content is a value kept in an event when it is small and in a blob of the run when it is not.
type Content struct {
	Inline json.RawMessage `json:"inline,omitempty"`
	Blob   string          `json:"blob,omitempty"` // key of the blob
	Size   int             `json:"size"`           // bytes
}

// MaxInline is the largest content that an event holds itself.
const MaxInline = 8 << 10 // bytes

// LogLine is one line of an execution's log.
type LogLine struct {
	Time     time.Time `json:"time"`
	Severity string    `json:"severity"` // TRACE, DEBUG, INFO, WARN, ERROR, FATAL or METRIC
	Message  string    `json:"message"`
}

// Run is one execution of one flow. Its stream is the memory of the engine: what is in it is done.
type Run struct {
	ID           string
	Organization string
	Queued       RunQueued
	QueuedAt     time.Time
	Claims       int // the newest claim, 0 before the first
	ClaimedAt    time.Time
	StartedAt    time.Time // of the first claim
	Finished     *RunFinished
	FinishedAt   time.Time
	steps        *finished // newest first: adding one shares all the older, whatever their number
}

type finished struct {
	StepFinished
	older *finished
}

// Runs is the category of [Run].
var Runs = NewCategory("run",
	Kind[RunQueued]("RunQueued"),
	Kind[RunClaimed]("RunClaimed"),
	Kind[StepFinished]("StepFinished"),
	Kind[RunFinished]("RunFinished"),
)

// RunQueued accepts a trigger: from here on the run is never lost.
type RunQueued struct {
	Instance    string     `json:"instance"`
	Integration string     `json:"integration"`
	Customer    string     `json:"customer,omitempty"`
	Version     string     `json:"version,omitempty"` // empty for a run of the draft
	Definition  string     `json:"definition"`        // hash of the definition's content blob, used to the run's end
	Flow        string     `json:"flow"`              // id of the flow
	FlowName    string     `json:"flowName"`          // its name at that time, for people who read the log
	Invoke      InvokeType `json:"invoke"`
	Synchronous bool       `json:"synchronous,omitempty"`
	Payload     Content    `json:"payload"`
}

// Evolve implements [Event].
func (e RunQueued) Evolve(_ Run, m Meta) Run {
	return Run{ID: m.Aggregate, Organization: m.Organization, Queued: e, QueuedAt: m.Time}
}

// RunClaimed says that a worker works on the run from now on, and no one before it.
type RunClaimed struct {
	Claim  int    `json:"claim"` // counted from 1
	Worker string `json:"worker"`
}

// Evolve implements [Event].
func (e RunClaimed) Evolve(r Run, m Meta) Run {
	r.Claims, r.ClaimedAt = e.Claim, m.Time
	if r.StartedAt.IsZero() {
		r.StartedAt = m.Time
	}
	return r
}

// StepFinished is a step done: it is not done again.
type StepFinished struct {
	Claim       int               `json:"claim"`
	Path        string            `json:"path"` // unique in the run: identifiers and iterations, such as loop[2]/fetch
	Step        string            `json:"step"` // id of the step
	Name        string            `json:"name"`
	Started     time.Time         `json:"started"`
	Ended       time.Time         `json:"ended"`
	Output      Content           `json:"output"`
	ContentType string            `json:"contentType,omitempty"`
	StatusCode  int               `json:"statusCode,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Branch      string            `json:"branch,omitempty"`
	Stop        bool              `json:"stop,omitempty"` // ends the run as a success
	Error       string            `json:"error,omitempty"`
	Log         []LogLine         `json:"log,omitempty"`
	LogBlob     *Content          `json:"logBlob,omitempty"` // the log lines when they are too many for the event
	// State holds the values of the execution's own scope that the step set, null for removed.
	State map[string]json.RawMessage `json:"state,omitempty"`
	// StateBlob is State when it is too large for the event.
	StateBlob *Content `json:"stateBlob,omitempty"`
}

// Evolve implements [Event].
func (e StepFinished) Evolve(r Run, _ Meta) Run {
	r.steps = &finished{StepFinished: e, older: r.steps}
	return r
}

// RunFinished is the end of the run.
type RunFinished struct {
	Claim  int        `json:"claim"`
	Result ResultType `json:"result"`
	Error  string     `json:"error,omitempty"`
}

// Evolve implements [Event].
func (e RunFinished) Evolve(r Run, m Meta) Run {
	r.Finished, r.FinishedAt = &e, m.Time
	return r
}

// Steps lists the finished steps in the order in which they finished.
func (r Run) Steps() []StepFinished {
	var steps []StepFinished
	for s := r.steps; s != nil; s = s.older {
		steps = append(steps, s.StepFinished)
	}
	slices.Reverse(steps)
	return steps
}

// Last is the step that finished last, or nil.
func (r Run) Last() *StepFinished {
	if r.steps == nil {
		return nil
	}
	return &r.steps.StepFinished
}

func (r Run) done(path string) bool {
	for s := r.steps; s != nil; s = s.older {
		if s.Path == path {
			return true
		}
	}
	return false
}

// Queue accepts the run. An id made from a repeated delivery meets the run that is there already.
func (r Run) Queue(e RunQueued) (Changes[Run], error) {
	if r.ID != "" {
		return nil, nil
	}
	return Changes[Run]{e}, nil
}

// Claim takes the run over after the claim numbered last, which is refused once another stands.
func (r Run) Claim(last int, worker string) (Changes[Run], error) {
	switch {
	case r.ID == "":
		return nil, Refuse(NotFound, "Record not found: execution")
	case r.Finished != nil:
		return nil, Refuse(Conflict, "the execution has ended")
	case r.Claims != last:
		return nil, Refuse(Conflict, "another worker has claimed the execution (claim %d)", r.Claims)
	}
	return Changes[Run]{RunClaimed{Claim: last + 1, Worker: worker}}, nil
}

// Record adds what the engine did under its claim: finished steps, and perhaps the end. It is
// refused once a newer claim stands or the run has ended.
func (r Run) Record(claim int, steps []StepFinished, end *RunFinished) (Changes[Run], error) {
	if r.Claims != claim {
		return nil, Refuse(Conflict, "another worker has claimed the execution (claim %d)", r.Claims)
	}
	if r.Finished != nil {
		return nil, Refuse(Conflict, "the execution has ended")
	}
	var changes Changes[Run]
	for _, s := range steps {
		if r.done(s.Path) {
			return nil, Refuse(Conflict, "step %s has a result already", s.Path)
		}
		s.Claim = claim
		changes = append(changes, s)
		r = s.Evolve(r, Meta{}) // the next one must not be the same
	}
	if end != nil {
		finished := *end // the caller's stays as it is
		finished.Claim = claim
		changes = append(changes, finished)
	}
	return changes, nil
}
