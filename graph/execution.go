package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// execution finds an ended execution in the index, and one that has not ended, as far as the index
// knows, in its stream.
func (r *Resolver) execution(ctx context.Context, id string) (InstanceExecutionResult, bool, error) {
	organization := access.Of(ctx).Organization
	e, ok, err := r.Runs.Execution(ctx, organization, id)
	if err != nil || (ok && e.Result != "") {
		return InstanceExecutionResult{e}, ok, err
	}
	run, err := r.run(ctx, id)
	if refusal.CodeOf(err) == refusal.NotFound || (err == nil && (run.ID == "" || run.Organization != organization)) {
		return InstanceExecutionResult{}, false, nil
	}
	return InstanceExecutionResult{fromStream(run)}, err == nil, err
}

// executionOf finds the execution that another one's stream names, nil for none or one whose history
// has been removed.
func (r *Resolver) executionOf(ctx context.Context, of *InstanceExecutionResult,
	named func(domain.Run) string) (*InstanceExecutionResult, error) {
	run, _, err := store.Load(ctx, r.Log, domain.Runs, of.Execution.ID)
	if err != nil || named(run) == "" {
		return nil, err
	}
	e, ok, err := r.execution(ctx, named(run))
	if err != nil || !ok {
		return nil, err
	}
	return &e, nil
}

func fromStream(r domain.Run) projections.Execution {
	e := projections.Execution{ID: r.ID, Organization: r.Organization, Instance: r.Queued.Instance,
		Integration: r.Queued.Integration,
		Version:     r.Queued.Version, Customer: r.Queued.Customer, Flow: r.Queued.Flow, FlowName: r.Queued.FlowName,
		Invoke: r.Queued.Invoke,
		Test:   r.Queued.Version == "", QueuedAt: r.QueuedAt, StartedAt: r.StartedAt, EndedAt: r.FinishedAt,
		Claims: r.Claims}
	if r.Finished != nil {
		e.Result, e.Error = r.Finished.Result, r.Finished.Error
	}
	return e
}

// executions returns a page of executions, the newest first.
func (r *Resolver) executions(ctx context.Context, q projections.ExecutionQuery,
	w window) (*Page[InstanceExecutionResult], error) {
	from, size, err := w.read()
	if err != nil {
		return nil, err
	}
	if q.After, err = parseExecutionCursor(from); err != nil {
		return nil, err
	}
	q.Organization, q.Limit, q.Ascending = access.Of(ctx).Organization, size+1, q.Ascending != w.backwards()
	list, err := r.Runs.Executions(ctx, q)
	if err != nil {
		return nil, err
	}
	page := &Page[InstanceExecutionResult]{Nodes: []InstanceExecutionResult{}, Edges: []Edge[InstanceExecutionResult]{},
		// a cursor is that of an element
		PageInfo: PageInfo{HasPreviousPage: from != "", HasNextPage: len(list) > size},
		total:    func(ctx context.Context) (int, error) { return r.Runs.Count(ctx, q) }}
	for _, e := range list[:min(size, len(list))] {
		page.add(InstanceExecutionResult{e}, executionCursor(e.Place()))
	}
	if w.backwards() {
		page.turn()
	}
	return page, nil
}

// inStatus chooses the executions that [InstanceExecutionResult.Status] says this of.
func inStatus(q *projections.ExecutionQuery, s ExecutionStatus) {
	yes, no := true, false
	switch s {
	case ExecutionStatusQueued:
		q.Started, q.Ended = &no, &no
	case ExecutionStatusPending:
		q.Started, q.Ended = &yes, &no
	case ExecutionStatusSuccess:
		q.Ended, q.Failed, q.Canceled = &yes, &no, &no
	case ExecutionStatusCanceled:
		q.Canceled = &yes
	case ExecutionStatusError:
		q.Failed = &yes
	}
}

// An execution's cursor holds its place, which changes once, when it starts.
func executionCursor(p projections.ExecutionPlace) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "e%d.%d", p.At, p.Position))
}

func parseExecutionCursor(s string) (p projections.ExecutionPlace, err error) {
	if s == "" {
		return p, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "e%d.%d", &p.At, &p.Position)
	}
	if err != nil || executionCursor(p) != s {
		return p, refuseCursor(s)
	}
	return p, nil
}

// stepResults lists the finished steps of an execution in the order in which they finished; that
// order is the log's, so what comes late comes behind every cursor.
func (r *Resolver) stepResults(ctx context.Context, id string, name *string, orderBy *InstanceStepResultOrder,
	w window) (*Page[InstanceStepResult], error) {
	run, err := r.run(ctx, id)
	if err != nil {
		return nil, err
	}
	var list []InstanceStepResult
	for _, s := range run.Steps() {
		if name == nil || s.Name == *name {
			list = append(list, InstanceStepResult{run: id, step: s})
		}
	}
	page, err := paginate(ordered(list, orderBy != nil && descending(orderBy.Direction)), w)
	return &page, err
}

// ordered returns the elements of an append-only list places that never change, forwards or backwards.
func ordered[T any](list []T, backwards bool) func(func(uint64, T) bool) {
	if !backwards {
		return numbered(list)
	}
	return func(yield func(uint64, T) bool) {
		for i, v := range slices.Backward(list) {
			if !yield(math.MaxUint64-uint64(i), v) {
				return
			}
		}
	}
}

