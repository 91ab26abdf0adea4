package domain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"heddle/domain/refusal"
)

// InvokeType says what started an execution. Source: the names that existing clients know.
type InvokeType string

// The ways an execution starts.
const (
	InvokedByWebhook  InvokeType = "WEBHOOK"
	InvokedBySchedule InvokeType = "SCHEDULED"
	InvokedByFlow     InvokeType = "CROSS_FLOW"
	InvokedByDeploy   InvokeType = "DEPLOY_FLOW"
	InvokedByRemoval  InvokeType = "TEAR_DOWN_FLOW"
	InvokedByFlowTest InvokeType = "INTEGRATION_FLOW_TEST"
)

// ResultType says how an execution ended.
type ResultType string

// The ways an execution ends.
const (
	Completed ResultType = "COMPLETED"
	Failed    ResultType = "ERROR"
	Canceled  ResultType = "CANCELED"              // by a person
	Duplicate ResultType = "CANCELED_AS_DUPLICATE" // another of the same kind was waiting or running
)

// Content is a value kept in the event if small, and in a blob of the run if not.
type Content struct {
	Inline json.RawMessage `json:"inline,omitempty"`
	Blob   string          `json:"blob,omitempty"` // key of the blob
	Size   int             `json:"size"`           // bytes
}

// MaxInline is the size of the largest content that an event holds itself.
const MaxInline = 8 << 10 // bytes

// LogLine is one line of an execution's log.
type LogLine struct {
	Time     time.Time `json:"time"`
	Severity string    `json:"severity"` // TRACE, DEBUG, INFO, WARN, ERROR, FATAL or METRIC
	Message  string    `json:"message"`
}

// Run is one execution of one flow. Its stream is the engine's memory: a step recorded in it is done.
type Run struct {
	ID           string
	Organization string
	Queued       RunQueued
	QueuedAt     time.Time
	Trace        string // of what queued it, see [Meta]
	Claims       int    // the newest claim, 0 before the first
	CutOff       int    // claims since the last finished step that neither ended nor released the run
	Failing      int    // consecutive claims that were stopped by a cause outside the run
	Worker       string
	ClaimedAt    time.Time
	StartedAt    time.Time // of the first claim
	Attempt      int       // of the whole flow, 0 for the first
	Due          time.Time // not to be resumed before; zero for at once
	SupersededBy string    // the newer execution that stops its retries, see [RunSuperseded]
	Finished     *RunFinished
	FinishedAt   time.Time
	failure      string                 // why the flow is to be retried, until it is
	steps        *finished              // newest first: adding one shares all older ones
	retried      map[string]StepRetried // the newest failed attempt of each step to be retried, by path
	failures     []Failure
	waits        bool // the last record says that the run continues later
}

// Failure is a failed attempt, of a step or of the whole flow, that was retried.
type Failure struct {
	Time time.Time
	Step string // its name; empty for the whole flow
	Log  []LogLine
}

type finished struct {
	StepFinished
	older *finished
	count int // including the older ones
}

// Runs is the category of [Run].
var Runs = NewCategory("run",
	Kind[RunQueued]("RunQueued"),
	Kind[RunClaimed]("RunClaimed"),
	Kind[StepFinished]("StepFinished"),
	Kind[StepRetried]("StepRetried"),
	Kind[RunRestarted]("RunRestarted"),
	Kind[RunReleased]("RunReleased"),
	Kind[RunSuperseded]("RunSuperseded"),
	Kind[RunFinished]("RunFinished"),
).With(Traits{Passing: true, Brief: true})