// The lines that the execution itself adds to its log. Source: what existing clients wait for.
const (
	startLine = "Starting Instance Execution"
	endLine   = "Ending Instance Execution"
)

// logs lists the log lines of an execution in the order in which they were recorded.
func (r *Resolver) logs(ctx context.Context, id string, orderBy *LogOrder, w window) (*Page[Log], error) {
	list, err := r.log(ctx, id)
	if err != nil {
		return nil, err
	}
	page, err := paginate(ordered(list, orderBy != nil && descending(orderBy.Direction)), w)
	return &page, err
}

func (r *Resolver) log(ctx context.Context, id string) (list []Log, err error) {
	run, err := r.run(ctx, id)
	if err != nil {
		return nil, err
	}
	if !run.StartedAt.IsZero() {
		list = append(list, startOf(id, run.StartedAt))
	}
	failures := run.Failures()
	for _, s := range run.Steps() {
		for len(failures) > 0 && failures[0].Time.Before(s.Ended) {
			list, failures = append(list, failureLines(id, failures[0])...), failures[1:]
		}
		lines, err := r.stepLines(ctx, id, s)
		if err != nil {
			return nil, err
		}
		list = append(list, lines...)
	}
	for _, f := range failures {
		list = append(list, failureLines(id, f)...)
	}
	if run.Finished != nil {
		list = append(list, endOf(id, run.FinishedAt))
	}
	return list, nil
}

func startOf(run string, at time.Time) Log {
	return Log{run: run, of: "start", line: domain.LogLine{Time: at, Severity: "INFO", Message: startLine}}
}

func endOf(run string, at time.Time) Log {
	return Log{run: run, of: "end", line: domain.LogLine{Time: at, Severity: "INFO", Message: endLine}}
}

// failureLines returns the log lines of an attempt that was made again.
func failureLines(run string, f domain.Failure) []Log {
	return logsOf(run, f.Step, fmt.Sprint("failure ", f.Time.UnixNano()), f.Log)
}

func logsOf(run, step, of string, lines []domain.LogLine) []Log {
	logs := make([]Log, len(lines))
	for n, l := range lines {
		logs[n] = Log{run: run, line: l, step: step, of: of, n: n}
	}
	return logs
}

// linesOf returns the log lines that a record adds.
func (r *Resolver) linesOf(ctx context.Context, h happened) ([]Log, error) {
	switch event := h.event.(type) {
	case domain.RunClaimed:
		if event.Claim == 1 {
			return []Log{startOf(h.AggregateID(), h.time)}, nil
		}
	case domain.StepFinished:
		return r.stepLines(ctx, h.AggregateID(), event)
	case domain.StepRetried:
		return failureLines(h.AggregateID(), domain.Failure{Time: h.time, Step: event.Name, Log: event.Log}), nil
	case domain.RunRestarted:
		return failureLines(h.AggregateID(), event.Failure(h.time)), nil
	case domain.RunFinished:
		return []Log{endOf(h.AggregateID(), h.time)}, nil
	}
	return nil, nil
}

func (r *Resolver) stepLines(ctx context.Context, run string, s domain.StepFinished) ([]Log, error) {
	lines, err := r.lines(ctx, s)
	return logsOf(run, s.Name, fmt.Sprint("step ", s.Attempt, " ", s.Path), lines), err
}

// sections lists the steps of an execution that wrote log lines, in the order in which they first did.
func (r *Resolver) sections(ctx context.Context, id string, among []string, orderBy *ExecutionSectionOrder,
	w window) (*Page[ExecutionSection], error) {
	if err := r.hasExecution(ctx, id); err != nil {
		return nil, err
	}
	run, err := r.run(ctx, id)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(sectionsOf(run), func(s ExecutionSection) bool {
		return len(among) > 0 &&
			!slices.Contains(among, s.SectionID)
	})
	page, err := paginateUnlessAsked(ordered(list, orderBy != nil && descending(orderBy.Direction)), w)
	return &page, err
}

func sectionsOf(run domain.Run) (list []ExecutionSection) {
	seen := map[string]bool{}
	for _, s := range run.Steps() {
		if !seen[s.Name] && (s.LogBlob != nil || len(s.Log) > 0) {
			seen[s.Name] = true
			section := sectionID(run.ID, s.Name)
			list = append(list, ExecutionSection{ID: domain.PartID(run.ID, section), SectionID: section, Label: s.Name})
		}
	}
	return list
}

// run reads an execution from its stream.
func (r *Resolver) run(ctx context.Context, id string) (domain.Run, error) {
	return charge(ctx, func() (domain.Run, int, error) {
		run, _, err := store.Load(ctx, r.Log, domain.Runs, id)
		return run, listFields + partFields*len(run.Steps()), err
	})
}

// logSeverities assigns each severity a number that grows with it; the metrics stand beside information.
var logSeverities = []LogSeverity{{10, "TRACE"}, {20, "DEBUG"}, {30, "INFO"}, {35, "METRIC"}, {40, "WARN"},
	{50, "ERROR"}, {60, "FATAL"}}

func (r *Resolver) lines(ctx context.Context, s domain.StepFinished) ([]domain.LogLine, error) {
	if s.LogBlob == nil {
		return s.Log, nil
	}
	data, err := r.Blobs.Load(ctx, *s.LogBlob)
	if err != nil {
		return nil, fmt.Errorf("reading log lines: %w", err)
	}
	var lines []domain.LogLine
	return lines, json.Unmarshal(data, &lines)
}