// RunQueued accepts a trigger: from now on the run is never lost.
type RunQueued struct {
	Instance    string     `json:"instance"`
	Integration string     `json:"integration"`
	Customer    string     `json:"customer,omitempty"`
	Version     string     `json:"version,omitempty"` // empty for a run of the draft
	Definition  string     `json:"definition"`        // hash of the definition's content blob, used until the run ends
	Flow        string     `json:"flow"`              // id of the flow
	FlowName    string     `json:"flowName"`          // its name at that time, for people who read the log
	Invoke      InvokeType `json:"invoke"`
	Synchronous bool       `json:"synchronous,omitempty"`
	Payload     Content    `json:"payload"`
	Marked      bool       `json:"marked,omitempty"` // the payload has marks in place of secrets
	Digest      string     `json:"digest,omitempty"` // of the request, if a repeated one must be the same
	// no other waiting run of the flow may have the same, empty for none
	Duplicate string `json:"duplicate,omitempty"`
	// value of uniqueRequestIdField: a newer run with the same value stops this one's retries
	Request string `json:"request,omitempty"`
	// the trigger's answer to an asynchronous caller, if it was asked first
	Answer    *Answer    `json:"answer,omitempty"`
	InvokedBy *InvokedBy `json:"invokedBy,omitempty"` // the step that started it
	ReplayOf  string     `json:"replayOf,omitempty"`  // the execution whose payload is replayed
}

// Answer is a trigger's answer to an asynchronous caller. Empty fields mean the defaults.
type Answer struct {
	StatusCode  int               `json:"statusCode,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Body        Content           `json:"body"`
}

// InvokedBy says which step of which execution started a run.
type InvokedBy struct {
	Execution string `json:"execution"`
	Path      string `json:"path,omitempty"` // of the step
	Depth     int    `json:"depth"`          // how many runs started each other before this one
}

// Evolve implements [Event].
func (e RunQueued) Evolve(_ Run, m Meta) Run {
	return Run{ID: m.Aggregate, Organization: m.Organization, Queued: e, QueuedAt: m.Time, Trace: m.Trace}
}

// RunClaimed says that from now on one worker works on the run, and none before it.
type RunClaimed struct {
	Claim  int       `json:"claim"` // counted from 1
	Worker string    `json:"worker"`
	At     time.Time `json:"at,omitzero"` // when work began; recorded with its first outcome
	// Again says that the run may have begun before without a trace: it was accepted before the worker's
	// process started.
	Again bool `json:"again,omitempty"`
}

// Evolve implements [Event].
func (e RunClaimed) Evolve(r Run, m Meta) Run {
	at := e.At
	if at.IsZero() {
		at = m.Time
	}
	if r.Claims > 0 && !r.waits || e.Again {
		r.CutOff++
	}
	r.Claims, r.Worker, r.ClaimedAt, r.Due, r.waits, r.failure = e.Claim, e.Worker, at, time.Time{}, false, ""
	if r.StartedAt.IsZero() {
		r.StartedAt = at
	}
	return r
}

// StepFinished records a finished step: it is not run again.
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
	Stop        bool              `json:"stop,omitempty"`  // ends the run as a success
	Break       bool              `json:"break,omitempty"` // ends the innermost loop
	Error       string            `json:"error,omitempty"`
	Ignored     bool              `json:"ignored,omitempty"` // the error does not end the run
	Attempt     int               `json:"attempt,omitempty"` // of the flow, see [Run]
	Log         []LogLine         `json:"log,omitempty"`
	LogBlob     *Content          `json:"logBlob,omitempty"` // the log lines, if too many for the event
	// State holds the values of the execution's own scope that the step set; null means removed.
	State map[string]json.RawMessage `json:"state,omitempty"`
	// StateBlob is State, if too large for the event.
	StateBlob *Content `json:"stateBlob,omitempty"`
}

// Evolve implements [Event].
func (e StepFinished) Evolve(r Run, _ Meta) Run {
	r.steps, r.waits, r.CutOff, r.Failing = r.steps.with(e), false, 0, 0
	if _, again := r.retried[e.Path]; again { // it is over: a long loop must not gather them
		r.retried = maps.Clone(r.retried)
		delete(r.retried, e.Path)
	}
	return r
}

// StepRetried records a failed attempt of a step that will be retried.
type StepRetried struct {
	Claim   int       `json:"claim"`
	Path    string    `json:"path"`
	Name    string    `json:"name"`
	Attempt int       `json:"attempt"` // failed so far, counted from 1
	Error   string    `json:"error"`
	Due     time.Time `json:"due"` // when it is retried
	Log     []LogLine `json:"log,omitempty"`
}

// Evolve implements [Event].
func (e StepRetried) Evolve(r Run, m Meta) Run {
	retried := maps.Clone(r.retried)
	if retried == nil {
		retried = map[string]StepRetried{}
	}
	retried[e.Path] = e
	r.retried, r.Due, r.waits = retried, e.Due, true
	r.failures = append(slices.Clip(r.failures), Failure{Time: m.Time, Step: e.Name, Log: e.Log})
	return r
}

// RunRestarted says that the run failed and restarts at its first step, with the same payload.
type RunRestarted struct {
	Claim   int       `json:"claim"`
	Attempt int       `json:"attempt"` // failed so far, counted from 1
	Error   string    `json:"error"`
	Due     time.Time `json:"due"` // when it restarts
}

// Evolve implements [Event].
func (e RunRestarted) Evolve(r Run, m Meta) Run {
	r.Attempt, r.Due, r.retried, r.waits, r.failure = e.Attempt, e.Due, nil, true, e.Error
	r.failures = append(slices.Clip(r.failures), e.Failure(m.Time))
	return r
}

// Failure returns the event as the execution's log shows it.
func (e RunRestarted) Failure(at time.Time) Failure {
	line := LogLine{Time: at, Severity: "WARN",
		Message: fmt.Sprintf("attempt %d of the flow failed and it begins again: %s", e.Attempt, e.Error)}
	return Failure{Time: at, Log: []LogLine{line}}
}

// RunReleased says that a worker hands the run back unfinished: the worker stops, or a cause outside the run
// keeps it from continuing.
type RunReleased struct {
	Claim int       `json:"claim"`
	Error string    `json:"error,omitempty"` // what keeps it from continuing, empty if the worker stops
	Due   time.Time `json:"due,omitzero"`    // when it is resumed, zero for at once
}

// Evolve implements [Event].
func (e RunReleased) Evolve(r Run, _ Meta) Run {
	r.waits, r.Due = true, e.Due
	if e.Error != "" {
		r.Failing++
	}
	return r
}

// RunSuperseded says that a newer execution came for the same request: if the run fails, or has failed, it is
// not retried.
type RunSuperseded struct {
	By string `json:"by"` // execution
}

// Evolve implements [Event].
func (e RunSuperseded) Evolve(r Run, _ Meta) Run {
	r.SupersededBy = e.By
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

// Steps lists the finished steps of all attempts in the order in which they finished.
func (r Run) Steps() []StepFinished {
	var steps []StepFinished
	for s := r.steps; s != nil; s = s.older {
		steps = append(steps, s.StepFinished)
	}
	slices.Reverse(steps)
	return steps
}

func (f *finished) with(e StepFinished) *finished {
	if f == nil {
		return &finished{StepFinished: e, count: 1}
	}
	return &finished{StepFinished: e, older: f, count: f.count + 1}
}

// Held returns how many finished steps the run holds.
func (r Run) Held() int {
	if r.steps == nil {
		return 0
	}
	return r.steps.count
}

// Brief drops what only displays need: older steps and failed attempts. Decisions are unaffected.
func (r Run) Brief() Run {
	r.failures = nil
	if r.Held() <= 2*recentSteps {
		return r
	}
	newest := make([]StepFinished, 0, recentSteps)
	for s := r.steps; len(newest) < recentSteps; s = s.older {
		newest = append(newest, s.StepFinished)
	}
	r.steps = nil
	for _, s := range slices.Backward(newest) {
		r.steps = r.steps.with(s)
	}
	return r
}

// Last returns the step that finished last, or nil.
func (r Run) Last() *StepFinished {
	if r.steps == nil {
		return nil
	}
	return &r.steps.StepFinished
}

// Retried returns the newest failed attempt of the step at a path that is to be retried; its Attempt is 0 if
// none has failed or the step has finished.
func (r Run) Retried(path string) StepRetried { return r.retried[path] }

// Failures lists the failed attempts that were retried, in order.
func (r Run) Failures() []Failure { return r.failures }

// recentSteps is how far back Record looks for a step that it must not record twice. The claim keeps workers
// apart; this check catches a worker's own mistake at a cost that does not grow with the run.
const recentSteps = 100

func (r Run) done(path string) bool {
	s := r.steps
	for n := 0; n < recentSteps && s != nil; n, s = n+1, s.older {
		if s.Path == path && s.Attempt == r.Attempt {
			return true
		}
	}
	return false
}

// Queue accepts the run, with the steps that were done for it before, such as a trigger that was asked whether
// to accept it. If the id was made from a repeated delivery, it finds the existing run, and is refused if that
// run's request was a different one.
func (r Run) Queue(e RunQueued, done ...StepFinished) (Changes[Run], error) {
	switch {
	case r.ID == "":
	case r.Queued.Digest != e.Digest:
		return nil, refusal.New(refusal.Conflict, "another request came under the same key before")
	default:
		return nil, nil
	}
	changes := Changes[Run]{e}
	for _, step := range done {
		changes = append(changes, step)
	}
	return changes, nil
}

// Claimable reports whether the run may be taken over after the claim numbered last.
func (r Run) Claimable(last int) error {
	switch {
	case r.ID == "":
		return refusal.New(refusal.NotFound, "Record not found: execution")
	case r.Finished != nil:
		return refusal.New(refusal.Conflict, "the execution has ended")
	case r.Claims != last:
		return refusal.New(refusal.Conflict, "another worker has claimed the execution (claim %d)", r.Claims)
	}
	return nil
}

// Record adds a worker's results under its claim: finished steps, and then perhaps a [StepRetried],
// [RunRestarted], [RunReleased] or [RunFinished]. The first record of a claim makes the claim, too. It is
// refused once another claim stands or the run has ended.
func (r Run) Record(by RunClaimed, steps []StepFinished, then Event[Run]) (Changes[Run], error) {
	changes := make(Changes[Run], 0, len(steps)+2)
	if r.Claims != by.Claim || r.Worker != by.Worker {
		if err := r.Claimable(by.Claim - 1); err != nil {
			return nil, err
		}
		changes = append(changes, by)
	}
	if r.Finished != nil {
		return nil, refusal.New(refusal.Conflict, "the execution has ended")
	}
	for i, s := range steps {
		if r.done(s.Path) || slices.ContainsFunc(steps[:i], func(before StepFinished) bool {
			return before.Path == s.Path
		}) {
			return nil, refusal.New(refusal.Conflict, "step %s has a result already", s.Path)
		}
		s.Claim, s.Attempt = by.Claim, r.Attempt
		changes = append(changes, s)
	}
	if restart, again := then.(RunRestarted); again && r.SupersededBy != "" {
		then = RunFinished{Claim: by.Claim, Result: Failed, Error: restart.Error}
	}
	if then != nil {
		changes = append(changes, then)
	}
	return changes, nil
}

// Supersede stops the run's retries, since a newer execution came for the same request. If it waits for a
// retry, it ends.
func (r Run) Supersede(by string) (Changes[Run], error) {
	if r.ID == "" || r.Finished != nil || r.SupersededBy != "" {
		return nil, nil
	}
	changes := Changes[Run]{RunSuperseded{By: by}}
	if r.failure != "" {
		changes = append(changes, RunFinished{Claim: r.Claims, Result: Failed, Error: r.failure})
	}
	return changes, nil
}

// Drop ends a run that has not begun because another run of its flow replaces it. A run that a caller waits for
// is not dropped: it has been let through beside the others.
func (r Run) Drop() (Changes[Run], error) {
	if r.ID == "" || r.Claims > 0 || r.Finished != nil || r.Queued.Synchronous {
		return nil, nil
	}
	return Changes[Run]{RunFinished{Result: Duplicate,
		Error: "another execution of the flow was waiting or running already"}}, nil
}

// Cancel ends the run, whatever its state. A worker on it learns so with its next record.
func (r Run) Cancel() (Changes[Run], error) {
	switch {
	case r.ID == "":
		return nil, refusal.New(refusal.NotFound, "Record not found: execution")
	case r.Finished == nil:
		return Changes[Run]{RunFinished{Claim: r.Claims, Result: Canceled, Error: "the execution was canceled"}}, nil
	case r.Finished.Result == Canceled:
		return nil, nil
	}
	return nil, refusal.New(refusal.Conflict, "the execution has ended already")
}
